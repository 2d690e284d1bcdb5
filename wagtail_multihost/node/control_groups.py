"""What the processes of a site use, as the kernel counts it for the site's systemd unit (cgroup v2)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

#: Where systemd puts instances of a template (https://www.freedesktop.org/software/systemd/man/latest/systemd.slice.html).
ROOT = Path("/sys/fs/cgroup")
UNIT = "system.slice/system-multihost.slice/multihost@{site}.service"


class GroupUse(NamedTuple):
    """
    The CPU time that was used since the group was made, which its number tells, and the most memory in bytes that was,
    or else is, used at a time; None where the kernel does not say.
    """

    group: int
    cpu_microseconds: int
    memory: int | None


def read_use(site: str, root: Path = ROOT) -> GroupUse | None:
    """Return what the site's unit uses; None where it has none, or the kernel counts in another way."""
    folder = root / UNIT.format(site=site)
    try:
        group = folder.stat().st_ino
        used = dict(line.split(None, 1) for line in (folder / "cpu.stat").read_text().splitlines() if " " in line)
        cpu = int(used["usage_usec"])
    except (OSError, ValueError, KeyError):
        return None
    return GroupUse(group, cpu, read_memory(folder))


def read_memory(folder: Path) -> int | None:
    for name in ("memory.peak", "memory.current"):  # the former since Linux 5.19
        with suppress(OSError, ValueError):
            return int((folder / name).read_text())
    return None

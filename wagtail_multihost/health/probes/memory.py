"""Whether the process's control group, or the machine, has memory left."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.status import Criticality


class Version(NamedTuple):
    """The file names of one version of control groups."""

    limit: str
    used: str
    reclaimable: str


# https://docs.kernel.org/admin-guide/cgroup-v2.html and https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
V2 = Version("memory.max", "memory.current", "inactive_file")
V1 = Version("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


class Usage(NamedTuple):
    """Used memory and its limit, in bytes."""

    used: int
    limit: int

    @property
    def percent(self) -> float:
        return round(100 * self.used / self.limit, 1) if self.limit else 100.0


@dataclass(frozen=True, kw_only=True)
class MemoryProbe(Probe):
    """
    Compares the used memory, without file caches that the kernel can reclaim, with the limit of the process's control
    group or of one above it, whichever is closer; without a limit, with the memory of the machine.
    """

    is_shared: ClassVar[bool] = True
    component: ClassVar[str] = "system"
    codes: ClassVar[Mapping[str, str]] = {
        "high": "Little memory is left.",
        "unlimited": "There is no memory limit, and the system does not say how much memory it has.",
    }

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    warn_percent: float = field(default=90, metadata={"meaning": "The percentage used above which it warns."})
    fail_percent: float = field(default=97, metadata={"meaning": "The percentage used above which it fails."})
    root: str = field(default="/", metadata={"meaning": "The folder that contains `proc` and `sys`."})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.warn_percent <= self.fail_percent <= 100:
            raise ValueError("The limits are not accepted: 0 <= warn_percent <= fail_percent <= 100.")

    def measure(self) -> Iterator[Outcome]:
        found = nearest_usage(Path(self.root))
        if found is None:
            yield passed(code="unlimited")
        elif found.percent > self.fail_percent:
            yield failed("high", found.percent, "percent")
        elif found.percent > self.warn_percent:
            yield warned("high", found.percent, "percent")
        else:
            yield passed(found.percent, "percent")


def nearest_usage(root: Path) -> Usage | None:
    """Return the usage that is closest to its limit; None if nothing is known."""
    machine = machine_usage(root)
    # Limits above the machine's memory have no effect, such as the huge number of version 1 for none.
    most = machine.limit if machine else 1 << 60
    limited = [found for found in group_usages(root) if found.limit <= most]
    return max(limited, key=lambda found: found.percent, default=machine)


def machine_usage(root: Path) -> Usage | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    # Such as "MemTotal:       16303428 kB".
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if rest}
    if "MemTotal" not in kilobytes or "MemAvailable" not in kilobytes:
        return None
    return Usage((kilobytes["MemTotal"] - kilobytes["MemAvailable"]) * 1024, kilobytes["MemTotal"] * 1024)


def group_usages(root: Path) -> Iterator[Usage]:
    """Yield the usages of the process's control groups with a limit, from its own upwards."""
    for version, mount, folder in find_groups(root):
        for group in (folder, *folder.parents):
            if not group.is_relative_to(mount):
                break
            if found := group_usage(group, version):
                yield found


def group_usage(folder: Path, version: Version) -> Usage | None:
    try:
        limit = (folder / version.limit).read_text().strip()
        used = int((folder / version.used).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:  # the root group of version 2 has no such files
        return None
    if not limit.isdecimal():  # "max"
        return None
    reclaimable = sum(int(line.split()[1]) for line in lines if line.split()[:1] == [version.reclaimable])
    return Usage(max(0, used - reclaimable), int(limit))


def find_groups(root: Path) -> Iterator[tuple[Version, Path, Path]]:
    """Yield the version, the mount point and the process's folder of each hierarchy that can limit memory."""
    try:
        own = dict(parse_own_groups((root / "proc/self/cgroup").read_text()))
        mounts = (root / "proc/self/mountinfo").read_text()
    except OSError:
        return
    for version, top, point in parse_mounts(mounts):
        if version in own:
            mount = root / point.lstrip("/")
            yield version, mount, mount / path_below_mount(own[version], top)


def parse_own_groups(text: str) -> Iterator[tuple[Version, str]]:
    """Yield the versions and paths of lines such as ``0::/system.slice`` and ``4:memory:/docker/1``."""
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            yield V2, path
        elif "memory" in controllers.split(","):
            yield V1, path


def parse_mounts(text: str) -> Iterator[tuple[Version, str, str]]:
    """Yield the version, the mounted group and the mount point: proc_pid_mountinfo(5)."""
    for line in text.splitlines():
        place, _, kind = line.partition(" - ")
        top, point = place.split(" ")[3:5]
        system, _, options = kind.split(" ", 2)
        if system == "cgroup2":
            yield V2, top, point
        elif system == "cgroup" and "memory" in options.split(" ")[-1].split(","):
            yield V1, top, point


def path_below_mount(path: str, top: str) -> str:
    """
    Return the path of a group below the mount point of ``top``. In a container without its own namespace they are the
    same; for a group outside ``top``, the mounted group is used.
    """
    relative = os.path.relpath(path, top)
    return "." if relative.startswith("..") else relative

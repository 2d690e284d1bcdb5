"""The probe of memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wagtail_multihost.health.probe import failed, passed, warned
from wagtail_multihost.health.probes.memory import MemoryProbe

MIB = 1 << 20
NO_LIMIT_V1 = 9223372036854771712
V2_MOUNT = "30 23 0:26 {top} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "35 31 0:32 {top} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
OTHER_MOUNTS = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"

Machine = Callable[..., Path]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Make a root folder with a process in ``group``, ``groups`` of limits, usages and cached bytes, and memory."""

    def make(group: str = "", mount: str = "", groups: Any = None, total: int = 1000, available: int = 800) -> Path:
        own = tmp_path / "proc" / "self"
        own.mkdir(parents=True)
        (own / "cgroup").write_text(group)
        (own / "mountinfo").write_text(OTHER_MOUNTS + mount)
        lines = {"MemTotal": total, "MemFree": 1, "MemAvailable": available}
        (tmp_path / "proc" / "meminfo").write_text(
            "".join(f"{name}:   {value * 1024} kB\n" for name, value in lines.items()) + "HugePages_Total:   0\n"
        )
        for name, (limit, used, inactive) in (groups or {}).items():
            folder = tmp_path / "sys/fs/cgroup" / name
            folder.mkdir(parents=True, exist_ok=True)
            is_first = name.startswith("memory")
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if is_first else ("memory.max", "memory.current")
            stat = f"cache 1\n{'total_inactive_file' if is_first else 'inactive_file'} {inactive * MIB}\nanon 5\n"
            texts = (limit if isinstance(limit, str) else limit * MIB, used * MIB)
            for file, text in zip((*names, "memory.stat"), (*texts, stat), strict=True):
                (folder / file).write_text(f"{text}\n")
        return tmp_path

    return make


def measured(root: Path, **options: Any) -> list[Any]:
    return list(MemoryProbe(root=str(root), **options).measure())


def test_limit_of_the_own_group_counts(machine: Machine) -> None:
    """What a container uses is compared with its own limit, not with the machine."""
    root = machine("0::/\n", V2_MOUNT.format(top="/"), {".": (100, 50, 0)})
    assert measured(root) == [passed(50.0, "percent")]


def test_memory_that_the_kernel_takes_back_does_not_count(machine: Machine) -> None:
    """Pages of files that nobody uses are no use of memory."""
    root = machine("0::/\n", V2_MOUNT.format(top="/"), {".": (100, 99, 59)})
    assert measured(root) == [passed(40.0, "percent")]


@pytest.mark.parametrize(
    ("used", "outcome"),
    [
        (900, passed(90.0, "percent")),
        (901, warned("high", 90.1, "percent")),
        (970, warned("high", 97.0, "percent")),
        (971, failed("high", 97.1, "percent")),
    ],
)
def test_little_memory_is_told(machine: Machine, used: int, outcome: Any) -> None:
    """Above 90 percent it warns, above 97 it fails."""
    root = machine("0::/\n", V2_MOUNT.format(top="/"), {".": (1000, used, 0)}, total=2000)
    assert measured(root) == [outcome]


def test_nearest_limit_of_the_groups_above_counts(machine: Machine) -> None:
    """A pod's limit binds a container that has none, or has more."""
    groups = {"pod": (200, 190, 0), "pod/container": (400, 100, 0), "pod/container/worker": ("max", 50, 0)}
    root = machine("0::/pod/container/worker\n", V2_MOUNT.format(top="/"), groups)
    assert measured(root) == [warned("high", 95.0, "percent")]


def test_group_beside_the_own_does_not_count(machine: Machine) -> None:
    """Another container's memory is no concern."""
    root = machine("0::/mine\n", V2_MOUNT.format(top="/"), {"mine": (100, 10, 0), "other": (100, 100, 0)})
    assert measured(root) == [passed(10.0, "percent")]


def test_limit_of_the_first_version_counts(machine: Machine) -> None:
    """Machines with the first version of control groups, or with both, are understood."""
    group = "9:name=systemd:/\n4:cpu,memory:/box\n0::/\n"
    root = machine(group, V1_MOUNT.format(top="/"), {"memory/box": (100, 98, 0)})
    assert measured(root) == [failed("high", 98.0, "percent")]


def test_mounted_group_is_the_container_s(machine: Machine) -> None:
    """Without a namespace a container sees its group by the machine's name, and only its own is mounted."""
    root = machine("4:memory:/docker/0123\n", V1_MOUNT.format(top="/docker/0123"), {"memory": (100, 95, 20)})
    assert measured(root) == [passed(75.0, "percent")]


def test_group_that_is_not_mounted_is_that_of_the_mount_point(machine: Machine) -> None:
    """A group above what is mounted never leads out of the mount point."""
    root = machine("0::/other\n", V2_MOUNT.format(top="/docker/0123"), {".": (100, 60, 0)})
    other = root / "sys" / "other"
    other.mkdir()
    for name, text in {"memory.max": "100", "memory.current": "99", "memory.stat": "inactive_file 0"}.items():
        (other / name).write_text(text)
    assert measured(root) == [passed(60.0, "percent")]


@pytest.mark.parametrize("limit", ["max", str(NO_LIMIT_V1), str(5000 * MIB)])
def test_machine_s_memory_counts_without_a_limit(machine: Machine, limit: str) -> None:
    """Where nothing below the machine's memory limits, what is available there counts."""
    root = machine("0::/\n", V2_MOUNT.format(top="/"), {".": (limit, 999, 0)}, total=1000, available=50)
    assert measured(root) == [warned("high", 95.0, "percent")]


def test_memory_that_nothing_limits_passes(tmp_path: Path) -> None:
    """A system that tells nothing is no fault, and is told."""
    assert measured(tmp_path) == [passed(code="unlimited")]


def test_memory_of_this_machine_is_found() -> None:
    """The files of a real Linux are understood."""
    (outcome,) = MemoryProbe().measure()
    assert outcome.unit == "percent" and outcome.value is not None and 0 < outcome.value <= 100


def test_memory_limits_that_make_no_sense_are_refused() -> None:
    """A warning comes before a failure."""
    with pytest.raises(ValueError, match="not accepted"):
        MemoryProbe(warn_percent=98)

"""How everything that a process has started is found, ended and reaped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.child import in_child
from wagtail_multihost.launch import descendants as module
from wagtail_multihost.launch.descendants import (
    MOST_REAPED,
    ControlGroup,
    descendants,
    end_descendants,
    kill,
    new_control_group,
    parent_of,
    reaped_all,
)
from wagtail_multihost.launch.kernel import adopt_orphans

MOUNTS = "25 1 0:2 / /sys rw - sysfs sysfs rw\n30 25 0:26 / {place} rw,nosuid shared:4 - cgroup2 cgroup rw\n"


class Machine:
    """A folder in place of /proc, and one in place of /sys/fs/cgroup."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.groups = folder / "proc", folder / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / str(os.getpid())).mkdir()
        self.own = self.groups / "system.slice" / "shell"
        self.own.mkdir(parents=True)
        self.write("0::/system.slice/shell\n", MOUNTS.format(place=self.groups))

    def write(self, groups: str, mounts: str) -> None:
        (self.proc / "self/cgroup").write_text(groups)
        (self.proc / "self/mountinfo").write_text(mounts)

    def made(self) -> list[Path]:
        return sorted(self.own.iterdir())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine whose new control groups have what Linux puts there."""
    machine = Machine(tmp_path)
    monkeypatch.setattr(module, "PROC", machine.proc)
    real = Path.mkdir

    def mkdir(self: Path) -> None:
        real(self)
        (self / "cgroup.kill").touch()

    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(Path, "rmdir", lambda self: [*map(Path.unlink, self.iterdir()), os.rmdir(self)])
    yield machine


@pytest.mark.parametrize("groups", ["0::{own}\n", "12:cpu:/x\n1:name=systemd:/y\n0::{own}\n0::/other\n"])
def test_control_group_is_made_below_the_processes_own(machine: Machine, groups: str) -> None:
    """It has a name of its own each time, and takes and kills processes by Linux's files."""
    machine.write(groups.format(own="/system.slice/shell"), MOUNTS.format(place=machine.groups))
    group, other = new_control_group(), new_control_group()
    assert group and other
    assert machine.made() == sorted([group.folder, other.folder])
    start, digits = f"multihost-{os.getpid()}-", group.folder.name.rpartition("-")[2]
    assert group.folder.name == f"{start}{digits}" and len(digits) == 8 and int(digits, 16) >= 0
    group.take(4711)
    group.kill()
    assert (group.folder / "cgroup.procs").read_text() == "4711"
    assert (group.folder / "cgroup.kill").read_text() == "1"
    group.remove()
    assert machine.made() == [other.folder]
    group.remove()  # no error when it has gone


@pytest.mark.parametrize(
    ("groups", "mounts"),
    [
        ("", MOUNTS),
        ("4:cpu:/system.slice/shell\n", MOUNTS),
        ("10::/system.slice/shell\n", MOUNTS),
        ("0::/../../shell\n", MOUNTS),
        ("0::/system.slice/../system.slice/shell\n", MOUNTS),
        ("0::/none\n", MOUNTS),
        ("0::/system.slice/shell\n", ""),
        ("0::/system.slice/shell\n", MOUNTS.replace("cgroup2", "cgroup")),
        ("0::/system.slice/shell\n", MOUNTS.replace("0:26 / ", "0:26 /inner ")),
    ],
)
def test_without_a_place_there_is_no_control_group(machine: Machine, groups: str, mounts: str) -> None:
    """A machine without groups of version 2, or a container that sees only a part of them, gets none."""
    machine.write(groups, mounts.format(place=machine.groups))
    assert new_control_group() is None
    assert machine.made() == []


def test_control_group_that_cannot_kill_is_not_left(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that has no cgroup.kill (before 5.14) keeps no group of ours."""
    monkeypatch.setattr(Path, "mkdir", lambda self: os.mkdir(self))
    assert new_control_group() is None
    assert machine.made() == []


@pytest.mark.parametrize(
    ("stat", "parent"),
    [
        ("7 (sh) S 42 7 7 0", 42),
        ("7 (a b) c) R 43 7 7 0", 43),
        ("7 () 9 9) S 44 7 7 0", 44),
        ("7 (\udcff) S 45 7 7 0", 45),
    ],
)
def test_parent_is_read_after_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stat: str, parent: int) -> None:
    """A process's name may have blanks, parentheses and bytes that are no letters."""
    monkeypatch.setattr(module, "PROC", tmp_path)
    (tmp_path / "7").mkdir()
    (tmp_path / "7/stat").write_bytes(stat.encode(errors="surrogateescape"))
    assert parent_of(7) == (7, parent)
    assert parent_of(8) is None


def test_descendants_are_of_all_generations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children come before their own, with their parents; strangers, and who ends meanwhile, do not."""
    monkeypatch.setattr(module, "PROC", tmp_path)
    for pid, parent in {10: 1, 11: 10, 12: 10, 13: 11, 14: 13, 20: 1, 21: 20}.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (x) S {parent} 0")
    (tmp_path / "15").mkdir()
    (tmp_path / "self").mkdir()
    (tmp_path / "self/stat").write_text("10 (x) S 10 0")
    found = list(descendants(10))
    assert sorted(found) == [(11, 10), (12, 10), (13, 11), (14, 13)]
    assert [pid for pid, _ in found][2:] == [13, 14]
    assert list(descendants(14)) == []


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sleep", "30"])


def test_child_is_killed_and_a_stranger_is_not() -> None:
    """A number that has become another's is left alone, and no descriptor is left open."""
    before = len(os.listdir("/proc/self/fd"))
    with sleeper() as process:
        kill(process.pid, os.getppid())
        kill(process.pid, process.pid)
        time.sleep(0.05)
        assert process.poll() is None
        kill(process.pid, os.getpid())
        assert process.wait(5) == -signal.SIGKILL
    kill(process.pid, os.getpid())  # no error when it has gone
    assert len(os.listdir("/proc/self/fd")) == before


def test_children_that_have_ended_are_reaped() -> None:
    """There is none any more when all were reaped, and there is one while it runs."""

    def work() -> list[object]:
        found: list[object] = [reaped_all()]
        runs = os.posix_spawn("/bin/sleep", ["sleep", "30"], {})
        found.append(reaped_all())
        for other in [os.posix_spawn("/bin/true", ["true"], {}) for _ in range(3)]:
            os.waitid(os.P_PID, other, os.WEXITED | os.WNOWAIT)
        found.append(reaped_all())
        found.append(len(list(descendants(os.getpid()))))
        os.kill(runs, signal.SIGKILL)
        os.waitid(os.P_PID, runs, os.WEXITED | os.WNOWAIT)
        found.append(reaped_all())
        return found

    assert in_child(work) == [True, False, False, 1, True]


@pytest.mark.parametrize("left", [True, False])
def test_no_more_are_reaped_at_once_than_a_bound(monkeypatch: pytest.MonkeyPatch, left: bool) -> None:
    """Who reaps has other work too; it does not wait for one that runs."""
    answers = iter([(1, 0)] * (MOST_REAPED + 1) if left else [(1, 0), (0, 0), (1, 0)])
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "waitpid", lambda pid, options: asked.append((pid, options)) or next(answers))
    assert reaped_all() is False
    assert asked == [(-1, os.WNOHANG)] * (MOST_REAPED if left else 2)


class Group(ControlGroup):
    """A control group that notes what is asked of it."""

    def __init__(self, error: OSError | None = None) -> None:
        super().__init__(Path("/none"))
        self.calls: list[str] = []
        self.error = error

    def kill(self) -> None:
        self.calls.append("kill")
        if self.error:
            raise self.error

    def end(self) -> bool:
        self.calls.append("end")
        return True


@pytest.mark.parametrize("error", [None, OSError()])
def test_control_group_is_killed_until_none_is_left(monkeypatch: pytest.MonkeyPatch, error: OSError | None) -> None:
    """It is killed each time, and removed once, when all are gone; an error of it leaves the other way."""
    answers, killed = iter([False, False, True]), list[tuple[int, int]]()
    monkeypatch.setattr(module, "reaped_all", lambda: next(answers))
    monkeypatch.setattr(module, "descendants", lambda ancestor: [(5, 4), (6, 5)] if ancestor == os.getpid() else [])
    monkeypatch.setattr(module, "kill", lambda pid, parent: killed.append((pid, parent)))
    group = Group(error)
    assert end_descendants(group) is True
    assert group.calls == ["kill", "kill", "kill", "end"]
    assert killed == [(5, 4), (6, 5)] * 3


@pytest.mark.parametrize("group", [None, Group()])
def test_what_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch, group: Group | None) -> None:
    """After ten seconds it says that some are left; until then it goes on."""
    clock = iter([100.0, 109.9, 110.0, 110.1, 999.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(module, "reaped_all", lambda: False)
    monkeypatch.setattr(module, "descendants", lambda ancestor: [])
    assert end_descendants(group) is False
    assert next(clock) == 999.0
    assert group is None or group.calls == ["kill"] * 3


def test_all_descendants_are_ended() -> None:
    """Also one that has left its session and lost its parent, and ignores signals."""

    def work() -> bool:
        adopt_orphans()
        script = "trap '' TERM HUP; setsid sh -c 'sleep 30 & sleep 30' & sleep 30 & wait"
        os.posix_spawn("/bin/sh", ["sh", "-c", script], {"PATH": "/bin:/usr/bin"})
        deadline = time.monotonic() + 10
        while len(list(descendants(os.getpid()))) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        before = len(list(descendants(os.getpid())))
        return before > 3 and end_descendants(None) and not list(descendants(os.getpid()))

    assert in_child(work) is True

"""Ending everything that a process has started, whatever sessions it has made."""

from __future__ import annotations

import os
import re
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
MOUNT = re.compile(r"^\d+ \d+ \S+ / (?P<place>\S+) .* - cgroup2 ", re.MULTILINE)
#: The name of a group: the process that asked for it, and a random part that makes it unique.
GROUP = re.compile(r"multihost-(?P<caller>\d+)-[0-9a-f]{8}")
END_SECONDS = 10
PAUSE = 0.01
#: The most that are reaped at once. Processes can end faster than they are reaped, and other work waits.
MOST_REAPED = 1000


class ControlGroup:
    """A control group of version 2, which only root's processes can leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid))

    def kill(self) -> None:
        """Kill all processes in it, even those that are being forked (Linux 5.14)."""
        (self.folder / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        with suppress(OSError):
            self.folder.rmdir()

    def end(self) -> bool:
        """Kill its processes and remove it; return whether it is gone."""
        deadline = time.monotonic() + END_SECONDS
        while self.folder.exists():
            with suppress(OSError):
                self.kill()
            self.remove()
            if time.monotonic() > deadline:
                return False
            time.sleep(PAUSE)
        return True


def new_control_group() -> ControlGroup | None:
    """Return a new control group below this process's own; None where that is not possible."""
    own = next((line[3:] for line in (PROC / "self/cgroup").read_text().splitlines() if line.startswith("0::")), "")
    found = MOUNT.search((PROC / "self/mountinfo").read_text())
    if not found or not own or ".." in own:
        return None
    place = Path(found["place"], own.strip("/"))
    remove_left_over(place)
    group = ControlGroup(place / f"multihost-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        group.folder.mkdir()
    except OSError:
        return None
    if not (group.folder / "cgroup.kill").exists():
        group.remove()
        return None
    return group


def remove_left_over(place: Path) -> None:
    """Remove the empty groups that runs left behind when they were killed together with their guards."""
    for folder in place.glob("multihost-*"):
        run = GROUP.fullmatch(folder.name)
        if run and not (PROC / run["caller"]).exists():
            ControlGroup(folder).remove()


def end_descendants(group: ControlGroup | None) -> bool:
    """
    Kill all descendants of this process, which must be their subreaper, and wait for them; return whether all are
    gone. Without a control group, one that goes on forking may be quicker than this is.
    """
    deadline = time.monotonic() + END_SECONDS
    while True:
        if group:
            with suppress(OSError):
                group.kill()
        for pid, parent in descendants(os.getpid()):
            kill(pid, parent)
        if reaped_all():
            break
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    if group:
        group.end()
    return True


def reaped_all() -> bool:
    """Reap children that have ended; return whether there is none any more."""
    try:
        for _ in range(MOST_REAPED):
            if not os.waitpid(-1, os.WNOHANG)[0]:
                break
    except ChildProcessError:
        return True
    return False


def kill(pid: int, parent: int) -> None:
    """Kill the process ``pid`` if it is the child of ``parent`` still, and not a stranger that got its number."""
    with suppress(OSError):
        descriptor = os.pidfd_open(pid)
        try:
            if parent_of(pid) == (pid, parent):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)


def descendants(ancestor: int) -> Iterator[tuple[int, int]]:
    """Yield the ids of all descendants of ``ancestor`` and of their parents, children before their own."""
    parents = dict(found for name in os.listdir(PROC) if name.isdigit() and (found := parent_of(int(name))))
    generation = {ancestor}
    while generation := {pid for pid, parent in parents.items() if parent in generation}:
        yield from ((pid, parents[pid]) for pid in generation)


def parent_of(pid: int) -> tuple[int, int] | None:
    try:
        status = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # After the name, which may have blanks and parentheses, come the state and the parent (proc_pid_stat(5)).
    return pid, int(status.rpartition(")")[2].split()[1])

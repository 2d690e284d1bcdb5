"""What of a forked process of root's is left behind on the way into a site's account."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import termios
from dataclasses import replace
from pathlib import Path

import pytest

from tests.accounts import NOBODY, needs_root
from tests.launch.child import TOLD, in_child
from wagtail_multihost.exceptions import LaunchError
from wagtail_multihost.launch import entering
from wagtail_multihost.launch.account import Account
from wagtail_multihost.launch.entering import (
    Streams,
    close_others,
    describe_failure,
    enter,
    enter_folder,
    place_streams,
    restore_signals,
    set_limits,
)
from wagtail_multihost.launch.plan import Launch

LAUNCH = Launch(account=Account("games", 5, 60), environ={"HOME": "/"}, words=("/usr/bin/x", "a"))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (1, 0, 0), (2, 2, 2)])
def test_streams_are_placed_whatever_is_there(order: tuple[int, int, int]) -> None:
    """Descriptors that are in each other's place are moved before one is overwritten."""

    def work() -> list[str]:
        for number in range(3):
            read, write = os.pipe()
            os.write(write, str(number).encode() * 3)
            os.dup2(read, number)
        place_streams(Streams(*order))
        return [os.read(number, 1).decode() for number in range(3)]

    assert in_child(work) == [str(number) for number in order]


def test_placed_streams_are_inherited_and_their_copies_are_not() -> None:
    """A program that is executed has the three streams and nothing else of them."""

    def work() -> list[bool]:
        before = set(numbers())
        place_streams(Streams(0, 0, 0))
        copies = set(numbers()) - before
        return [*map(os.get_inheritable, (0, 1, 2)), len(copies) == 3, *map(os.get_inheritable, copies)]

    assert in_child(work) == [True, True, True, True, False, False, False]


@pytest.mark.parametrize("kept", [(), (10,), (10, 11), (11, 9), (3,), (60,)])
def test_all_other_descriptors_are_closed(kept: tuple[int, ...]) -> None:
    """The standard ones and those that are kept are left; the latter are inherited."""

    def work() -> list[list[int]]:
        for number in (3, 4, 9, 10, 11, 50, 60):
            os.dup2(0, number, inheritable=False)
        close_others((*kept, TOLD))
        left = numbers()
        return [left, [number for number in left if number > 2 and not os.get_inheritable(number)]]

    assert in_child(work) == [[0, 1, 2, *sorted(kept), TOLD], []]


def numbers() -> list[int]:
    """Return the descriptors of this process."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError:  # the one that has listed them
            continue
        found.append(int(name))
    return sorted(found)


def test_descriptors_above_a_lowered_limit_are_closed() -> None:
    """A limit that was lowered after they were opened hides none; the limit's own number is above it."""

    def work() -> list[int]:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for number in (99, 100, 101, 500):
            os.dup2(0, number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
        close_others((60,))
        return numbers()

    assert in_child(work, told=60) == [0, 1, 2, 60]


@pytest.mark.parametrize(
    ("hard", "wanted", "expected"),
    [(500, 100, 100), (50, 100, 50), (100, 100, 100), (resource.RLIM_INFINITY, 100, 100), (7, 0, 0)],
)
def test_limits_are_lowered_and_never_raised(
    monkeypatch: pytest.MonkeyPatch, hard: int, wanted: int, expected: int
) -> None:
    """Both limits are the wanted one, or the hard one where that is lower; none at all is the highest."""
    calls: list[object] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (3, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, value: calls.append((kind, value)))
    set_limits({resource.RLIMIT_NOFILE: wanted, resource.RLIMIT_CORE: 0})
    assert calls == [(resource.RLIMIT_NOFILE, (expected, expected)), (resource.RLIMIT_CORE, (0, 0))]


@needs_root
def test_work_begins_in_the_first_folder_that_is_open(tmp_path: Path) -> None:
    """A folder that is closed to the account, or missing, is passed over; where all are, the launch ends."""
    closed, first, second = (tmp_path / name for name in ("closed", "first", "second"))
    for folder in (closed, first, second):
        folder.mkdir()
    closed.chmod(0o700)

    def work() -> list[str]:
        os.chdir(tmp_path)
        found = []
        os.chmod(tmp_path, 0o755)
        os.seteuid(NOBODY)
        for folders in ((Path("none"), Path("closed"), Path("first"), Path("second")), (Path("closed"), Path("none"))):
            try:
                enter_folder(replace(LAUNCH, folders=folders))
            except LaunchError as error:
                found.append(str(error))
            else:
                found.append(Path(os.readlink("/proc/self/cwd")).name)
                os.chdir("..")
        return found

    assert in_child(work) == ["first", "The account games cannot enter the folder closed or none."]


def test_ignored_signals_are_given_back() -> None:
    """A program finds the signals that Python ignores as any program does, and none blocked."""

    def work() -> list[bool]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2})
        restore_signals()
        handlers = [signal.getsignal(signum) == signal.SIG_DFL for signum in (signal.SIGPIPE, signal.SIGXFSZ)]
        return [*handlers, not signal.pthread_sigmask(signal.SIG_BLOCK, set())]

    assert in_child(work) == [True, True, True]


@pytest.mark.parametrize(("number", "has_hint"), [(errno.EACCES, True), (errno.ENOENT, False), (errno.ENOEXEC, False)])
def test_program_that_cannot_be_run_is_a_sentence(number: int, has_hint: bool) -> None:
    """It names account and program, and says what to open where that may be the reason."""
    said = describe_failure(LAUNCH, OSError(number, os.strerror(number)))
    assert said.startswith(f"The account games cannot run /usr/bin/x: {os.strerror(number)}.")
    assert ("folder above it must be open" in said) is has_hint


@needs_root
@pytest.mark.parametrize("has_terminal", [True, False])
def test_process_has_a_session_and_a_terminal_of_its_own(has_terminal: bool) -> None:
    """A terminal that it is given becomes its controlling one; without one it has none."""

    def work() -> list[object]:
        ours, theirs = os.openpty()
        terminal = theirs if has_terminal else None
        kept = (TOLD, os.dup2(ours, TOLD + 1))  # without its other end a terminal hangs up
        enter(replace(LAUNCH, descriptors=kept), Streams(theirs, theirs, theirs, terminal), parent=os.getppid())
        try:
            os.close(os.open("/dev/tty", os.O_RDWR))
            is_controlled = True
        except OSError:
            is_controlled = False
        return [os.getsid(0) == os.getpid(), is_controlled, dict(os.environ), os.getcwd(), os.umask(0), numbers()]

    assert in_child(work) == [True, has_terminal, {"HOME": "/"}, "/", 0o077, [0, 1, 2, TOLD, TOLD + 1]]


@needs_root
@pytest.mark.parametrize(("mode", "said"), [(0o644, None), (0o600, "cannot read")])
def test_files_that_are_needed_must_be_legible(tmp_path: Path, mode: int, said: str | None) -> None:
    """A file that the account cannot read is named before the program starts."""
    file = tmp_path / "manage.py"
    file.touch(mode)
    file.chmod(mode)

    def work() -> str | None:
        os.chdir(tmp_path)
        launch = replace(LAUNCH, descriptors=(TOLD,), folders=(Path("."),), reads=(Path("manage.py"),))
        os.chmod(tmp_path, 0o755)
        try:
            enter(launch, Streams(0, 1, 2), parent=os.getppid())
        except LaunchError as error:
            return str(error)
        return None

    assert in_child(work) == (said and "The account games cannot read manage.py.")


def test_steps_are_taken_in_an_order_that_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs root comes before the account, and what an account takes back comes after it."""
    steps: list[str] = []

    def note(name: str, target: object = entering) -> None:
        monkeypatch.setattr(target, name, lambda *arguments, **keywords: steps.append(name))

    for name in ("place_streams", "close_others", "set_limits", "leave_keyring", "forbid_new_privileges"):
        note(name)
    for name in ("end_with_parent", "enter_folder"):
        note(name)
    for name in ("setsid", "umask"):
        note(name, os)
    note("ioctl", fcntl)
    note("become", Account)
    monkeypatch.setattr(os, "environ", {"PLATFORM_KEY": "k"})
    enter(LAUNCH, Streams(0, 1, 2, 9), parent=1)
    order = ["setsid", "ioctl", "place_streams", "close_others", "set_limits", "umask", "leave_keyring", "become"]
    assert steps == [*order, "forbid_new_privileges", "end_with_parent", "enter_folder"]
    assert os.environ == {"HOME": "/"}


def test_terminal_is_asked_for_by_its_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The controlling terminal is the one that was made, taken from nobody."""
    calls: list[object] = []
    for name in (
        "place_streams",
        "close_others",
        "set_limits",
        "leave_keyring",
        "forbid_new_privileges",
        "end_with_parent",
    ):
        monkeypatch.setattr(entering, name, lambda *arguments: None)
    monkeypatch.setattr(os, "setsid", lambda: None)
    monkeypatch.setattr(os, "umask", lambda mode: None)
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(os, "chdir", lambda folder: None)
    monkeypatch.setattr(Account, "become", lambda self: None)
    monkeypatch.setattr(fcntl, "ioctl", lambda *arguments: calls.append(arguments))
    enter(LAUNCH, Streams(3, 4, 5, 9), parent=1)
    assert calls == [(9, termios.TIOCSCTTY, 0)]

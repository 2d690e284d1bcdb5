"""From root's command to a site's process and back: streams, signals, and what is left afterwards."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.accounts import IS_ROOT, NOBODY, acting_as, needs_root, passable_folder
from tests.attacks.launching import at_terminal, words
from tests.launch.child import TOLD, in_child
from tests.launch.test_entering import numbers
from wagtail_multihost.exceptions import LaunchError
from wagtail_multihost.launch import execution
from wagtail_multihost.launch.account import Account
from wagtail_multihost.launch.execution import Ends, execute, flush_streams, open_missing_streams, pass_signals_on
from wagtail_multihost.launch.guard import END, PASSED_ON, WATCHED
from wagtail_multihost.launch.letters import Lines, Raw, Screen
from wagtail_multihost.launch.plan import Launch

LAUNCH = Launch(account=Account("games", 5, 60), environ={"PATH": "/bin:/usr/bin"})


def shell(line: str, **changes: Any) -> Launch:
    return replace(LAUNCH, words=("/bin/sh", "-c", line), **changes)


def executed(launch: Launch, given: bytes = b"", prepare: Callable[[], object] = lambda: None) -> list[Any]:
    """Return the exit code and the sentence of ``launch``, what it writes, and the input that it leaves."""

    def work() -> list[Any]:
        (stdin, typed), (out, stdout), (err, stderr) = os.pipe(), os.pipe(), os.pipe()
        os.write(typed, given)
        os.close(typed)
        for number, descriptor in enumerate((stdin, stdout, stderr)):
            os.dup2(descriptor, number)
            os.close(descriptor)
        prepare()
        before = facts()
        ended = execute(launch)
        assert facts() == before
        left = os.read(0, 99)
        os.dup2(0, 1)
        os.dup2(0, 2)
        return [*ended, *(os.read(descriptor, 9999).decode() for descriptor in (out, err)), left.decode()]

    found: list[Any] = in_child(work)
    return found


def facts() -> list[object]:
    """Return what of a process a launch must leave as it was."""
    handlers = [signal.getsignal(signum) for signum in PASSED_ON]
    return [numbers(), handlers, signal.pthread_sigmask(signal.SIG_BLOCK, ()), os.getcwd(), dict(os.environ)]


pytestmark = pytest.mark.projects


@needs_root
@pytest.mark.parametrize(
    ("launch", "given", "seen"),
    [
        (shell("echo out; echo err >&2; exit 7"), b"", [7, "", "out\n", "err\n", ""]),
        (shell("cat; exit 1"), b"kept", [1, "", "", "", "kept"]),
        (shell("cat", takes_input=True), b"taken", [0, "", "taken", "", ""]),
        (shell("printf 'a\\033[6nb\\r'"), b"", [0, "", "a\\x1b[6nb\\r", "", ""]),
        (shell("printf 'a\\033[6nb\\r'; printf '\\033' >&2", raw=True), b"", [0, "", "a\x1b[6nb\r", "\x1b", ""]),
        (shell("kill -9 $$"), b"", [137, "", "", "", ""]),
        (shell("sleep 9", seconds=0.2), b"", [124, "The command was ended after 0.2 seconds.", "", "", ""]),
        (
            replace(LAUNCH, words=("/none",)),
            b"",
            [2, "The account games cannot run /none: No such file or directory.", "", "", ""],
        ),
    ],
)
def test_launch_is_like_a_call(launch: Launch, given: bytes, seen: list[Any]) -> None:
    """Code, words and streams are the program's; of the caller's own process nothing changes."""
    assert executed(launch, given) == seen


@needs_root
def test_launch_without_a_guard_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that is killed reports nothing, and that is said."""
    monkeypatch.setattr(execution, "run_guard", lambda *arguments: os._exit(9))
    assert executed(LAUNCH) == [2, "The guard of the site's process was killed.", "", "", ""]


@needs_root
@pytest.mark.parametrize("signum", PASSED_ON)
def test_signals_of_the_caller_are_the_guards(signum: int) -> None:
    """Each of them is passed on, and does not end the caller."""

    with passable_folder() as folder:
        folder.chmod(0o777)

        def send(caller: int) -> None:
            while not (folder / "ready").exists():
                time.sleep(0.01)
            os.kill(caller, signum)

        def prepare() -> None:
            threading.Thread(target=send, args=(os.getpid(),), daemon=True).start()

        code = (
            f"trap 'exit 50' {signum:d}; touch {folder}/ready; i=0; while [ $i -lt 90 ]; do sleep 0.1; i=$((i+1)); done"
        )
        assert executed(shell(code), prepare=prepare)[0] == 50


@needs_root
def test_error_while_copying_ends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in the caller is raised when the site's processes are gone."""

    def fail(*arguments: object) -> bytes:
        raise KeyboardInterrupt

    def work() -> list[object]:
        started = time.monotonic()
        before = numbers()
        try:
            execute(shell("sleep 30"))
        except KeyboardInterrupt:
            pass
        else:
            return ["no error"]
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return [time.monotonic() - started < 20, numbers() == before]
        return ["a child is left"]

    monkeypatch.setattr(execution, "copy_until", fail)
    assert in_child(work) == [True, True]


@needs_root
def test_three_presses_leave_a_command_that_listens_to_nothing() -> None:
    """Ctrl-] three times ends a command that ignores signals and keys, and the terminal is root's again."""
    code = (
        "import signal, time; [signal.signal(s, 1) for s in (1, 2, 3, 15)]; print('ready', flush=True); time.sleep(60)"
    )
    started = time.monotonic()
    ended, shown, _ = at_terminal(words(code), b"\x1d\x1d\x1d")
    assert ended == 137 and time.monotonic() - started < 15, shown


@pytest.mark.skipif(not IS_ROOT, reason="As another account it is the first line that refuses.")
def test_only_root_launches() -> None:
    """Another account cannot give a process away, and starts none."""
    with acting_as(NOBODY), pytest.raises(LaunchError, match="Only root"):
        execute(shell("exit 0"))


@pytest.fixture
def _as_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(execution, "new_terminal", lambda account: os.openpty() if account.name == "games" else None)
    yield


@pytest.mark.parametrize(("raw", "kind"), [(False, Lines), (True, Raw)])
def test_ends_of_a_process_without_a_terminal(raw: bool, kind: type) -> None:
    """Two pipes whose output is copied apart, and input that has nothing."""

    def work() -> list[object]:
        before = numbers()
        ends = Ends(replace(LAUNCH, raw=raw))
        os.write(ends.theirs.stdout, b"o")
        os.write(ends.theirs.stderr, b"e")
        found = [
            [
                (output.target, type(output.letters) is kind, os.read(output.source, 9).decode())
                for output in ends.outputs
            ],
            os.read(ends.theirs.stdin, 1).decode(),
            [ends.theirs.terminal, ends.terminal, ends.to],
            len(numbers()) - len(before),
        ]
        ends.close()
        return [*found, numbers() == before, sorted(ends.opened)]

    assert in_child(work) == [[[1, True, "o"], [2, True, "e"]], "", [None, None, None], 5, True, []]


def test_ends_of_a_process_that_takes_input() -> None:
    """What is written to our end is its standard input."""

    def work() -> list[object]:
        ends = Ends(replace(LAUNCH, takes_input=True))
        assert ends.to is not None
        os.write(ends.to, b"typed")
        return [os.read(ends.theirs.stdin, 9).decode(), ends.terminal, len(ends.opened)]

    assert in_child(work) == ["typed", None, 6]


@pytest.mark.parametrize(("is_tty", "raw"), [(True, False), (False, False), (True, True), (False, True)])
def test_ends_of_a_process_at_a_terminal(
    _as_root: None, monkeypatch: pytest.MonkeyPatch, is_tty: bool, raw: bool
) -> None:
    """All streams are the terminal; errors go where root has led them, if that is elsewhere."""

    def work() -> list[object]:
        monkeypatch.setattr(os, "isatty", lambda descriptor: is_tty if descriptor == 2 else descriptor != 1)
        ends = Ends(replace(LAUNCH, has_terminal=True, raw=raw))
        stdin, stdout, stderr, terminal = ends.theirs
        kinds = [(output.target, type(output.letters).__name__) for output in ends.outputs]
        same = [stdin == stdout == terminal, stderr == terminal, ends.to == ends.terminal == ends.outputs[0].source]
        ttys = os.ttyname(stdin) == os.ttyname(terminal) if terminal is not None else None
        return [kinds, same, ttys, len(ends.opened)]

    letters = [[1, "Raw" if raw else Screen.__name__], [2, "Raw" if raw else Lines.__name__]]
    assert in_child(work) == [letters[: 1 if is_tty else 2], [True, is_tty, True], True, 2 if is_tty else 4]


def test_ends_are_closed_once_and_one_by_one() -> None:
    """Those that are named are closed, the others stay; a number that is not ours, or closed, is left alone."""

    def work() -> list[object]:
        ends = Ends(LAUNCH)
        stranger = os.dup(0)
        ends.close(*ends.theirs[:3], stranger)
        left = set(ends.opened)
        are_open = [number in numbers() for number in ends.theirs[:3]]
        os.close(min(left))
        ends.close()
        ends.close()
        return [len(left), are_open, stranger in numbers(), ends.opened == set()]

    assert in_child(work) == [2, [False] * 3, True, True]


@pytest.mark.parametrize("closed", [(), (0,), (1,), (2,), (0, 1, 2)])
def test_missing_streams_lead_nowhere(closed: tuple[int, ...]) -> None:
    """A stream that was closed takes no other descriptor's number; one that is open stays what it is."""

    def work() -> list[object]:
        _, write = os.pipe()
        for number in range(3):
            os.dup2(write, number)
        before = numbers()
        for number in closed:
            os.close(number)
        open_missing_streams()
        for number in closed:
            os.write(number, b"x")
            assert os.read(number, 1) == b""
        nowhere = [number for number in range(3) if os.path.samefile(f"/proc/self/fd/{number}", os.devnull)]
        return [nowhere, numbers() == before]

    assert in_child(work) == [list(closed), True]


def test_signals_are_passed_on_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is sent to the guard, also when it has gone; the handlers come back whatever happens."""
    sent: list[tuple[int, int]] = []

    def kill(pid: int, signum: int) -> None:
        sent.append((pid, signum))
        raise ProcessLookupError(errno.ESRCH, "gone")

    before = [signal.getsignal(signum) for signum in PASSED_ON]
    with pytest.raises(ZeroDivisionError), pass_signals_on(4711):
        monkeypatch.setattr(os, "kill", kill)
        for signum in PASSED_ON:
            signal.raise_signal(signum)
        raise ZeroDivisionError
    assert sent == [(4711, signum) for signum in PASSED_ON]
    assert [signal.getsignal(signum) for signum in PASSED_ON] == before


def test_what_python_keeps_is_written_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both streams are flushed; a stream that Python does not have is no error."""
    flushed: list[str] = []

    class Stream:
        def __init__(self, name: str) -> None:
            self.name = name

        def flush(self) -> None:
            flushed.append(self.name)

    for stdout, stderr in ((Stream("out"), Stream("err")), (None, Stream("err")), (Stream("out"), None)):
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", stderr)
        flush_streams()
    assert flushed == ["out", "err", "err", "out"]


@needs_root
def test_what_root_has_written_comes_first_and_once() -> None:
    """Neither the guard nor the site's process writes it again."""
    script = (
        "import sys\nfrom tests.launch.test_execution import shell\n"
        "from wagtail_multihost.launch.execution import execute\n"
        "print('root'); sys.stderr.write('root'); execute(shell('echo site; echo site >&2'))"
    )

    def work() -> list[str]:
        (out, stdout), (err, stderr) = os.pipe(), os.pipe()
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", script],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, stdout, 1), (os.POSIX_SPAWN_DUP2, stderr, 2)],
        )
        os.waitpid(pid, 0)
        return [os.read(descriptor, 999).decode() for descriptor in (out, err)]

    assert in_child(work) == ["root\nsite\n", "rootsite\n"]


def test_guard_is_forked_with_signals_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent before it waits for signals is not lost; the caller's own mask comes back, also after an error."""
    seen: list[object] = []
    masks = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def fork() -> int:
        seen.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()) >= WATCHED and END in WATCHED)
        raise OSError(errno.EAGAIN, "no more")

    monkeypatch.setattr(os, "fork", fork)
    ends = Ends(LAUNCH)
    try:
        with pytest.raises(LaunchError, match="No process can be started: no more"):
            execution.start_guard(LAUNCH, ends, None)
    finally:
        ends.close()
    assert seen == [True]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == masks
    assert TOLD not in numbers()

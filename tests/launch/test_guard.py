"""How the guard between root's command and a site's process waits, passes signals on, and ends everything."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.accounts import needs_root, passable_folder
from tests.launch.child import TOLD, in_child
from tests.launch.test_entering import numbers
from wagtail_multihost.launch import guard
from wagtail_multihost.launch.account import Account
from wagtail_multihost.launch.descendants import MOST_REAPED, ControlGroup, descendants
from wagtail_multihost.launch.entering import Streams
from wagtail_multihost.launch.guard import (
    END,
    WATCHED,
    Ended,
    leave_callers_streams,
    reap_child,
    signal_group,
    wait_for_child,
)
from wagtail_multihost.launch.kernel import libc
from wagtail_multihost.launch.plan import Launch

CHLD, INT, QUIT = signal.SIGCHLD, signal.SIGINT, signal.SIGQUIT
TERM, HUP = signal.SIGTERM, signal.SIGHUP
LAUNCH = Launch(account=Account("games", 5, 60), environ={"HOME": "/"}, words=("/bin/sh", "-c", "exit 3"))
DONE = Ended(7)


class Scene:
    """Signals that come after some seconds each; None for a look at the clock without one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, signals: Sequence[tuple[float, int | None]]) -> None:
        self.coming, self.now = list(signals), 100.0
        self.passed: list[int] = []
        self.waits: list[float] = []
        self.answers: list[Ended | None] = []
        monkeypatch.setattr(guard.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(signal, "sigtimedwait", self.wait)
        monkeypatch.setattr(guard, "reap_child", lambda child: self.answers.pop(0) if child == 42 else None)
        monkeypatch.setattr(
            guard, "signal_group", lambda child, signum: self.passed.append(signum) if child == 42 else None
        )

    def wait(self, watched: object, seconds: float) -> object:
        assert watched == WATCHED
        self.waits.append(round(seconds, 3))
        if not self.coming or self.coming[0][0] > seconds:
            self.now += seconds
            if self.coming:
                self.coming[0] = (self.coming[0][0] - seconds, self.coming[0][1])
            return None
        after, signum = self.coming.pop(0)
        self.now += after
        return signum and SimpleNamespace(si_signo=signum)


@pytest.mark.parametrize(
    ("signals", "seconds", "ended", "passed", "took"),
    [
        ([], 5.0, Ended(124, "The command was ended after 5 seconds."), [], 5),
        ([], 0.5, Ended(124, "The command was ended after 0.5 seconds."), [], 0.5),
        ([(8000, CHLD)], None, DONE, [], 8000),
        ([(2, CHLD)], 5.0, DONE, [], 2),
        ([(5, CHLD)], 5.0, Ended(124, "The command was ended after 5 seconds."), [], 5),
        ([(1, INT), (1, CHLD)], None, DONE, [INT], 2),
        ([(1, INT), (50, CHLD)], None, DONE, [INT], 51),
        ([(1, INT), (1, QUIT), (1, CHLD)], None, DONE, [INT, QUIT], 3),
        ([(1, INT), (1, QUIT), (1, INT)], None, Ended(130), [INT, QUIT, INT], 3),
        ([(1, INT), (1, INT), (1, QUIT)], None, Ended(131), [INT, INT, QUIT], 3),
        ([(1, INT)], 5.0, Ended(124, "The command was ended after 5 seconds."), [INT], 5),
        ([(1, TERM)], None, Ended(143), [TERM], 11),
        ([(1, HUP)], None, Ended(129), [HUP], 11),
        ([(1, TERM), (9, CHLD)], None, DONE, [TERM], 10),
        ([(1, TERM)], 60.0, Ended(143), [TERM], 11),
        ([(1, TERM)], 3.0, Ended(143), [TERM], 3),
        ([(1, TERM), (2, HUP)], None, Ended(129), [TERM, HUP], 3),
        ([(1, TERM), (2, INT)], None, Ended(143), [TERM, INT], 11),
        ([(1, TERM), (1, INT), (1, INT)], None, Ended(130), [TERM, INT, INT], 3),
        ([(1, END)], None, Ended(137), [], 1),
        ([(1, INT), (1, END)], None, Ended(130), [INT], 2),
    ],
)
def test_guard_waits_until_something_ends_the_command(
    monkeypatch: pytest.MonkeyPatch,
    signals: Sequence[tuple[float, int | None]],
    seconds: float | None,
    ended: Ended,
    passed: list[int],
    took: float,
) -> None:
    """
    Its own end, a time limit, three signals, ten seconds after a signal that ends or at once after another one, and
    what ends everything. The code is as shells say it.
    """
    scene = Scene(monkeypatch, signals)
    scene.answers = [DONE]
    assert wait_for_child(42, seconds) == ended
    assert (scene.passed, scene.now - 100) == (passed, took)


def test_guard_goes_on_while_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """That another process has ended is not that the command has; an exit code of 0 is an end."""
    scene = Scene(monkeypatch, [(1, CHLD), (1, CHLD), (1, CHLD)])
    scene.answers = [None, None, Ended(0)]
    assert wait_for_child(42, 60) == Ended(0)
    assert scene.waits == [60, 59, 58]


def test_guard_never_waits_for_less_than_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel would refuse it; without a limit it looks at its clock once in an hour."""
    scene = Scene(monkeypatch, [(1, TERM), (0, TERM)])
    clock = iter([100.0, 100.0, 101.0, 101.0, 103.0, 103.0, 113.0, 200.0, 200.0])
    monkeypatch.setattr(guard.time, "monotonic", lambda: next(clock, 200.0))
    wait_for_child(42, None)
    assert scene.waits[0] == 3600 and min(scene.waits) >= 0


def test_status_is_the_childs() -> None:
    """While it runs there is none; others that end meanwhile are reaped; then it is the code, or the signal's."""

    def started(code: str, stdin: int) -> int:
        return os.posix_spawn("/bin/sh", ["sh", "-c", code], {}, file_actions=[(os.POSIX_SPAWN_DUP2, stdin, 0)])

    def wait(pid: int) -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def work() -> list[object]:
        found: list[object] = []
        for ends in ("exit 3", "exit 0", "kill -TERM $$", "kill -KILL $$"):
            stdin, go = os.pipe()
            child = started(f"read line; {ends}", stdin)
            for other in [started("exit 9", stdin) for _ in range(3)]:
                wait(other)
            found.append(reap_child(child))
            found.append(len(list(descendants(os.getpid()))))
            os.write(go, b"\n")
            wait(child)
            found += [reap_child(child), reap_child(child)]
        return found

    codes = [3, 0, 143, 137]
    assert in_child(work) == [part for code in codes for part in (None, 1, [code, ""], None)]


@pytest.mark.parametrize(
    ("answers", "status", "asked"),
    [
        ([(42, 0)], Ended(0), [42]),
        ([(0, 0), (0, 0)], None, [42, -1]),
        ([(0, 0), (7, 0), (8, 0), (0, 0)], None, [42, -1, -1, -1]),
        ([(0, 0), (7, 0), (42, 512)], Ended(2), [42, -1, -1]),
        ([(0, 0)] + [(7, 0)] * 9999, None, [42] + [-1] * MOST_REAPED),
    ],
)
def test_the_child_is_asked_for_first(
    monkeypatch: pytest.MonkeyPatch, answers: list[tuple[int, int]], status: Ended | None, asked: list[int]
) -> None:
    """Others may end faster than they are reaped, so they are reaped after it, up to a bound, and without waiting."""
    calls: list[tuple[int, int]] = []
    coming = iter(answers)
    monkeypatch.setattr(os, "waitpid", lambda pid, options: calls.append((pid, options)) or next(coming))
    assert reap_child(42) == status
    assert calls == [(pid, os.WNOHANG) for pid in asked]


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (None, ["group 42 2"]),
        (ProcessLookupError(), ["group 42 2", "process 42 2"]),
        (PermissionError(), ["group 42 2"]),
    ],
)
def test_signal_is_for_the_group(monkeypatch: pytest.MonkeyPatch, error: OSError | None, calls: list[str]) -> None:
    """Before the process has a session of its own it is for the process; errors end nothing."""
    made: list[str] = []

    def killpg(pid: int, signum: int) -> None:
        made.append(f"group {pid} {signum:d}")
        if error:
            raise error

    def kill(pid: int, signum: int) -> None:
        made.append(f"process {pid} {signum:d}")
        raise ProcessLookupError

    monkeypatch.setattr(os, "killpg", killpg)
    monkeypatch.setattr(os, "kill", kill)
    signal_group(42, INT)
    assert made == calls


def test_guard_keeps_no_stream_of_the_callers() -> None:
    """Its standard streams lead nowhere, for reading and writing, and only what it needs stays open."""

    def work() -> list[object]:
        for number in (9, 10, 11):
            os.dup2(0, number)
        leave_callers_streams(10, TOLD)
        lead = [os.path.samefile(f"/proc/self/fd/{number}", os.devnull) for number in range(3)]
        return [lead, numbers(), os.read(0, 1).decode(), os.write(1, b"x"), os.write(2, b"x")]

    assert in_child(work) == [[True, True, True], [0, 1, 2, 10, TOLD], "", 1, 1]


class Group(ControlGroup):
    """A control group that makes a file when it takes a process, late."""

    def __init__(self, file: Path, error: OSError | None = None) -> None:
        super().__init__(Path("/none"))
        self.file, self.error = file, error

    def take(self, pid: int) -> None:
        time.sleep(0.1)
        self.file.write_text(str(pid))
        if self.error:
            raise self.error


@needs_root
@pytest.mark.parametrize("error", [None, OSError(errno.EBUSY, "busy")])
def test_program_starts_when_its_control_group_has_it(error: OSError | None) -> None:
    """What it starts is in the group from its first moment on; a group that takes none does not stop it."""
    with passable_folder() as folder:

        def work() -> list[object]:
            launch = replace(LAUNCH, words=("/bin/sh", "-c", f"read pid < {folder}/taken; test $pid = $$ && exit 3"))
            child, told = guard.start_site_process(launch, Streams(0, 1, 2), Group(folder / "taken", error))
            return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), os.read(told, 99).decode()]

        assert in_child(work) == [3, ""]


@needs_root
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"words": ("/nonexistent/x",)}, "The account games cannot run /nonexistent/x: No such file or directory."),
        ({"folders": (Path("/nonexistent"),)}, "The account games cannot enter the folder /nonexistent."),
        ({"reads": (Path("/etc/shadow"),)}, "The account games cannot read /etc/shadow."),
        ({}, ""),
    ],
)
def test_program_that_cannot_start_tells_why(changes: dict[str, Any], said: str) -> None:
    """Its process ends with the code of a refusal, and nothing is run."""

    def work() -> list[object]:
        before = len(numbers())
        child, told = guard.start_site_process(replace(LAUNCH, **changes), Streams(0, 1, 2), None)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return [code, os.read(told, 999).decode(), len(numbers()) - before]

    assert in_child(work) == [2 if said else 3, said, 1]


def output_of(launch: Launch) -> str:
    """Start the program of ``launch`` in a process that has signals blocked; return what it writes as its error."""

    def work() -> str:
        read, write = os.pipe()
        os.dup2(0, 50, inheritable=False)
        os.dup2(0, 51, inheritable=True)
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        child, _ = guard.start_site_process(launch, Streams(0, write, write), None)
        os.waitpid(child, 0)
        return os.read(read, 9999).decode()

    return str(in_child(work))


@needs_root
def test_program_has_what_the_launch_says() -> None:
    """Its descriptors, variables and words, and nothing of the guard's."""
    code = "import os, sys; print(sorted(map(int, os.listdir('/proc/self/fd'))), dict(os.environ), sys.argv[1:])"
    words = ("/usr/bin/python3", "-I", "-c", code, "a b")
    launch = replace(LAUNCH, words=words, descriptors=(50,), environ={"A": "b", "LC_ALL": "C.UTF-8"})
    # The list is read by a descriptor of its own, 3.
    assert output_of(launch) == "[0, 1, 2, 3, 50] {'A': 'b', 'LC_ALL': 'C.UTF-8'} ['a b']\n"


@needs_root
def test_program_has_its_signals() -> None:
    """None is blocked or ignored, although the guard blocks some and Python ignores others."""
    launch = replace(LAUNCH, words=("/bin/grep", "-hE", "^Sig(Blk|Ign)", "/proc/self/status"))
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)  # as in the background of a shell
    try:
        assert output_of(launch).split() == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]
    finally:
        signal.signal(signal.SIGQUIT, before)


def guarded(launch: Launch, prepare: Callable[[], None] = lambda: None) -> list[object]:
    """Have a guard run ``launch``; return what it reports, and its own exit code."""

    def work() -> list[object]:
        report, reports = os.pipe()
        caller = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        pid = os.fork()
        if not pid:
            prepare()
            guard.run_guard(launch, Streams(0, 1, 2), None, caller, reports)
        os.close(reports)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return [b"".join(iter(lambda: os.read(report, 99), b"")).decode(), code]

    found: list[object] = in_child(work)
    return found


@needs_root
@pytest.mark.parametrize(
    ("changes", "report"),
    [
        ({}, "3 "),
        ({"words": ("/bin/sh", "-c", "kill -TERM $$")}, "143 "),
        ({"words": ("/bin/sh", "-c", "exec sleep 9"), "seconds": 0.2}, "124 The command was ended after 0.2 seconds."),
        ({"words": ("/nonexistent",)}, "2 The account games cannot run /nonexistent: No such file or directory."),
    ],
)
def test_guard_reports_how_it_ended(changes: dict[str, Any], report: str) -> None:
    """The code, and a sentence where there is one; the guard itself always ends well."""
    assert guarded(replace(LAUNCH, **changes)) == [report, 0]


@needs_root
@pytest.mark.parametrize("is_made", [True, False])
def test_guard_removes_the_private_folder(tmp_path: Path, is_made: bool) -> None:
    """It goes with all that is in it; no error where it has gone."""
    private, other = tmp_path / "private", tmp_path / "other"
    other.mkdir()
    if is_made:
        (private / "inner").mkdir(parents=True)
        (private / "inner/sites.json").touch()
    assert guarded(replace(LAUNCH, private=private)) == ["3 ", 0]
    assert list(tmp_path.iterdir()) == [other]


@needs_root
@pytest.mark.parametrize(
    ("changes", "report"),
    [
        ({}, "3 Processes of games are left."),
        (
            {"words": ("/bin/sleep", "9"), "seconds": 0.1},
            "124 The command was ended after 0.1 seconds. Processes of games are left.",
        ),
    ],
)
def test_guard_says_what_is_left(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], report: str) -> None:
    """Processes that it could not end are reported behind what there is to say."""
    monkeypatch.setattr(guard, "end_descendants", lambda group: False)
    assert guarded(replace(LAUNCH, **changes)) == [report, 0]


def test_guard_that_fails_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An error before the program starts is reported, and the private folder goes in any case."""
    monkeypatch.setattr(guard, "start_site_process", lambda *arguments: 1 / 0)
    assert guarded(replace(LAUNCH, private=tmp_path)) == ["2 The guard of the site's process failed.", 0]
    assert not tmp_path.exists()


@needs_root
def test_guard_is_a_subreaper_with_a_session_that_ends_with_its_caller(tmp_path: Path) -> None:
    """It has no stream of the caller's, notices its children, and gets a signal when the caller ends."""
    seen = tmp_path / "seen"

    def prepare() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        os.dup2(0, 77)
        guard.wait_for_child = look

    def look(child: int, seconds: float | None) -> Ended:
        import ctypes

        asked = []
        for option in (37, 2):  # PR_GET_CHILD_SUBREAPER, PR_GET_PDEATHSIG
            value = ctypes.c_int(0)
            libc.prctl(option, ctypes.byref(value), 0, 0, 0)
            asked.append(value.value)
        handler = signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
        facts = (os.getsid(0) == os.getpid(), handler, asked, 77 in numbers(), len(numbers()), seconds)
        seen.write_text(repr(facts))
        os.waitpid(child, 0)
        return Ended(5, "so")

    assert guarded(replace(LAUNCH, seconds=8), prepare) == ["5 so", 0]
    assert seen.read_text() == repr((True, True, [1, int(END)], False, 5, 8))

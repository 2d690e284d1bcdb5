"""What goes between the caller and a site's process, over pipes and terminals of the test's own."""

from __future__ import annotations

import os
import selectors
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from tests.launch.child import in_child
from wagtail_multihost.launch import copying, terminal
from wagtail_multihost.launch.copying import (
    BLOCK,
    MOST_LEFT,
    Input,
    Output,
    copy_until,
    handle_event,
    update_selector,
    write_all,
)
from wagtail_multihost.launch.letters import Raw

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
ESCAPE = b"\x1d"


class Marked(Raw):
    """Passes everything on, and a mark at the end."""

    def end(self) -> bytes:
        return b"<end>"


@pytest.fixture
def pipe() -> Iterator[Callable[[], tuple[int, int]]]:
    """Pipes, and what is left of them closed at the end."""
    opened: list[int] = []

    def make() -> tuple[int, int]:
        ends = os.pipe()
        opened.extend(ends)
        return ends

    yield make
    for descriptor in opened:
        with suppress(OSError):
            os.close(descriptor)


Pipe = Callable[[], tuple[int, int]]


def test_output_is_copied_as_it_comes(pipe: Pipe) -> None:
    """What there is is passed on and counted; nothing yet is no end, and an end is one."""
    (source, theirs), (theirs_too, target) = pipe(), pipe()
    output = Output(source, target, Marked())
    assert (output.copy(), output.is_open) == (0, True)
    os.write(theirs, b"abc")
    assert (output.copy(), output.is_open) == (3, True)
    assert os.read(theirs_too, 99) == b"abc"
    os.close(theirs)
    assert (output.copy(), output.is_open) == (0, False)


def test_output_of_a_terminal_that_nobody_has_open_ends(pipe: Pipe) -> None:
    """Linux reports an error there, which is an end as any other."""
    ours, theirs = os.openpty()
    os.close(theirs)
    output = Output(ours, pipe()[1], Raw())
    assert (output.copy(), output.is_open) == (0, False)
    os.close(ours)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_output_that_nobody_reads_closes_a_pipe_and_keeps_its_number(pipe: Pipe, is_terminal: bool) -> None:
    """Who writes to a pipe notices it; a terminal stays, whose input goes on; no number becomes another's."""
    source, theirs = os.openpty() if is_terminal else pipe()
    nobody, target = pipe()
    os.close(nobody)
    output = Output(source, target, Raw())
    os.write(theirs, b"x")
    assert (output.copy(), output.is_open) == (1, False)
    assert os.isatty(source) is is_terminal
    if is_terminal:
        assert os.write(theirs, b"x") == 1
        os.close(source)
        os.close(theirs)
    else:
        with pytest.raises(BrokenPipeError):
            os.write(theirs, b"x")
        assert os.read(source, 1) == b""  # it leads nowhere
        assert os.path.samefile(f"/proc/self/fd/{source}", os.devnull)


def test_what_nobody_reads_costs_no_descriptor(pipe: Pipe) -> None:
    """The descriptor that takes the pipe's place is the only one that is left open."""
    (source, theirs), (nobody, target) = pipe(), pipe()
    os.close(nobody)
    os.write(theirs, b"x")
    output = Output(source, target, Raw())
    before = len(os.listdir("/proc/self/fd"))
    output.copy()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("is_ended", [True, False])
def test_what_is_left_is_copied_at_the_end(pipe: Pipe, is_ended: bool) -> None:
    """All that a pipe holds is passed on when all who could write have ended, then what the filter adds."""
    (source, theirs), (read, target) = pipe(), pipe()
    os.set_blocking(theirs, False)
    text = os.urandom(BLOCK)
    assert os.write(theirs, text) == BLOCK
    if is_ended:
        os.close(theirs)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.extend(iter(lambda: os.read(read, BLOCK), b"")))
    reader.start()
    Output(source, target, Marked()).finish()
    os.close(target)
    reader.join()
    assert b"".join(found) == text + b"<end>"


def test_what_never_ends_is_left_at_the_end(monkeypatch: pytest.MonkeyPatch, pipe: Pipe) -> None:
    """A stream that somebody goes on filling is copied up to a bound, and then left."""
    counts: list[int] = []
    read, target = pipe()
    output = Output(pipe()[0], target, Marked())
    monkeypatch.setattr(output, "copy", lambda: counts.append(BLOCK) or BLOCK)
    output.finish()
    assert sum(counts) == MOST_LEFT
    assert os.read(read, 99) == b"<end>"


def test_all_is_written_to_a_target_that_is_full_now_and_then(pipe: Pipe) -> None:
    """A target that does not block is waited for; nothing is lost or doubled."""
    read, target = pipe()
    os.set_blocking(target, False)
    text = os.urandom(300_000)
    found: list[bytes] = []
    done: list[bool] = []
    writer = threading.Thread(target=lambda: done.append(write_all(target, text)))
    writer.start()
    while sum(map(len, found)) < len(text):
        found.append(os.read(read, 9999))
    writer.join()
    assert (done, b"".join(found)) == ([True], text)


def test_nothing_is_written_where_there_is_nothing(pipe: Pipe) -> None:
    """Writing nothing succeeds, also where nobody reads; writing something there does not."""
    nobody, target = pipe()
    os.close(nobody)
    assert write_all(target, b"") is True
    assert write_all(target, b"x") is False


def given_of(target: int, *, is_terminal: bool, left: list[bool] | None = None) -> Input:
    return Input(target, is_terminal=is_terminal, leave=lambda: (left if left is not None else []).append(True))


@pytest.fixture
def stdin(pipe: Pipe) -> Iterator[int]:
    """The other end of what is standard input here for a while."""
    before = os.dup(0)
    read, write = pipe()
    os.dup2(read, 0)
    yield write
    os.dup2(before, 0)
    os.close(before)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_input_is_kept_until_it_is_taken(stdin: int, pipe: Pipe, is_terminal: bool) -> None:
    """What is read waits, in its order, until it is written."""
    read, target = pipe()
    given = given_of(target, is_terminal=is_terminal)
    for part in (b"one ", b"two"):
        os.write(stdin, part)
        given.read()
    assert given.waiting == b"one two"
    given.write()
    assert (given.waiting, os.read(read, 99), given.is_open) == (b"", b"one two", True)


def test_input_waits_for_who_takes_it_slowly(stdin: int, pipe: Pipe) -> None:
    """A pipe that is full is no end: what did not fit is kept, and what fitted is not written again."""
    read, target = pipe()
    given = given_of(target, is_terminal=False)
    assert not os.get_blocking(target)
    text = os.urandom(200_000)
    given.waiting = text
    given.write()
    size = len(text) - len(given.waiting)
    assert 0 < size < len(text)
    given.write()
    assert (len(given.waiting), given.is_open) == (len(text) - size, True)
    assert os.read(read, size) + given.waiting == text


@pytest.mark.parametrize("is_terminal", [True, False])
def test_end_of_input_closes_what_it_goes_to(stdin: int, pipe: Pipe, is_terminal: bool) -> None:
    """A pipe is closed when the caller's input ends, so that who reads it notices; a terminal stays open."""
    read, target = pipe()
    given = given_of(target, is_terminal=is_terminal)
    os.close(stdin)
    given.read()
    assert (given.is_open, given.waiting) == (False, b"")
    os.set_blocking(read, False)
    if is_terminal:
        with pytest.raises(BlockingIOError):
            os.read(read, 1)
    else:
        assert os.read(read, 1) == b""


@pytest.mark.parametrize("is_terminal", [True, False])
def test_input_that_nobody_takes_is_dropped(stdin: int, pipe: Pipe, is_terminal: bool) -> None:
    """A closed pipe ends the input; at a terminal keys are read on, because they may leave the command."""
    nobody, target = pipe()
    os.close(nobody)
    given = given_of(target, is_terminal=is_terminal)
    given.waiting = b"x"
    given.write()
    assert (given.waiting, given.is_open) == (b"", is_terminal)


@pytest.mark.parametrize(("is_terminal", "is_left"), [(True, True), (False, False)])
def test_three_presses_leave_a_command_at_a_terminal(stdin: int, pipe: Pipe, is_terminal: bool, is_left: bool) -> None:
    """At a terminal they are for us; in a file they are text as any other."""
    left: list[bool] = []
    given = given_of(pipe()[1], is_terminal=is_terminal, left=left)
    os.write(stdin, ESCAPE * 3)
    given.read()
    assert (bool(left), given.waiting) == (is_left, b"" if is_left else ESCAPE * 3)


def test_no_more_is_kept_than_a_bound(stdin: int, pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a paste that nobody takes the beginning is kept."""
    monkeypatch.setattr(copying, "MOST_WAITING", 10)
    given = given_of(pipe()[1], is_terminal=True)
    for part in (b"12345678", b"abcdef"):
        os.write(stdin, part)
        given.read()
    assert given.waiting == b"12345678ab"


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ({}, {0: READ}),
        ({"waiting": b"x"}, {"target": WRITE}),
        ({"is_open": False}, {}),
        ({"is_open": False, "waiting": b"x"}, {}),
        ({"is_terminal": True}, {0: READ}),
        ({"is_terminal": True, "waiting": b"x"}, {0: READ, "target": WRITE}),
        ({"is_terminal": True, "waiting": b"x", "is_open": False}, {}),
    ],
)
def test_only_what_can_go_on_is_watched(
    stdin: int, pipe: Pipe, state: dict[str, Any], wanted: dict[int | str, int]
) -> None:
    """Input is read when nothing waits, or at a terminal in any case, and written when something does."""
    (source, _), (_, target) = pipe(), pipe()
    given = given_of(target, is_terminal=state.pop("is_terminal", False))
    vars(given).update(state)
    output = Output(source, target, Raw())
    with selectors.PollSelector() as selector:
        report = pipe()[0]
        selector.register(report, READ)
        expected = {target if name == "target" else name: events for name, events in wanted.items()}
        for _ in range(2):
            update_selector(selector, [output], given)
            assert events_of(selector) == {**expected, report: READ, source: READ}
        output.is_open = False
        update_selector(selector, [output], None)
        assert events_of(selector) == {report: READ}


def events_of(selector: selectors.PollSelector) -> dict[int, int]:
    return {key.fd: key.events for key in selector.get_map().values()}


def test_a_terminal_that_is_read_and_written_is_watched_for_both(stdin: int) -> None:
    """The end of a terminal is source and target in one, and each direction comes and goes by itself."""
    ours, theirs = os.openpty()
    output, given = Output(ours, 1, Raw()), given_of(ours, is_terminal=True)
    with selectors.PollSelector() as selector:
        seen = []
        for waiting, is_open in ((b"", True), (b"x", True), (b"", True), (b"x", False)):
            given.waiting, output.is_open = waiting, is_open
            update_selector(selector, [output], given)
            seen.append(events_of(selector)[ours])
            assert selector.get_key(ours).data is (output if is_open else given)
    os.close(ours)
    os.close(theirs)
    assert seen == [READ, READ | WRITE, READ, WRITE]


class Spy:
    """Stands for an input, and says what it was asked to do."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.is_open = True

    def read(self) -> None:
        self.calls.append("read")

    def write(self) -> None:
        self.calls.append("write")


@pytest.mark.parametrize(
    ("data", "events", "is_open", "calls"),
    [
        ("input", READ, True, ["read"]),
        ("input", WRITE, True, ["write"]),
        ("input", READ | WRITE, True, ["write"]),
        ("input", 0, True, []),
        ("input", WRITE, False, []),
        ("output", READ, True, ["copy"]),
        ("output", READ | WRITE, True, ["copy", "write"]),
        ("output", WRITE, True, ["write"]),
        ("output", WRITE, False, []),
        ("output", 0, True, []),
    ],
)
def test_each_event_is_served_in_its_direction(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, data: str, events: int, is_open: bool, calls: list[str]
) -> None:
    """What can be read is read or copied, what can be written is written, and nothing else."""
    spy = Spy()
    spy.is_open = is_open
    output = Output(pipe()[0], 1, Raw())
    monkeypatch.setattr(output, "copy", lambda: spy.calls.append("copy"))
    key: Any = SimpleNamespace(data=spy if data == "input" else output)
    handle_event(key, events, spy)  # type: ignore[arg-type]
    assert spy.calls == calls


def test_output_is_served_where_there_is_no_input(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that takes nothing is copied all the same."""
    output, calls = Output(pipe()[0], 1, Raw()), list[str]()
    monkeypatch.setattr(output, "copy", lambda: calls.append("copy"))
    for events in (READ, WRITE):
        handle_event(SimpleNamespace(data=output), events, None)  # type: ignore[arg-type]
    assert calls == ["copy"]


def test_copying_goes_on_until_the_report(stdin: int, pipe: Pipe) -> None:
    """Input and both outputs are copied, what is left too, and the report is returned."""
    (report, reports), (out, their_out), (err, their_err), (their_in, into) = (pipe() for _ in range(4))
    (read_out, target_out), (read_err, target_err) = pipe(), pipe()
    outputs = [Output(out, target_out, Marked()), Output(err, target_err, Marked())]
    told: list[bytes] = []
    given = given_of(into, is_terminal=False)
    thread = threading.Thread(target=lambda: told.append(copy_until(report, outputs, given)))
    thread.start()
    os.write(stdin, b"hello")
    assert os.read(their_in, 99) == b"hello"
    os.write(their_out, b"out")
    assert os.read(read_out, 99) == b"out"
    os.write(their_err, b"err")
    assert os.read(read_err, 99) == b"err"
    os.close(stdin)
    assert os.read(their_in, 99) == b""
    os.write(their_out, b"left")
    os.write(reports, b"7 why")
    thread.join(10)
    assert told == [b"7 why"]
    os.close(target_out)
    os.close(target_err)
    assert b"".join(iter(lambda: os.read(read_out, 99), b"")) == b"left<end>"
    assert b"".join(iter(lambda: os.read(read_err, 99), b"")) == b"<end>"


def test_a_stream_that_has_ended_is_not_looked_at_again(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that closes its output and goes on costs root no time."""
    (report, reports), (source, theirs) = pipe(), pipe()
    os.close(theirs)
    output, counts = Output(source, pipe()[1], Raw()), list[int]()
    real = output.copy
    monkeypatch.setattr(output, "copy", lambda: counts.append(1) or real())
    timer = threading.Timer(0.3, lambda: os.write(reports, b"0 "))
    timer.start()
    assert copy_until(report, [output], None) == b"0 "
    timer.join()
    assert len(counts) == 1


@pytest.mark.parametrize(
    ("parts", "pauses", "is_left"),
    [
        ([ESCAPE * 3], 0.0, True),
        ([ESCAPE * 2], 0.0, False),
        ([ESCAPE, ESCAPE, ESCAPE], 0.0, True),
        ([ESCAPE, ESCAPE, ESCAPE], 0.49, True),
        ([ESCAPE, ESCAPE, ESCAPE], 0.5, False),
        ([ESCAPE * 2, b"x", ESCAPE], 0.0, False),
        ([ESCAPE + b"x" + ESCAPE * 2], 0.0, False),
        ([b"x" + ESCAPE * 3], 0.0, True),
        ([ESCAPE * 3 + b"x"], 0.0, False),
        ([ESCAPE * 4], 0.0, True),
        ([b"", ESCAPE], 0.0, False),
    ],
)
def test_presses_leave_when_there_are_three_in_a_row_within_a_second(
    monkeypatch: pytest.MonkeyPatch, parts: list[bytes], pauses: float, is_left: bool
) -> None:
    """Other keys between them, or a second, begin anew."""
    clock = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    presses, answers = terminal.Presses(), []
    for part in parts:
        answers.append(presses.is_left(part))
        clock[0] += pauses
    assert answers == [False] * (len(parts) - 1) + [is_left]


def test_keys_reach_a_terminal_of_our_own() -> None:
    """What is typed while a command reads its terminal arrives there, byte by byte as it was."""

    def work() -> str:
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        read, write = os.pipe()
        os.dup2(read, 0)
        given = given_of(ours, is_terminal=True)
        os.write(write, b"\x03\xff")
        given.read()
        given.write()
        time.sleep(0.01)
        return os.read(theirs, 9).hex()

    assert in_child(work) == "03ff"

"""Copying input and output between the caller and the site's process while it runs."""

from __future__ import annotations

import os
import select
import selectors
from collections.abc import Callable
from contextlib import suppress

from wagtail_multihost.launch.letters import Filter
from wagtail_multihost.launch.terminal import Presses

BLOCK = 1 << 16
#: The most that is read from a stream once everything has ended: more than a pipe holds.
MOST_LEFT = 1 << 20
#: The most that is kept of what is typed at a command that reads nothing.
MOST_WAITING = 1 << 20


class Output:
    """A stream that is copied from ``source`` to the caller's ``target``; nothing of it is stored."""

    def __init__(self, source: int, target: int, letters: Filter) -> None:
        self.source, self.target, self.letters = source, target, letters
        self.is_open = True
        os.set_blocking(source, False)

    def copy(self) -> int:
        """Copy what is available; return how much, 0 where nothing is available now or the stream has ended."""
        try:
            data = os.read(self.source, BLOCK)
        except BlockingIOError:
            return 0
        except OSError:  # a terminal that no process has open any more
            data = b""
        if not data:
            self.is_open = False
        elif not write_all(self.target, self.letters.feed(data)):
            self.refuse()
        return len(data)

    def refuse(self) -> None:
        """Close a pipe whose output is no longer read, so that the writer notices and does not wait forever."""
        self.is_open = False
        if not os.isatty(self.source):
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, self.source)  # so that its number stays its owner's
            os.close(nothing)

    def finish(self) -> None:
        """Copy what is left when all processes that could write have ended."""
        total = 0
        while self.is_open and total < MOST_LEFT and (count := self.copy()):
            total += count
        write_all(self.target, self.letters.end())


class Input:
    """
    The caller's input, for ``target``. It is read no faster than the command takes it. A terminal is always read,
    because the keys that leave a command must be noticed even if the command reads nothing.
    """

    def __init__(self, target: int, *, is_terminal: bool, leave: Callable[[], None]) -> None:
        self.target, self.is_terminal, self.leave = target, is_terminal, leave
        self.waiting = b""
        self.is_open = True
        self.presses = Presses()
        os.set_blocking(target, False)

    def read(self) -> None:
        data = b""
        with suppress(OSError):
            data = os.read(0, BLOCK)
        if not data:
            self.close()
        elif self.is_terminal and self.presses.is_left(data):
            self.leave()
        else:
            self.waiting = (self.waiting + data)[:MOST_WAITING]

    def write(self) -> None:
        try:
            self.waiting = self.waiting[os.write(self.target, self.waiting) :]
        except BlockingIOError:
            pass
        except OSError:  # nothing reads it any more
            self.waiting = b""
            if not self.is_terminal:
                self.close()

    def close(self) -> None:
        self.is_open = False
        self.waiting = b""
        if not self.is_terminal:
            os.close(self.target)


def write_all(target: int, data: bytes) -> bool:
    """Write all of ``data``; return False where the reader has gone."""
    while data:
        try:
            data = data[os.write(target, data) :]
        except BlockingIOError:
            select.select([], [target], [])
        except OSError:
            return False
    return True


def copy_until(report: int, outputs: list[Output], given: Input | None) -> bytes:
    """Copy until the guard reports, when all processes that could write have ended; return its report."""
    with selectors.PollSelector() as selector:
        selector.register(report, selectors.EVENT_READ)
        while True:
            update_selector(selector, outputs, given)
            for key, events in selector.select():
                if key.fd == report:
                    for output in outputs:
                        output.finish()
                    return os.read(report, BLOCK)
                handle_event(key, events, given)


def update_selector(selector: selectors.PollSelector, outputs: list[Output], given: Input | None) -> None:
    """Make the selector watch the streams that can be read or written now."""
    wanted: dict[int, tuple[int, Output | Input]] = {
        output.source: (selectors.EVENT_READ, output) for output in outputs if output.is_open
    }
    if given and given.is_open and (given.is_terminal or not given.waiting):
        wanted[0] = (selectors.EVENT_READ, given)
    if given and given.is_open and given.waiting:
        events, known = wanted.get(given.target, (0, given))
        wanted[given.target] = (events | selectors.EVENT_WRITE, known)
    present = {key.fd: key for key in selector.get_map().values() if key.data is not None}
    for descriptor in present.keys() - wanted.keys():
        selector.unregister(descriptor)
    for descriptor, (events, data) in wanted.items():
        if descriptor not in present:
            selector.register(descriptor, events, data)
        elif present[descriptor].events != events:
            selector.modify(descriptor, events, data)


def handle_event(key: selectors.SelectorKey, events: int, given: Input | None) -> None:
    if isinstance(key.data, Output) and events & selectors.EVENT_READ:
        key.data.copy()
    if given and given.is_open and events & selectors.EVENT_WRITE:
        given.write()
    elif key.data is given and given and events & selectors.EVENT_READ:
        given.read()

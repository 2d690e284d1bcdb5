"""Ending in good order when the process is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], Any]


class Stopped(BaseException):
    """A signal told the process to stop. It is no Exception, so that nothing on the way takes it for a failure."""


@contextmanager
def handle_signals(handler: Handler) -> Iterator[None]:
    """Let ``handler`` have the signals. It is Python's, so a program that is started does not inherit it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Who started it with nohup wants it to go on.
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)


@contextmanager
def defer_signals() -> Iterator[None]:
    """Let signals wait until the block is left, where the first of them is as if it came then."""
    waiting: list[int] = []
    with handle_signals(lambda number, frame: waiting.append(number)):
        yield
    for number in waiting[:1]:
        signal.raise_signal(number)


def raise_stopped(number: int, frame: FrameType | None) -> None:
    raise Stopped(signal.Signals(number).name)


def ignore_signal(number: int, frame: FrameType | None) -> None:
    """Go on: what is being done ends soon, and half of it would be worse."""

"""Stopping cleanly when the process gets a signal."""

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
    """A signal told the process to stop. Not an Exception, so that no handler on the way mistakes it for a failure."""


@contextmanager
def handle_signals(handler: Handler) -> Iterator[None]:
    """Handle the signals with ``handler``, a Python function, which programs that are started do not inherit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Started with nohup, the process is meant to go on.
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)


@contextmanager
def defer_signals() -> Iterator[None]:
    """Hold signals back until the block is left; then the first of them is raised again."""
    waiting: list[int] = []
    with handle_signals(lambda number, frame: waiting.append(number)):
        yield
    for number in waiting[:1]:
        signal.raise_signal(number)


def raise_stopped(number: int, frame: FrameType | None) -> None:
    raise Stopped(signal.Signals(number).name)


def ignore_signal(number: int, frame: FrameType | None) -> None:
    """Go on: the work at hand ends soon, and half of it would be worse."""

"""Ctrl-C, SIGTERM and a closed terminal end a run with one line, whatever it is doing."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
SOON = 0.01  # seconds


def handle_signals() -> None:
    """Turn the first signal into a KeyboardInterrupt, and ignore the others: cleaning up takes a moment."""
    for number in (*SIGNALS, signal.SIGALRM):
        signal.signal(number, interrupt)
    sys.unraisablehook = interrupt_again
    # The program before this one held them until somebody would handle them.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def interrupt(number: int, frame: object) -> NoReturn:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def interrupt_again(lost: "sys.UnraisableHookArgs") -> None:
    """Raise a KeyboardInterrupt again that Python dropped, as it does in callbacks such as those of its imports."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, SOON)
    else:
        sys.__unraisablehook__(lost)


@contextlib.contextmanager
def held_signals() -> Iterator[None]:
    """Let signals wait: neither is a new process forgotten, nor does it see one before it has its own handlers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def become(command: list[str], environ: dict[str, str]) -> NoReturn:
    """Become ``command``; a signal that comes meanwhile waits for its ``handle_signals``."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.execve(command[0], command, environ)  # noqa: S606 - no shell is wanted

"""Ctrl-C, SIGTERM and a closed terminal end a run with one line, whatever it is doing."""

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import NoReturn

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def handle_signals() -> None:
    """Turn the first signal into a KeyboardInterrupt, and ignore the others: cleaning up takes a moment."""
    for number in SIGNALS:
        signal.signal(number, interrupt)
    # The program before this one held them until somebody would handle them.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def interrupt(number: int, frame: object) -> NoReturn:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


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

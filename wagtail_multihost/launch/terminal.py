"""The caller's terminal, and the one that is made for the site's process."""

from __future__ import annotations

import fcntl
import os
import signal
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from wagtail_multihost.launch.account import Account

ESCAPE = b"\x1d"  # Ctrl-]
PRESSES, WITHIN = 3, 1.0


def has_terminal() -> bool:
    """Return whether input and output are a terminal, in whose foreground this process is."""
    return os.isatty(0) and os.isatty(1) and not is_in_background(0)


def is_in_foreground(descriptor: int) -> bool:
    """Return whether this process may read from the terminal without being stopped."""
    with suppress(OSError):
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    return False


def is_in_background(descriptor: int) -> bool:
    """Return whether this process would be stopped if it changed the terminal's modes, as after ``&``."""
    with suppress(OSError):
        return os.tcgetpgrp(descriptor) != os.getpgrp()
    return False


def new_terminal(account: Account) -> tuple[int, int]:
    """Return both ends of a new terminal, with the size of the caller's; the second belongs to the account."""
    ours, theirs = os.openpty()
    os.fchown(theirs, account.uid, -1)
    os.fchmod(theirs, 0o600)
    os.set_blocking(ours, False)
    copy_size(ours)
    return ours, theirs


def copy_size(ours: int) -> None:
    with suppress(OSError):
        fcntl.ioctl(ours, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))


@contextmanager
def raw_mode(ours: int) -> Iterator[None]:
    """Pass all keys on unchanged, and the size when it changes; the terminal's modes are always restored."""

    def resize(signum: int, frame: FrameType | None) -> None:
        copy_size(ours)

    before = termios.tcgetattr(0)
    handler = signal.signal(signal.SIGWINCH, resize)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSAFLUSH, before)
        signal.signal(signal.SIGWINCH, handler)


class Presses:
    """Notices the keys with which the caller leaves a site's process that does not respond."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def is_left(self, data: bytes) -> bool:
        now = time.monotonic()
        for letter in range(len(data)):
            is_press = data[letter : letter + 1] == ESCAPE
            self.times = [*self.times, now] if is_press else []
        self.times = [pressed for pressed in self.times if now - pressed < WITHIN]
        return len(self.times) >= PRESSES

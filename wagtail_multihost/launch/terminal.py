"""The caller's terminal, and one that is made for the site's process."""

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
    """Return whether this process is used at a terminal, by its input and its output, and would not be stopped."""
    return os.isatty(0) and os.isatty(1) and not is_in_background(0)


def is_in_foreground(descriptor: int) -> bool:
    """Return whether this process may read from the terminal, and would not be stopped."""
    with suppress(OSError):
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    return False


def is_in_background(descriptor: int) -> bool:
    """Return whether this process would be stopped when it changes the terminal's modes, as after ``&``."""
    with suppress(OSError):
        return os.tcgetpgrp(descriptor) != os.getpgrp()
    return False


def new_terminal(account: Account) -> tuple[int, int]:
    """Return both ends of a new terminal, with the size of the caller's; the latter is the account's."""
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
    """Pass all keys on as they are, and the size when it changes; the terminal's modes come back in any case."""

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
    """Notices the keys that leave a site's process which leaves the terminal to nobody."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def is_left(self, data: bytes) -> bool:
        now = time.monotonic()
        for letter in range(len(data)):
            is_press = data[letter : letter + 1] == ESCAPE
            self.times = [*self.times, now] if is_press else []
        self.times = [pressed for pressed in self.times if now - pressed < WITHIN]
        return len(self.times) >= PRESSES

"""The caller's terminal, and the one that is made for a site's process."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import termios
import time
from collections.abc import Callable

import pytest

from tests.accounts import needs_root
from tests.launch.child import in_child
from wagtail_multihost.launch.account import Account
from wagtail_multihost.launch.terminal import (
    copy_size,
    has_terminal,
    is_in_background,
    is_in_foreground,
    new_terminal,
    raw_mode,
)

ACCOUNT = Account("games", 5, 60)


def at_terminal(work: Callable[[int], object]) -> object:
    """Return what ``work`` returns in a session whose terminal is the standard streams; it gets the other end."""

    def at() -> object:
        os.setsid()
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        for number in range(3):
            os.dup2(theirs, number)
        return work(ours)

    return in_child(at)


def in_background(ask: Callable[[], object]) -> object:
    """Return what ``ask`` returns in another group of processes than the terminal's."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        os.write(write, bytes([bool(ask())]))
        os._exit(0)
    os.waitpid(child, 0)
    return bool(os.read(read, 1)[0])


def size_of(descriptor: int) -> list[int]:
    return list(struct.unpack("HHHH", fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))))


def test_process_at_a_terminal_has_it_while_it_is_in_front() -> None:
    """In the background it would be stopped, so it counts as one without."""

    def work(ours: int) -> object:
        asked = (has_terminal, lambda: is_in_foreground(0), lambda: is_in_background(0))
        return [[ask() for ask in asked], [in_background(ask) for ask in asked]]

    assert at_terminal(work) == [[True, True, False], [False, False, True]]


@pytest.mark.parametrize("elsewhere", [0, 1])
def test_process_whose_input_or_output_is_elsewhere_has_no_terminal(elsewhere: int) -> None:
    """It must have both; where the errors go is all the same."""

    def work(ours: int) -> object:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 2)
        before = has_terminal()
        os.dup2(nothing, elsewhere)
        return [before, has_terminal()]

    assert at_terminal(work) == [True, False]


def test_descriptor_that_is_no_terminal_is_neither_in_front_nor_behind() -> None:
    """Nothing is stopped there."""
    read, write = os.pipe()
    assert (is_in_foreground(read), is_in_background(read)) == (False, False)
    os.close(read)
    os.close(write)


@needs_root
def test_new_terminal_is_the_accounts_alone() -> None:
    """Its owner is the account, its group is left, nobody else may write to it, and our end does not block."""

    def work(ours: int) -> object:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 5, 6))
        first, second = new_terminal(ACCOUNT)
        found = os.fstat(second)
        group = os.fstat(os.openpty()[1]).st_gid
        return [found.st_uid, found.st_gid == group, found.st_mode & 0o777, os.get_blocking(first), size_of(second)]

    assert at_terminal(work) == [5, True, 0o600, False, [33, 99, 5, 6]]


def test_size_is_left_where_the_caller_has_no_terminal() -> None:
    """A caller without one is no error."""

    def work() -> object:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        ours, _ = os.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 1, 2, 3, 4))
        copy_size(ours)
        return size_of(ours)

    assert in_child(work) == [1, 2, 3, 4]


@pytest.mark.parametrize("fails", [True, False])
def test_terminal_is_raw_for_a_while(fails: bool) -> None:
    """Keys go on as they are and nothing is echoed; its modes and the handler come back whatever happens."""

    def work(ours: int) -> object:
        inner, _ = os.openpty()
        handler = signal.getsignal(signal.SIGWINCH)
        before = termios.tcgetattr(0)
        try:
            with raw_mode(inner):
                during = termios.tcgetattr(0)
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
                os.kill(os.getpid(), signal.SIGWINCH)
                time.sleep(0.05)
                size = size_of(inner)
                os.write(ours, b"typed ahead\r")
                time.sleep(0.05)
                if fails:
                    raise ValueError
        except ValueError:
            pass
        after = termios.tcgetattr(0)
        left = int.from_bytes(fcntl.ioctl(0, termios.FIONREAD, bytes(4)), "little")
        flags = [before[3] & termios.ECHO != 0, during[3] & (termios.ECHO | termios.ICANON | termios.ISIG)]
        return [flags, size, after[:4] == before[:4], signal.getsignal(signal.SIGWINCH) == handler, left]

    assert at_terminal(work) == [[True, 0], [40, 80, 0, 0], True, True, 0]

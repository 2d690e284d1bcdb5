"""Stopping when told to: what was begun is finished or undone, and a wait ends at once."""

from __future__ import annotations

import os
import select
import signal
import socket
from contextlib import suppress
from types import FrameType

from wagtail_multihost.emitters.apply.signals import SIGNALS

MOST_SIGNALS = 4096


def open_stop_descriptor(*others: signal.Signals) -> int:
    """
    Return a descriptor that can be read once a signal to stop has come, or one of the ``others``, also while an apply
    has handlers of its own (https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd).
    """
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    reader, writer = (one.detach() for one in pair)

    def note(number: int, frame: FrameType | None) -> None:
        """Let Python write to the descriptor, and go on."""

    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (*SIGNALS, *others):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)
    return reader


def can_be_read(descriptor: int, seconds: float = 0) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])


def look_at_signals(descriptor: int) -> bytes:
    """Return the numbers of the signals that have come, which stay there."""
    opened = socket.socket(fileno=descriptor)
    try:
        return opened.recv(MOST_SIGNALS, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""
    finally:
        opened.detach()


def is_told_to_stop(descriptor: int) -> bool:
    """Return whether one of the signals to stop has come."""
    return any(number in SIGNALS for number in look_at_signals(descriptor))


def take_signals(descriptor: int, number: signal.Signals) -> bool:
    """Take the signals of this number that came before any other; return whether there were any."""
    found = look_at_signals(descriptor)
    count = len(found) - len(found.lstrip(bytes([number])))
    return bool(count and os.read(descriptor, count))


def forget_signals(descriptor: int) -> None:
    """Read what has come, so that only a further signal can be read."""
    with suppress(BlockingIOError):
        os.read(descriptor, MOST_SIGNALS)

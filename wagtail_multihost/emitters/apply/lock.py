"""One run at a time in an output folder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wagtail_multihost.emitters.apply.place import Place
from wagtail_multihost.exceptions import EmitError

POLL_SECONDS = 0.05
#: Of the number of a process.
MOST_DIGITS = 20


@contextmanager
def locked(place: Place, timeout: float, is_served: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """
    Keep other runs out, once they are done; go on without the lock as soon as ``is_served`` says so.

    Raises EmitError when it takes longer than ``timeout`` seconds.
    """
    try:
        descriptor = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmitError(f"Cannot lock {place.lock}: {error.strerror}.") from None
    try:
        wait(descriptor, place, time.monotonic() + timeout, timeout, is_served)
        yield
    finally:
        os.close(descriptor)


def wait(descriptor: int, place: Place, deadline: float, timeout: float, is_served: Callable[[], bool]) -> None:
    while not is_served():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, MOST_DIGITS, 0).decode() or "unknown"
                raise EmitError(
                    f"Another run (process {holder}) has held {place.lock} for {timeout:g} seconds or more; "
                    "nothing was changed. --lock-timeout waits longer."
                ) from None
            time.sleep(POLL_SECONDS)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return

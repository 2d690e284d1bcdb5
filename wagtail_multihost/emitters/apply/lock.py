"""The lock that allows one run at a time in an output folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from wagtail_multihost.emitters.apply.output_folder import OutputFolder
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.files.locking import lock

#: Of a process id.
MOST_DIGITS = 20


@contextmanager
def hold_lock(
    output: OutputFolder, timeout: float, is_served: Callable[[], bool] = lambda: False, *, quietly: bool = False
) -> Iterator[Callable[[], None]]:
    """
    Wait for other runs, then keep them out; go on without the lock as soon as ``is_served`` returns true. The lock
    file names the process that holds it; with ``quietly`` only once the yielded function is called, so that a run
    that changes nothing leaves the file untouched.

    Raises EmitError when that takes longer than ``timeout`` seconds.
    """
    try:
        descriptor = os.open(output.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmitError(f"Cannot lock {output.lock}: {error.strerror}.") from None
    try:
        if has_lock := lock(descriptor, time.monotonic() + timeout, is_served):
            (clear if quietly else sign)(descriptor)
    except BlockingIOError:
        holder = os.pread(descriptor, MOST_DIGITS, 0).decode() or "unknown"
        os.close(descriptor)
        raise EmitError(
            f"Another run (process {holder}) has held {output.lock} for {timeout:g} seconds or more; nothing was "
            "changed. To wait longer, give --lock-timeout."
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    try:
        yield partial(sign, descriptor)
    finally:
        try:
            if has_lock:
                clear(descriptor)
        finally:
            os.close(descriptor)


def sign(descriptor: int) -> None:
    """Write into the lock file which process holds it."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def clear(descriptor: int) -> None:
    """Empty the lock file if it names a process, such as one that was killed."""
    if os.fstat(descriptor).st_size:
        os.ftruncate(descriptor, 0)

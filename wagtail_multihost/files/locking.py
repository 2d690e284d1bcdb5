"""Locks that are advisory, on a folder or a file that another run of ours uses too."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

LOCK_SECONDS = 10
POLL_SECONDS = 0.05


def lock(descriptor: int, deadline: float, is_needless: Callable[[], bool] = lambda: False) -> bool:
    """
    Lock an open folder or file, and return True; False, without the lock, as soon as it ``is_needless``. Raises
    BlockingIOError when another process has it until ``deadline``, monotonic seconds.
    """
    while not is_needless():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return True
    return False


def lock_file(path: Path, deadline: float) -> int:
    """
    Return a descriptor that has the lock of the file that is at ``path`` now, which each run replaces by a rename.
    Raises OSError.
    """
    while True:
        descriptor = open_for_lock(path)
        try:
            lock(descriptor, deadline)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the run before has replaced it, and the next one locks the new one


def open_for_lock(path: Path) -> int:
    # NFS locks for one alone what is open for writing (flock(2)); a pipe must not be waited for.
    flags = os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | flags)
    except PermissionError:
        return os.open(path, os.O_RDONLY | flags)

"""Advisory locks on folders and files that other runs of this package use too."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_SECONDS = 10
POLL_SECONDS = 0.05


def lock(descriptor: int, deadline: float, is_needless: Callable[[], bool] = lambda: False) -> bool:
    """
    Lock an open folder or file and return True; return False, without the lock, as soon as ``is_needless`` does not
    want it any more. Raises BlockingIOError if another process still has it at ``deadline`` (monotonic seconds).
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


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Keep other processes that lock a folder out of it; raises OSError, also where one of them stays too long."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lock(descriptor, time.monotonic() + LOCK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def lock_file(path: Path, deadline: float) -> int:
    """
    Lock the file that is at ``path`` now, which each run replaces by a rename, and return its descriptor. Raises
    OSError.
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
        os.close(descriptor)  # the previous run has replaced it: lock the new file


def open_for_lock(path: Path) -> int:
    # On NFS only a file that is open for writing can be locked exclusively (flock(2)). Do not wait on a pipe.
    flags = os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | flags)
    except PermissionError:
        return os.open(path, os.O_RDONLY | flags)

"""Locks that are advisory, on a folder or a file that another run of ours uses too."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError

LOCK_SECONDS = 10


def lock(descriptor: int, deadline: float) -> None:
    """
    Lock an open folder or file; raises BlockingIOError when another process has it until ``deadline``, monotonic
    seconds.
    """
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """
    Keep other runs away from a file that each of them replaces by a rename. Raises ConfigurationError when it cannot be
    locked.
    """
    try:
        descriptor = locked(path.resolve(), time.monotonic() + LOCK_SECONDS)
    except BlockingIOError:
        message = "Another run, or another process, holds the file's lock. Nothing was written; try again."
        raise ConfigurationError.because(message, where=str(path)) from None
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be locked: {error.strerror}.", where=str(path)) from None
    try:
        yield
    finally:
        os.close(descriptor)


def locked(path: Path, deadline: float) -> int:
    """Return a descriptor that has the lock of the file that is at ``path`` now."""
    while True:
        descriptor = opened(path)
        try:
            lock(descriptor, deadline)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the run before has replaced it, and the next one locks the new one


def opened(path: Path) -> int:
    # NFS locks for one alone what is open for writing (flock(2)); a pipe must not be waited for.
    flags = os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | flags)
    except PermissionError:
        return os.open(path, os.O_RDONLY | flags)

"""Reading a path where somebody may have put a link, a pipe or a folder instead of a file."""

from __future__ import annotations

import os
import stat

#: How a folder is opened that may have been put there by somebody else.
OPENED_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def read_no_follow(path: str | os.PathLike[str]) -> tuple[bytes, os.stat_result]:
    """Return the content (empty unless it is a regular file) and the status of a file; a link raises OSError."""
    # Not blocking: a pipe must not stop the process.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        chunks = []
        while stat.S_ISREG(status.st_mode) and (chunk := os.read(descriptor, 1 << 20)):
            chunks.append(chunk)
        return b"".join(chunks), status
    finally:
        os.close(descriptor)


def read_bounded(path: str | os.PathLike[str], most: int) -> bytes:
    """Return the contents of a regular file, no link, of at most so many bytes; raises OSError and ValueError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("It is no regular file.")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise ValueError("It is too large.")
    return data


def read_below(folder: str | os.PathLike[str], *names: str, most: int) -> bytes | None:
    """
    Return the content of a file that somebody hostile may have put below ``folder``, which is not theirs: at the
    ``names`` alone, without following any link, without waiting, and no more than ``most`` bytes. None if it is no such
    file, or longer. Raises OSError where there is none.
    """
    *folders, name = names
    around = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for inner in folders:
            deeper = os.open(inner, OPENED_FOLDER, dir_fd=around)
            os.close(around)
            around = deeper
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=around)
    finally:
        os.close(around)
    try:
        status = os.fstat(descriptor)
        # A second name of a file may be that of somebody else's.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or status.st_size > most:
            return None
        data = bytearray()
        while len(data) <= most and (chunk := os.read(descriptor, most + 1 - len(data))):
            data += chunk
        return bytes(data) if len(data) <= most else None
    finally:
        os.close(descriptor)


#: What of a file is another one whenever it was written, replaced, or given other rights.
Mark = tuple[int, ...]


def mark_of(path: str | os.PathLike[str], *, follows: bool = False) -> Mark | None:
    """Return the mark of what is at a path, or of what a link there leads to; None if it cannot be looked at."""
    try:
        status = os.stat(path, follow_symlinks=follows)
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def has_mode_and_owner(status: os.stat_result, mode: int, owner: tuple[int, int] | None) -> bool:
    """Return whether a file has this ``mode`` and ``owner`` (uid, gid); None accepts any owner."""
    return stat.S_IMODE(status.st_mode) == mode and owner in (None, (status.st_uid, status.st_gid))

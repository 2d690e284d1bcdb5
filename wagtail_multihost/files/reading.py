"""Reading a path where somebody may have put a link, a pipe or a folder instead of a file."""

from __future__ import annotations

import os
import stat


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

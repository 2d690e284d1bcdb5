"""
Write a set of files durably: all drafts are on disk before the first one is renamed into place. A failure before that
changes nothing; after it every file is complete, either old or new.

Every error is an OSError whose ``filename`` is the path of the file concerned.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

#: The name of a draft. Neither nginx's includes nor uWSGI's emperor take one that ends in .tmp.
DRAFT = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")
# Above this, one sync(2) of everything is faster: on ext4 10,000 files take 0.1 s instead of 4 s. On Linux it returns
# when everything is written.
MOST_SINGLE_SYNCS = 100
PRIVATE = 0o600


class NewFile(NamedTuple):
    """A file to write: its ``path``, ``data``, ``mode``, and the ``owner`` (uid, gid) that it is given, if any."""

    path: str
    data: bytes
    mode: int = PRIVATE
    owner: tuple[int, int] | None = None

    def __repr__(self) -> str:
        # The data may be secrets, and error pages show the variables of every frame.
        return f"NewFile({self.path})"


def write_files(files: Iterable[NewFile], removed: Collection[str] = ()) -> None:
    """Write ``files``, and then remove those at the paths ``removed``. Raises OSError."""
    drafts = write_drafts(files)
    try:
        place_drafts(drafts, removed)
    except BaseException:
        remove_files(drafts.values())
        raise


def write_drafts(files: Iterable[NewFile]) -> dict[str, str]:
    """Write a draft of each file, synced to disk, and return them by final path. Raises OSError, leaving no draft."""
    drafts: dict[str, str] = {}
    try:
        for file in files:
            with name_in_errors(file.path):
                drafts[file.path] = draft_path(file.path)
                create_file(drafts[file.path], file)
                make_newer(drafts[file.path], file.path)
        sync_paths(drafts.values())
    except BaseException:
        remove_files(drafts.values())
        raise
    return drafts


def place_drafts(drafts: Mapping[str, str], removed: Collection[str] = ()) -> None:
    """Rename each draft into place, then remove files; all of it is on disk afterwards. Raises OSError."""
    for path, name in drafts.items():
        with name_in_errors(path):
            os.replace(name, path)
    for path in removed:
        os.unlink(path)
    sync_paths({os.path.dirname(path) or "." for path in (*drafts, *removed)})


def draft_path(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{os.urandom(4).hex()}.tmp")


def create_file(path: str, file: NewFile, folder: int | None = None) -> None:
    """Create ``path`` as ``file`` says; ``folder`` is a descriptor that ``path`` is relative to. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, PRIVATE, dir_fd=folder)
    with open(descriptor, "wb") as stream:
        stream.write(file.data)
        stream.flush()
        if file.owner is not None:
            os.fchown(descriptor, *file.owner)
        os.fchmod(descriptor, file.mode)


def make_newer(path: str, replaced: str) -> None:
    """
    Make the file at ``path`` newer, in whole seconds, than the one that it replaces.

    uWSGI's emperor compares whole seconds and ignores a file that is not newer (core/emperor.c).
    """
    try:
        least = modified_seconds(replaced) + 1
    except FileNotFoundError:
        return
    if least > modified_seconds(path):
        os.utime(path, (least, least), follow_symlinks=False)


def touch_file(path: str) -> None:
    """Give a file the time of now, or of a second after its own: in whole seconds it is newer than it was."""
    before = modified_seconds(path)
    os.utime(path, follow_symlinks=False)
    if modified_seconds(path) <= before:
        os.utime(path, (before + 1, before + 1), follow_symlinks=False)


def modified_seconds(path: str) -> int:
    """Return a file's time of modification in whole seconds."""
    return os.lstat(path).st_mtime_ns // 10**9


def sync_paths(paths: Collection[str]) -> None:
    """
    Sync files, and the names in folders, to disk: a file that is renamed before that may be empty after a power cut.
    """
    if len(paths) > MOST_SINGLE_SYNCS:
        os.sync()
        return
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except PermissionError:  # a folder that may be written to but not listed cannot be opened
            os.sync()
            return
        try:
            with name_in_errors(path):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_files(paths: Iterable[str]) -> None:
    """Remove those of ``paths`` that exist and can be removed."""
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


def remove_drafts(folder: str | os.PathLike[str]) -> None:
    """Remove the drafts that killed runs have left in ``folder``; the caller keeps other runs out of it."""
    with suppress(FileNotFoundError):
        remove_files(os.path.join(folder, name) for name in os.listdir(folder) if DRAFT.fullmatch(name))


@contextmanager
def name_in_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put ``path`` into an OSError: errors on an open file, such as a full disk, do not name it."""
    try:
        yield
    except OSError as error:
        error.filename = os.fspath(path)
        raise

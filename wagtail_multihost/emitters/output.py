"""Comparing emitted files with a folder, and writing those that differ."""

from __future__ import annotations

import difflib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath

from wagtail_multihost.emitters.files import OWNERSHIP_LINE, EmittedFile
from wagtail_multihost.exceptions import EmitError

FOLDER_MODE = 0o755


class State(Enum):
    """How a file in the output folder compares with what should be there."""

    SAME = "unchanged"
    NEW = "created"
    CHANGED = "updated"
    STALE = "removed"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Change:
    """One file: its ``path`` below the folder, ``state``, the ``old`` text and the ``new`` file, if any."""

    path: PurePosixPath
    state: State
    old: str = ""
    new: EmittedFile | None = None


def compare(folder: Path, files: Iterable[EmittedFile]) -> Iterator[Change]:
    """Yield a change for every file; raises EmitError when a file in ``folder`` cannot be read."""
    for file in files:
        path = folder / file.path
        old, mode = read(path)
        if old is None:
            state = State.NEW if mode is None else State.FOREIGN
        elif not is_own(old):
            state = State.FOREIGN
        else:
            state = State.SAME if old == file.text and mode == file.mode else State.CHANGED
        yield Change(file.path, state, old or "", file)


def read(path: Path) -> tuple[str | None, int | None]:
    """Return the text and mode of a file; None and its mode when it is no regular UTF-8 file, twice None if missing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        if path.is_symlink() or path.is_dir():
            return None, 0
        raise EmitError(f"Cannot read {path}: {error.strerror}.") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        return None, 0
    with open(descriptor, "rb") as file:
        try:
            return file.read().decode(), stat.S_IMODE(mode)
        except UnicodeDecodeError:
            return None, stat.S_IMODE(mode)


def is_own(text: str) -> bool:
    return text.startswith(OWNERSHIP_LINE)


def stale(folder: Path, subfolders: Iterable[str], emitted: frozenset[PurePosixPath]) -> Iterator[Change]:
    """Yield a change for every file of ours in ``subfolders`` that is not among the ``emitted`` paths."""
    for subfolder in subfolders:
        try:
            names = sorted(os.listdir(folder / subfolder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            path = PurePosixPath(subfolder, name)
            if path in emitted:
                continue
            old, _ = read(folder / path)
            if old is not None and is_own(old):
                yield Change(path, State.STALE, old)


def write(folder: Path, change: Change) -> None:
    """Bring one file to its new state, by a rename; raises EmitError, with the old file still there, if it cannot."""
    path = folder / change.path
    try:
        if change.new is None:
            path.unlink()
        else:
            path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            replace(path, change.new)
    except OSError as error:
        raise EmitError(f"Cannot write {path}: {error.strerror}.") from None


def replace(path: Path, file: EmittedFile) -> None:
    # Neither nginx's includes nor uWSGI's emperor take a name that ends in .tmp.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.text.encode())
            os.fchmod(descriptor, file.mode)
            stream.flush()
            os.fsync(descriptor)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def diff(change: Change) -> str:
    """Return the change as a unified diff."""
    new = change.new.text if change.new else ""
    lines = difflib.unified_diff(
        change.old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        f"a/{change.path}" if change.old else "/dev/null",
        f"b/{change.path}" if change.new else "/dev/null",
    )
    return "".join(lines)

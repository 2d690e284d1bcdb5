"""Comparing emitted files with a folder, and writing those that differ."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from wagtail_multihost.emitters.files import EmittedFile, rendered
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.files import writing as files
from wagtail_multihost.files.reading import has_mode_and_owner
from wagtail_multihost.files.reading import read_no_follow as read_file
from wagtail_multihost.files.writing import NewFile, name_in_errors, remove_files
from wagtail_multihost.spec.permissions import ROOT

FOLDER_MODE = 0o755


class State(Enum):
    """How a file in the output folder compares with what should be there."""

    SAME = "unchanged"
    NEW = "created"
    CHANGED = "updated"
    STALE = "removed"
    FOREIGN = "foreign"
    EDITED = "edited by hand"


#: Says whether this package wrote the text, which a file at the path below the folder has.
Known = Callable[[str, str], bool]
#: Returns whether a file should have the text; None if there is no file.
Same = Callable[[EmittedFile, str | None], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """One file: its ``path`` below the folder, ``state``, the ``old`` text and the ``new`` file, if any."""

    path: PurePosixPath
    state: State
    old: str = ""
    new: EmittedFile | None = None

    @property
    def word(self) -> str:
        """What becomes of the file."""
        if self.state in (State.FOREIGN, State.EDITED):
            return "replaced" if self.new else "removed"
        return str(self.state.value)


class Found(NamedTuple):
    """What is at a path, if anything ``is_there``: its text if it is a regular UTF-8 file, and its status."""

    is_there: bool = False
    text: str | None = None
    status: os.stat_result | None = None


def has_text(file: EmittedFile, text: str | None) -> bool:
    return file.text == text


def compare(
    folder: Path, files: Iterable[EmittedFile], known: Known = lambda path, text: True, same: Same = has_text
) -> Iterator[Change]:
    """Yield a change for every file; raises EmitError when a file in ``folder`` cannot be read."""
    for file in files:
        old = read(f"{folder}/{file.path}")
        state = state_of(old, file, known, same)
        yield Change(file.path, state, old.text or "", file if state is State.SAME else rendered(file))


def state_of(old: Found, file: EmittedFile, known: Known, same: Same) -> State:
    is_same = same(file, old.text)
    if old.text is None:
        return State.FOREIGN if old.is_there else State.NEW
    if not is_own(old.text):
        return State.FOREIGN
    if not is_same:
        return State.CHANGED if known(str(file.path), old.text) else State.EDITED
    # Whoever owns a file can change it: what root's servers read is root's.
    is_right = old.status is not None and has_mode_and_owner(old.status, file.mode, owner_of(file.group))
    return State.SAME if is_right else State.CHANGED


@cache
def owner_of(group: str) -> tuple[int, int] | None:
    """Return root and the group that a file is given to; None where this process, not being root, gives nothing."""
    if os.geteuid() != ROOT:
        return None
    if not group:
        return ROOT, ROOT
    import grp  # loads only for root

    try:
        return ROOT, grp.getgrnam(group).gr_gid
    except KeyError:
        raise EmitError(f"This machine has no group {group}, which files are for.") from None


def read(path: str) -> Found:
    """Return what is at ``path``, which is never followed when it is a symbolic link."""
    try:
        data, status = read_file(path)
        return Found(True, data.decode() if stat.S_ISREG(status.st_mode) else None, status)
    except FileNotFoundError:
        return Found()
    except UnicodeDecodeError:
        return Found(is_there=True)
    except OSError as error:
        if os.path.islink(path) or os.path.isdir(path):
            return Found(is_there=True)
        raise EmitError(f"Cannot read {path}: {error.strerror}.") from None


def is_own(text: str) -> bool:
    return text.startswith(OWNERSHIP_LINE)


def stale(
    folder: Path,
    subfolders: Iterable[str],
    emitted: Iterable[PurePosixPath],
    known: Known = lambda path, text: True,
) -> Iterator[Change]:
    """
    Yield a change for every file of ours in ``subfolders`` that is not among the ``emitted`` paths. A ``*`` in the
    name of a subfolder stands for any characters.
    """
    kept = {str(path) for path in emitted}
    for subfolder in matching(folder, subfolders):
        try:
            names = sorted(os.listdir(folder / subfolder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        paths = (f"{subfolder}/{name}" for name in names)
        yield from stale_among(folder, (PurePosixPath(path) for path in paths if path not in kept), known)


def stale_among(folder: Path, paths: Iterable[PurePosixPath], known: Known) -> Iterator[Change]:
    """Yield a change for every file of ours among ``paths``, none of which is emitted any more."""
    for path in paths:
        old = read(f"{folder}/{path}").text
        if old is not None and is_own(old):
            yield Change(path, State.STALE if known(str(path), old) else State.EDITED, old)


def matching(folder: Path, subfolders: Iterable[str]) -> Iterator[str]:
    """Yield the names of ``subfolders``; in the place of one with a ``*``, those that there are."""
    for subfolder in subfolders:
        if "*" in subfolder:
            yield from sorted(str(path.relative_to(folder)) for path in folder.glob(subfolder))
        else:
            yield subfolder


def write(folder: Path, *changes: Change) -> None:
    """Bring files to their new states, all or, where one cannot be written, none; raises EmitError."""
    drafts = draft(folder, changes)
    try:
        swap(folder, changes, drafts)
    except BaseException:
        remove_files(drafts.values())
        raise


def draft(folder: Path, changes: Iterable[Change]) -> dict[str, str]:
    """
    Write the new files under other names beside their places, and return these by the places, all on the disk.

    Raises EmitError, and leaves none, when a file cannot be written.
    """
    new = [change.new for change in changes if change.new]
    with reported():
        for parent in dict.fromkeys(file.path.parent for file in new):
            with name_in_errors(folder):
                (folder / parent).mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        return files.write_drafts(new_file(folder, file) for file in new)


def swap(folder: Path, changes: Iterable[Change], drafts: dict[str, str]) -> None:
    """Let each draft take its file's place, then remove what has no new file; raises EmitError when one cannot."""
    with reported():
        files.place_drafts(drafts, [f"{folder}/{change.path}" for change in changes if not change.new])


def new_file(folder: Path, file: EmittedFile) -> NewFile:
    return NewFile(f"{folder}/{file.path}", file.text.encode(), file.mode, owner_of(file.group))


@contextmanager
def reported() -> Iterator[None]:
    """Turn what the file system says into our error."""
    try:
        yield
    except OSError as error:
        raise EmitError(sentence(error)) from None


def sentence(error: OSError) -> str:
    return f"Cannot write {error.filename or 'a file'}: {error.strerror}."


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

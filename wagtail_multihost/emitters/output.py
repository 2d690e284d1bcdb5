"""Comparing emitted files with a folder, and writing those that differ."""

from __future__ import annotations

import difflib
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from wagtail_multihost.emitters.files import EmittedFile
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.spec.permissions import ROOT

FOLDER_MODE = 0o755
DRAFT = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")
# Above it one sync(2) of everything is quicker: on ext4 10,000 files take 0.1 s instead of 4 s. On Linux it returns
# when all is written.
MOST_SINGLE_SYNCS = 100


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
    """What is at a path, if anything ``is_there``: its text if it is a regular UTF-8 file, mode, group and owner."""

    is_there: bool = False
    text: str | None = None
    mode: int | None = None
    gid: int | None = None
    uid: int | None = None


def compare(folder: Path, files: Iterable[EmittedFile], known: Known = lambda path, text: True) -> Iterator[Change]:
    """Yield a change for every file; raises EmitError when a file in ``folder`` cannot be read."""
    for file in files:
        old = read(f"{folder}/{file.path}")
        yield Change(file.path, state_of(old, file, known), old.text or "", file)


def state_of(old: Found, file: EmittedFile, known: Known) -> State:
    if old.text is None:
        return State.FOREIGN if old.is_there else State.NEW
    if not is_own(old.text):
        return State.FOREIGN
    if old.text != file.text:
        return State.CHANGED if known(str(file.path), old.text) else State.EDITED
    gid = gid_of(file.group)
    # Whoever owns a file can change it: what root's servers read is root's.
    is_ours = gid is None or (gid, ROOT) == (old.gid, old.uid)
    return State.SAME if old.mode == file.mode and is_ours else State.CHANGED


@cache
def gid_of(group: str) -> int | None:
    """Return the id of the group that a file is given to; None where this process, not being root, gives nothing."""
    if os.geteuid() != ROOT:
        return None
    if not group:
        return ROOT
    import grp  # loads only for root

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise EmitError(f"This machine has no group {group}, which files are for.") from None


def read(path: str) -> Found:
    """Return what is at ``path``, which is never followed when it is a symbolic link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return Found()
    except OSError as error:
        if os.path.islink(path) or os.path.isdir(path):
            return Found(is_there=True)
        raise EmitError(f"Cannot read {path}: {error.strerror}.") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return Found(is_there=True)
    with open(descriptor, "rb") as file:
        try:
            return Found(True, file.read().decode(), stat.S_IMODE(status.st_mode), status.st_gid, status.st_uid)
        except UnicodeDecodeError:
            return Found(is_there=True)


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
    """
    Bring files to their new states. All drafts are on the disk before the first one takes its file's place
    by a rename: what fails until then changes nothing, and after it every file is whole, old or new.

    Raises EmitError when a file cannot be written or removed.
    """
    drafts = draft(folder, changes)
    try:
        swap(folder, changes, drafts)
    except BaseException:
        remove(drafts.values())
        raise


def draft(folder: Path, changes: Iterable[Change]) -> dict[str, str]:
    """
    Write the new files under other names beside their places, and return these by the places, all on the disk.

    Raises EmitError, and leaves none, when a file cannot be written.
    """
    token = secrets.token_hex(4)
    drafts: dict[str, str] = {}
    new = [(f"{folder}/{change.path}", change.path, change.new) for change in changes if change.new]
    path = str(folder)
    try:
        for parent in dict.fromkeys(relative.parent for _, relative, _ in new):
            (folder / parent).mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        for path, relative, file in new:
            # Neither nginx's includes nor uWSGI's emperor take a name that ends in .tmp.
            drafts[path] = f"{folder}/{relative.parent}/.{relative.name}.{token}.tmp"
            write_draft(drafts[path], file)
            refresh(drafts[path], path)
        sync(drafts.values())
    except BaseException as error:
        remove(drafts.values())
        if isinstance(error, OSError):
            raise EmitError(f"Cannot write {path}: {error.strerror}.") from None
        raise
    return drafts


def swap(folder: Path, changes: Iterable[Change], drafts: dict[str, str]) -> None:
    """Let each draft take its file's place, then remove what has no new file; raises EmitError when one cannot."""
    path = str(folder)
    try:
        for path, name in drafts.items():
            os.replace(name, path)
        removed = [change.path for change in changes if not change.new]
        for relative in removed:
            path = f"{folder}/{relative}"
            os.unlink(path)
        sync({os.path.dirname(path) for path in (*drafts, *(f"{folder}/{relative}" for relative in removed))})
    except OSError as error:
        raise EmitError(f"Cannot write {path}: {error.strerror}.") from None


def write_draft(path: str, file: EmittedFile) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.text.encode())
        if (gid := gid_of(file.group)) is not None:
            os.fchown(descriptor, ROOT, gid)
        os.fchmod(descriptor, file.mode)


def refresh(path: str, replaced: str) -> None:
    """
    Make the file at ``path`` newer, in whole seconds, than the one that it takes the place of.

    uWSGI's emperor compares whole seconds: a file that is not newer is no news to it (core/emperor.c).
    """
    try:
        least = modified(replaced) + 1
    except FileNotFoundError:
        return
    if least > modified(path):
        os.utime(path, (least, least), follow_symlinks=False)


def modified(path: str) -> int:
    """Return the whole seconds of a file's time."""
    return os.lstat(path).st_mtime_ns // 10**9


def sync(paths: Collection[str]) -> None:
    """Return when the files are on the disk; a file renamed before that may be empty after a power cut."""
    if len(paths) > MOST_SINGLE_SYNCS:
        os.sync()
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(paths: Iterable[str]) -> None:
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


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

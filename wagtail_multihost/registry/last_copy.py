"""
What a registry in a database said last, in a file of root's: for commands that render while the database is away, and
so that a database that went back is noticed.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files.locking import LOCK_SECONDS, lock
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, remove_drafts, write_files
from wagtail_multihost.registry.postgres import Reading
from wagtail_multihost.spec.permissions import access_problem, own_accounts, path_problem
from wagtail_multihost.spec.time_lengths import DAY, HOUR, MINUTE

FILE_NAME = "registry.copy"
FORMAT = 1
KEYS = {"format": int, "url": str, "incarnation": str, "revision": int, "platform": dict, "sites": dict}
#: Nobody but the owner.
CLOSED = 0o077


class Kept(NamedTuple):
    """What the registry at ``url`` said, and how many ``seconds`` ago."""

    url: str
    reading: Reading
    seconds: float

    @property
    def age(self) -> str:
        """The age in words."""
        for unit, length in (("day", DAY), ("hour", HOUR), ("minute", MINUTE)):
            if self.seconds >= length:
                count = int(self.seconds // length)
                return f"{count} {unit}{'s' * (count > 1)}"
        return "less than a minute"


def copy_path(data: Path) -> Path:
    return data / FILE_NAME


def read_copy(path: Path) -> Kept | None:
    """Return the copy at ``path``, None if there is none; raises ConfigurationError for one that is not to be used."""
    try:
        data, status = read_no_follow(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be read: {error.strerror}.", where=str(path)) from None
    problem = access_problem(status, 0, own_accounts()) or path_problem(path)
    if not problem and (status.st_mode & CLOSED or not stat.S_ISREG(status.st_mode)):
        problem = f"It has the mode {stat.S_IMODE(status.st_mode):04o}; accepted: 0600."
    document = None if problem else parse_copy(data)
    if document is None:
        problem = problem or "It is no whole copy of a registry, of this version. Remove it."
        raise ConfigurationError.because(problem, where=str(path))
    reading = Reading(document["incarnation"], document["revision"], document["platform"], document["sites"])
    return Kept(document["url"], reading, max(0.0, time.time() - status.st_mtime))


def parse_copy(data: bytes) -> dict[str, Any] | None:
    """Return what a copy holds; None for anything else."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.keys() != KEYS.keys() or document["format"] != FORMAT:
        return None
    return document if all(isinstance(document[key], kind) for key, kind in KEYS.items()) else None


def keep_copy(path: Path, url: str, reading: Reading) -> None:
    """
    Write what was read, or only renew the time of a copy that is the same; a copy of a later state stays. Raises
    OSError.
    """
    if problem := path_problem(path.parent):
        raise PermissionError(errno.EPERM, problem.rstrip("."), str(path))
    folder = os.open(path.parent, os.O_DIRECTORY)
    try:
        lock(folder, time.monotonic() + LOCK_SECONDS)
        kept = usable_copy(path)
        if kept is not None and went_back(kept.reading, reading):
            return  # another process has read a later state meanwhile
        if kept is not None and (kept.url, kept.reading) == (url, reading):
            os.utime(path, follow_symlinks=False)
            return
        remove_drafts(path.parent)
        document = {"format": FORMAT, "url": url, **reading._asdict()}
        write_files([NewFile(str(path), f"{json.dumps(document)}\n".encode())])
    finally:
        os.close(folder)


def usable_copy(path: Path) -> Kept | None:
    """Return the copy at ``path``; None for one that is to be replaced."""
    try:
        return read_copy(path)
    except ConfigurationError:
        return None


def went_back(before: Reading, now: Reading) -> bool:
    """
    Return whether a database is at an earlier state than it was, or one that may be: another incarnation of it, such as
    a restored backup, counts only with a higher revision, as the control site gives it.
    """
    if now.incarnation == before.incarnation:
        return now.revision < before.revision
    return now.revision <= before.revision


def went_back_message(before: Kept, now: Reading, path: Path) -> str:
    kind = "revision" if now.incarnation == before.reading.incarnation else "revision, of another incarnation,"
    return (
        f"The registry went back: its {kind} is {now.revision}, but {before.reading.revision} was read "
        f"{before.age} ago. Nothing is rendered from an older state. If its database was restored, give it a higher "
        f"revision in the control site; if this is meant to be another registry, remove {path}."
    )

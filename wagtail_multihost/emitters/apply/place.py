"""The folder ``.multihost`` below the output folder, which holds all that an apply has to remember."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wagtail_multihost.emitters.output import FOLDER_MODE, sentence
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.files.writing import NewFile, sync_paths, write_files
from wagtail_multihost.spec.permissions import (
    NO_FOREIGN_WRITING,
    access_problem,
    make_trusted_folders,
    own_accounts,
    path_problem,
)

NAME = ".multihost"
PRIVATE_FOLDER = 0o700
PRIVATE = 0o077


@dataclass(frozen=True, slots=True)
class Place:
    """The output folder ``directory``, and where things are kept for it."""

    directory: Path

    @property
    def folder(self) -> Path:
        """The folder of it all, for the owner alone."""
        return self.directory / NAME

    @property
    def lock(self) -> Path:
        """What a run holds."""
        return self.folder / "lock"

    @property
    def tickets(self) -> Path:
        """One file for each run that waits."""
        return self.folder / "tickets"

    @property
    def manifest(self) -> Path:
        """What was written."""
        return self.folder / "manifest.json"

    @property
    def pending(self) -> Path:
        """What was changed and is not reloaded yet."""
        return self.folder / "pending.json"

    @property
    def journal(self) -> Path:
        """How to undo a run that is changing files."""
        return self.folder / "journal.json"

    @property
    def backups(self) -> Path:
        """The old files of such a run."""
        return self.folder / "backups"

    @property
    def stage(self) -> Path:
        """The scratch copy, which is kept from run to run."""
        return self.folder / "stage"

    @property
    def changed(self) -> Path:
        """The list for the reload hook."""
        return self.folder / "changed"


def prepared(directory: Path) -> Place:
    """
    Make the folders; raises EmitError when they cannot be made, or others can write or look into them. Nothing is made
    on a path that another account could change while root writes.
    """
    place = Place(directory)
    try:
        for _ in make_trusted_folders(directory, FOLDER_MODE):
            pass
        # Below a sticky folder another account may have been first with what was not there.
        if problem := path_problem(directory):
            raise EmitError(problem)
        for folder in (place.folder, place.tickets):
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        status = place.folder.lstat()
    except OSError as error:
        raise EmitError(sentence(error)) from None
    # A link has the mode 0777 (symlink(7)), and what is no folder has failed before.
    if status.st_uid != os.geteuid() or status.st_mode & PRIVATE:
        raise EmitError(f"{place.folder} must be a folder of this account with the mode 0700, and no link.")
    return place


def refuse_writable(directory: Path, *subfolders: str) -> None:
    """
    Raise EmitError for a folder in which another account could change what servers read as root, and for a path on
    which one could lead root to another.
    """
    for folder in (directory, *(directory / name for name in subfolders)):
        try:
            problem = path_problem(folder) or access_problem(folder.stat(), NO_FOREIGN_WRITING, own_accounts())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise EmitError(f"Cannot read {folder}: {error.strerror}.") from None
        if problem:
            raise EmitError(f"The folder {folder} is not safe for configurations. {problem}")


def read_json(path: Path, is_right: Callable[[dict[str, Any]], bool] = lambda found: True) -> dict[str, Any]:
    """
    Return the object in a file of ours, empty when there is none.

    Raises EmitError when it is not whole, or ``is_right`` does not accept it.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise EmitError(f"Cannot read {path}: {error.strerror}.") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not is_right(found):
        raise EmitError(
            f"{path} is damaged, or of another version. Remove it, run the command again with --force, and reload the "
            "servers yourself."
        )
    return found


def write_json(path: Path, value: object) -> None:
    """Put ``value`` into a file that is whole at any time and on the disk afterwards; raises OSError."""
    write_files([NewFile(str(path), json.dumps(value, separators=(",", ":")).encode())])


def discard(path: Path) -> None:
    """Remove a file, for good; nothing when there is none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_paths([str(path.parent)])


def emptied(folder: Path) -> Path:
    """Return the folder, new and empty."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=PRIVATE_FOLDER)
    return folder

"""The folder ``.multihost`` in the output folder, with everything that an apply has to remember."""

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
class OutputFolder:
    """The output folder ``directory``, and the paths of what is kept for it."""

    directory: Path

    @property
    def folder(self) -> Path:
        """The folder of all the others, which only the owner can enter."""
        return self.directory / NAME

    @property
    def lock(self) -> Path:
        """The file that a run locks."""
        return self.folder / "lock"

    @property
    def tickets(self) -> Path:
        """The folder with a file for each run that waits."""
        return self.folder / "tickets"

    @property
    def manifest(self) -> Path:
        """The digests of what was written."""
        return self.folder / "manifest.json"

    @property
    def pending(self) -> Path:
        """The list of changes that have not been reloaded yet."""
        return self.folder / "pending.json"

    @property
    def journal(self) -> Path:
        """How to undo a run that is changing files."""
        return self.folder / "journal.json"

    @property
    def backups(self) -> Path:
        """The old files of a run that is changing files."""
        return self.folder / "backups"

    @property
    def stage(self) -> Path:
        """The scratch copy, which is kept from run to run."""
        return self.folder / "stage"

    @property
    def changed(self) -> Path:
        """The list of changed files for the reload hook."""
        return self.folder / "changed"


def prepare_output(directory: Path) -> OutputFolder:
    """
    Create the folders; raises EmitError when that fails, or when other accounts can write to or read them. Nothing is
    created on a path that another account could change while root writes.
    """
    place = OutputFolder(directory)
    try:
        for _ in make_trusted_folders(directory, FOLDER_MODE):
            pass
        # In a sticky folder another account may have created what was missing first.
        if problem := path_problem(directory):
            raise EmitError(problem)
        for folder in (place.folder, place.tickets):
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        status = place.folder.lstat()
    except OSError as error:
        raise EmitError(sentence(error)) from None
    # A link has the mode 0777 (symlink(7)), and anything but a folder has failed before.
    if status.st_uid != os.geteuid() or status.st_mode & PRIVATE:
        raise EmitError(
            f"{place.folder} must be a folder with the mode 0700 that belongs to this account, and not a link."
        )
    return place


def refuse_writable(directory: Path, *subfolders: str) -> None:
    """
    Raise EmitError if another account could change what servers read as root in a folder, or redirect root to another
    folder on the way to it.
    """
    for folder in (directory, *(directory / name for name in subfolders)):
        try:
            problem = path_problem(folder) or access_problem(folder.stat(), NO_FOREIGN_WRITING, own_accounts())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise EmitError(f"Cannot read {folder}: {error.strerror}.") from None
        if problem:
            raise EmitError(f"The folder {folder} is not safe for server configurations. {problem}")


def read_json(path: Path, is_right: Callable[[dict[str, Any]], bool] = lambda found: True) -> dict[str, Any]:
    """
    Return the JSON object in a file that this package wrote; an empty one if there is no file.

    Raises EmitError when the file is damaged, or ``is_right`` does not accept it.
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
            f"{path} is damaged, or was written by another version. Remove it, run the command again with --force, and "
            "reload the servers yourself."
        )
    return found


def write_json(path: Path, value: object) -> None:
    """Write ``value`` to a file atomically and durably; raises OSError."""
    write_files([NewFile(str(path), json.dumps(value, separators=(",", ":")).encode())])


def discard_file(path: Path) -> None:
    """Remove a file durably, if there is one."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_paths([str(path.parent)])


def make_empty(folder: Path) -> Path:
    """Create the folder, or empty it; return it."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=PRIVATE_FOLDER)
    return folder

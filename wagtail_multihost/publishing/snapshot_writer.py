"""Writing snapshots: all drafts first, then one rename each."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files import writing as files
from wagtail_multihost.files.locking import LOCK_SECONDS, lock
from wagtail_multihost.files.writing import NewFile, remove_drafts
from wagtail_multihost.publishing.snapshot_changes import FILE_MODE, SnapshotChange, snapshot_owner
from wagtail_multihost.registry.snapshot import Snapshot, folder_trust_problem
from wagtail_multihost.spec.permissions import make_trusted_folders, own_accounts, path_problem

#: Passable, and not to be listed: sites do not see each other's names.
FOLDER_MODE = 0o711


@contextmanager
def prepared_folder(folder: Path, *, is_production: bool = False) -> Iterator[None]:
    """
    Make the folder, and keep other runs out of it; raises ConfigurationError when others can write to it, and for
    root and in production also to a folder above it. Then nothing is made.
    """
    try:
        for new in make_trusted_folders(folder, FOLDER_MODE):
            new.chmod(FOLDER_MODE)  # whatever the umask is
        # Below a sticky folder another account may have made the missing folders first.
        problem = path_problem(folder) or folder_trust_problem(folder, own_accounts(), is_production=is_production)
        if problem:
            raise ConfigurationError.because(problem, where=str(folder))
        descriptor = os.open(folder, os.O_DIRECTORY)
    except OSError as error:
        reason = "there is a file of that name" if isinstance(error, FileExistsError) else error.strerror
        raise ConfigurationError.because(f"The folder cannot be used: {reason}.", where=str(folder)) from None
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, FOLDER_MODE)  # an account that cannot open the folder cannot hold its lock either
        lock(descriptor, time.monotonic() + LOCK_SECONDS)
        remove_drafts(folder)
        yield
    except BlockingIOError:
        message = "Another run, or another process, holds the folder's lock. Nothing was written; try again."
        raise ConfigurationError.because(message, where=str(folder)) from None
    finally:
        os.close(descriptor)


def write_changes(changes: Iterable[SnapshotChange]) -> None:
    """Write and remove the files, all of them or, if one cannot be written, none. Raises ConfigurationError."""
    changes = tuple(changes)
    try:
        files.write_files(
            (snapshot_file(change.path, change.snapshot, change.gid) for change in changes if change.snapshot),
            [str(change.path) for change in changes if not change.snapshot],
        )
    except OSError as error:
        message = f"It cannot be written: {error.strerror}."
        raise ConfigurationError.because(message, where=str(error.filename)) from None


def snapshot_file(path: Path, snapshot: Snapshot, gid: int) -> NewFile:
    return NewFile(str(path), f"{json.dumps(snapshot.document, indent=1)}\n".encode(), FILE_MODE, snapshot_owner(gid))

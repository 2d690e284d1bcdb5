"""Writing snapshots: all drafts first, then one rename each."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.locking import LOCK_SECONDS, lock
from wagtail_multihost.registry.snapshot import Snapshot, untrusted_folder
from wagtail_multihost.registry.snapshot_changes import FILE_MODE, Change
from wagtail_multihost.spec.permissions import ROOT, made_folders, own_accounts, path_problem

#: Passable, and not to be listed: sites do not see each other's names.
FOLDER_MODE = 0o711
DRAFT = re.compile(r"\.[a-z0-9-]+\.json\.[0-9a-f]{8}\.tmp")
# Above it one sync(2) of everything is quicker than one of each file.
MOST_SINGLE_SYNCS = 100


@contextmanager
def prepared(folder: Path, *, is_production: bool = False) -> Iterator[None]:
    """
    Make the folder, and keep other runs out of it; raises ConfigurationError when others can write to it, and for
    root and in production also to a folder above it. Then nothing is made.
    """
    try:
        for new in made_folders(folder, FOLDER_MODE):
            new.chmod(FOLDER_MODE)  # whatever the umask is
        # Below a sticky folder another account may have been first with what was not there.
        problem = path_problem(folder) or untrusted_folder(folder, own_accounts(), is_production=is_production)
        if problem:
            raise ConfigurationError.because(problem, where=str(folder))
        descriptor = os.open(folder, os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError.because(f"The folder cannot be used: {error.strerror}.", where=str(folder)) from None
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, FOLDER_MODE)  # who cannot open the folder cannot hold its lock either
        lock(descriptor, time.monotonic() + LOCK_SECONDS)
        for name in os.listdir(folder):
            if DRAFT.fullmatch(name):  # of a run that was killed
                (folder / name).unlink()
        yield
        os.fsync(descriptor)
    except BlockingIOError:
        message = "Another run, or another process, holds the folder's lock. Nothing was written; try again."
        raise ConfigurationError.because(message, where=str(folder)) from None
    finally:
        os.close(descriptor)


def write(changes: Iterable[Change]) -> None:
    """
    Bring files to their new states. What fails before the last draft is on the disk changes nothing, and after it
    every file is whole, old or new. Raises ConfigurationError.
    """
    changes = tuple(changes)
    token = secrets.token_hex(4)
    written: dict[Path, Path] = {}
    path = Path()
    try:
        for change in changes:
            path = change.path
            if change.snapshot:
                written[path] = path.with_name(f".{path.name}.{token}.tmp")
                write_draft(written[path], change.snapshot, change.gid)
        if len(written) > MOST_SINGLE_SYNCS:
            os.sync()
        for path, draft in written.items():
            os.replace(draft, path)
        for change in changes:
            path = change.path
            if not change.snapshot:
                path.unlink()
    except BaseException as error:
        for draft in written.values():
            with suppress(OSError):
                draft.unlink()
        if isinstance(error, OSError):
            raise ConfigurationError.because(f"It cannot be written: {error.strerror}.", where=str(path)) from None
        raise


def write_draft(path: Path, snapshot: Snapshot, gid: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(f"{json.dumps(snapshot.document, indent=1)}\n".encode())
        file.flush()
        if os.geteuid() == ROOT:
            os.fchown(descriptor, ROOT, gid)
        os.fchmod(descriptor, FILE_MODE)
        os.fsync(descriptor)

"""The journal: how to undo a run that is changing files, for this process or, after a crash, for the next one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from wagtail_multihost.emitters.apply.place import Place, discard, emptied, read_json, write_json
from wagtail_multihost.emitters.output import FOLDER_MODE, Change
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.files.writing import draft_path, make_newer, modified_seconds, sync_paths


def keep(place: Place, changes: Iterable[Change]) -> None:
    """Keep the old files by a second name, and note how to bring them back; raises EmitError when it cannot be done."""
    entries = []
    path = str(place.backups)
    try:
        emptied(place.backups)
        for number, change in enumerate(changes):
            path = f"{place.directory}/{change.path}"
            backup = ""
            if os.path.lexists(path):
                backup = str(number)
                os.link(path, place.backups / backup, follow_symlinks=False)
            entries.append([str(change.path), backup])
        sync_paths([str(place.backups)])
        write_json(place.journal, {"entries": entries})
    except OSError as error:
        raise EmitError(f"Cannot keep the old {path}: {error.strerror}.") from None


def undo(place: Place) -> bool:
    """
    Bring back the files of the journal, newer than what they replace, and return whether there was one.

    It can be interrupted and run again. Raises EmitError when a file cannot be brought back.
    """
    found = read_json(place.journal, has_entries)
    if not found:
        return False
    path = str(place.journal)
    try:
        for name, backup in found["entries"]:
            path = f"{place.directory}/{name}"
            if backup:
                bring_back(place.backups / backup, path)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(path)
        folders = {os.path.dirname(f"{place.directory}/{name}") for name, _ in found["entries"]}
        sync_paths([folder for folder in folders if os.path.isdir(folder)])
        forget(place)
    except OSError as error:
        raise EmitError(
            f"Cannot bring back the old {path}: {error.strerror}. Without {place.journal} the next run goes on with "
            "the files that are there."
        ) from None
    return True


def has_entries(found: dict[str, Any]) -> bool:
    """Return whether a journal says what ``keep`` writes."""
    entries = found.get("entries")
    return isinstance(entries, list) and all(
        isinstance(entry, list) and [type(part) for part in entry] == [str, str] for entry in entries
    )


def bring_back(backup: Path, path: str) -> None:
    # One file by two names is what was never replaced, or is back already.
    if os.path.lexists(path) and os.path.samestat(os.lstat(backup), os.lstat(path)):
        return
    os.makedirs(os.path.dirname(path), FOLDER_MODE, exist_ok=True)
    draft = draft_path(path)
    os.link(backup, draft, follow_symlinks=False)
    renew(draft, path)
    os.replace(draft, path)


def renew(draft: str, path: str) -> None:
    """Give an old file a new time: now, or later when what it replaces, or it itself, is as new as that."""
    before = modified_seconds(draft)
    os.utime(draft, follow_symlinks=False)
    make_newer(draft, path)
    if modified_seconds(draft) <= before:
        os.utime(draft, (before + 1, before + 1), follow_symlinks=False)


def forget(place: Place) -> None:
    """Let the files that are there be the ones that stay."""
    discard(place.journal)
    shutil.rmtree(place.backups, ignore_errors=True)

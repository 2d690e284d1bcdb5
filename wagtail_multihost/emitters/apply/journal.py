"""The journal: how to undo a run that is changing files, for this process or, after a crash, for the next one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from wagtail_multihost.emitters.apply.output_folder import OutputFolder, discard_file, make_empty, read_json, write_json
from wagtail_multihost.emitters.output import FOLDER_MODE, Change
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.files.writing import draft_path, make_newer, sync_paths, touch_file


def keep_old_files(output: OutputFolder, changes: Iterable[Change]) -> None:
    """Keep the old files under second names, and record how to restore them; raises EmitError when that fails."""
    entries = []
    path = str(output.backups)
    try:
        make_empty(output.backups)
        for number, change in enumerate(changes):
            path = f"{output.directory}/{change.path}"
            backup = ""
            if os.path.lexists(path):
                backup = str(number)
                os.link(path, output.backups / backup, follow_symlinks=False)
            entries.append([str(change.path), backup])
        sync_paths([str(output.backups)])
        write_json(output.journal, {"entries": entries})
    except OSError as error:
        raise EmitError(f"Cannot keep the old {path}: {error.strerror}.") from None


def undo(output: OutputFolder) -> bool:
    """
    Restore the files of the journal, newer than what they replace, and return whether there was a journal.

    It can be interrupted and run again. Raises EmitError when a file cannot be restored.
    """
    found = read_json(output.journal, has_entries)
    if not found:
        return False
    path = str(output.journal)
    try:
        for name, backup in found["entries"]:
            path = f"{output.directory}/{name}"
            if backup:
                bring_back(output.backups / backup, path)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(path)
        folders = {os.path.dirname(f"{output.directory}/{name}") for name, _ in found["entries"]}
        sync_paths([folder for folder in folders if os.path.isdir(folder)])
        forget(output)
    except OSError as error:
        raise EmitError(
            f"Cannot restore the old {path}: {error.strerror}. To keep the files that are there now, remove "
            f"{output.journal}."
        ) from None
    return True


def has_entries(found: dict[str, Any]) -> bool:
    """Return whether a journal has the form that ``keep_old_files`` writes."""
    entries = found.get("entries")
    return isinstance(entries, list) and all(
        isinstance(entry, list) and [type(part) for part in entry] == [str, str] for entry in entries
    )


def bring_back(backup: Path, path: str) -> None:
    # One file under both names was never replaced, or is restored already.
    if os.path.lexists(path) and os.path.samestat(os.lstat(backup), os.lstat(path)):
        return
    os.makedirs(os.path.dirname(path), FOLDER_MODE, exist_ok=True)
    draft = draft_path(path)
    os.link(backup, draft, follow_symlinks=False)
    renew_time(draft, path)
    os.replace(draft, path)


def renew_time(draft: str, path: str) -> None:
    """Give an old file a new time: now, or later if it, or what it replaces, is as new as that."""
    touch_file(draft)
    make_newer(draft, path)


def forget(output: OutputFolder) -> None:
    """Make the files that are there permanent, by discarding the way back."""
    discard_file(output.journal)
    shutil.rmtree(output.backups, ignore_errors=True)

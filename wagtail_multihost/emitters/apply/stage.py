"""
The scratch copy that is validated, kept from run to run: sites' files are hard links to those that are in use.

10,000 links take a third of a second; checking that the copy has the original's inodes takes a few milliseconds.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from wagtail_multihost.emitters.apply.output_folder import PRIVATE_FOLDER, OutputFolder
from wagtail_multihost.emitters.output import Change, matching, new_file
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.files.writing import DRAFT, create_file


def make_stage(
    output: OutputFolder, folders: Collection[str], changes: Iterable[Change], drafts: dict[str, str]
) -> Path:
    """
    Make the scratch copy of ``folders`` as they will be after ``changes``, and return its folder.

    Raises EmitError when it cannot be written.
    """
    try:
        # Sorted, so that a folder is mirrored before those in it.
        for folder in sorted({*matching(output.directory, folders), *matching(output.stage, folders)}):
            mirror_folder(output.directory / folder, output.stage / folder)
        for change in changes:
            stage_change(output, change, drafts)
    except OSError as error:
        raise EmitError(f"Cannot write the scratch copy {output.stage}: {error.strerror}.") from None
    return output.stage


def mirror_folder(original: Path, copy: Path) -> None:
    """Make ``copy`` contain the same files as ``original``, with as few changes as possible."""
    if copy.is_symlink():  # files written through it would be in use
        copy.unlink()
    copy.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    wanted, there = read_inodes(original), read_inodes(copy)
    for name, inode in there.items():
        if wanted.get(name) != inode:
            os.unlink(copy / name)
    for name, inode in wanted.items():
        if there.get(name) != inode:
            os.link(original / name, copy / name, follow_symlinks=False)


def read_inodes(folder: Path) -> dict[str, int]:
    """Return the inodes of the files and links to files in a folder, without drafts; none when there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return {
                entry.name: entry.inode() for entry in entries if not entry.is_dir() and not DRAFT.fullmatch(entry.name)
            }
    except FileNotFoundError:
        return {}


def stage_change(output: OutputFolder, change: Change, drafts: dict[str, str]) -> None:
    path = output.stage / change.path
    path.unlink(missing_ok=True)
    if not change.new:
        return
    path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    if change.new.site:
        os.link(drafts[f"{output.directory}/{change.path}"], path)
    else:
        create_file(str(path), new_file(output.stage, change.new))

"""
The snapshots of before a change. They are written first, so whatever is refused afterwards would leave the newer one
for the next process of the site that starts, beside servers' files that are older.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.publishing.snapshot_writer import prepared_folder
from wagtail_multihost.registry.snapshot import SUFFIX
from wagtail_multihost.spec.permissions import ROOT


class FormerSnapshots:
    """What was in a ``folder`` of snapshots before some ``sites`` were published there."""

    def __init__(self, folder: Path, sites: Iterable[str]) -> None:
        self.folder = folder
        self.files = {site: read_file(folder / f"{site}{SUFFIX}") for site in sites}

    def forget(self, sites: Iterable[str]) -> None:
        """Let the newer snapshots of these sites stay: they are in use."""
        for site in sites:
            self.files.pop(site, None)

    def put_back(self, sites: Iterable[str] | None = None) -> None:
        """
        Put back what was there of ``sites``, or of all, as far as it is another one now; raises ConfigurationError,
        and then nothing is put back.
        """
        chosen = self.files.keys() if sites is None else self.files.keys() & set(sites)
        newer = {}
        for site in chosen:
            path, before = self.folder / f"{site}{SUFFIX}", self.files[site]
            now = read_file(path)
            if (now and now.data) != (before and before.data):
                newer[path] = before
        if not newer:
            return
        with prepared_folder(self.folder):
            try:
                write_files(
                    [file for file in newer.values() if file], [str(path) for path, file in newer.items() if not file]
                )
            except OSError as error:
                message = f"The former snapshot cannot be put back: {error.strerror}."
                raise ConfigurationError.because(message, where=str(error.filename)) from None


def read_file(path: Path) -> NewFile | None:
    """Return what is at a path, if it is a regular file, with its mode and owner."""
    try:
        data, status = read_no_follow(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    owner = (status.st_uid, status.st_gid) if os.geteuid() == ROOT else None
    return NewFile(str(path), data, stat.S_IMODE(status.st_mode), owner)

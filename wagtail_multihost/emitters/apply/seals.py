"""
Seals: what the last run recorded about files made from templates, so that unchanged ones are not rendered again.

A seal is the digest of a text and of everything the text is made from. It says nothing about the disk: a file is up to
date if its text, as it was just read, and what it would now be made from give the recorded seal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from wagtail_multihost.emitters.apply.output_folder import PRIVATE, OutputFolder
from wagtail_multihost.emitters.files import EmittedFile, RenderedFile
from wagtail_multihost.spec.permissions import path_problem


class Seals:
    """The seals that are ``known``, by the paths of files, and where those that are ``new`` go."""

    def __init__(self, known: Mapping[str, str], new: dict[str, str]) -> None:
        self.known = known
        self.new = new

    def same(self, file: EmittedFile, text: str | None) -> bool:
        """Return whether ``file`` should have this ``text`` (None: no file); it is rendered only if no seal says so."""
        if isinstance(file, RenderedFile):
            path = str(file.path)
            if text is not None and (seal := self.known.get(path)) and file.seal(text) == seal:
                return True
            if seal := file.seal(file.text):
                self.new[path] = seal
        return file.text == text


def seals_of(output: OutputFolder, found: object) -> dict[str, str]:
    """Return the seals ``found`` in the manifest; none if malformed, or if another account may have written them."""
    if not isinstance(found, dict) or not all(isinstance(seal, str) for seal in found.values()):
        return {}
    return found if is_private(output) else {}


def is_private(output: OutputFolder) -> bool:
    """Return whether only this account could have written the manifest."""
    try:
        paths = {output.folder: stat.S_ISDIR, output.manifest: stat.S_ISREG}
        for path, is_right in paths.items():
            status = path.lstat()
            if not is_right(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & PRIVATE:
                return False
        return not path_problem(output.directory)
    except OSError:
        return False

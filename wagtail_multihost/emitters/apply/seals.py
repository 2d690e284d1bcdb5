"""
Seals: what the last run knew of the files that templates make, so that they are not made again.

A seal is the digest of a text together with all that the text is made of. It says nothing of what is on the disk: a
file is the right one where its text, as it was read, and what it would be made of now have the seal of then.
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
        """Return whether ``file`` is to have the ``text``, None where it has none; it is made unless a seal says so."""
        if isinstance(file, RenderedFile):
            path = str(file.path)
            if text is not None and (seal := self.known.get(path)) and file.seal(text) == seal:
                return True
            if seal := file.seal(file.text):
                self.new[path] = seal
        return file.text == text


def seals_of(output: OutputFolder, found: object) -> dict[str, str]:
    """Return the seals that were ``found`` in the manifest; none of any other form, or that another may have made."""
    if not isinstance(found, dict) or not all(isinstance(seal, str) for seal in found.values()):
        return {}
    return found if is_own(output) else {}


def is_own(output: OutputFolder) -> bool:
    """Return whether nobody but this account could have written the manifest."""
    try:
        paths = {output.folder: stat.S_ISDIR, output.manifest: stat.S_ISREG}
        for path, is_right in paths.items():
            status = path.lstat()
            if not is_right(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & PRIVATE:
                return False
        return not path_problem(output.directory)
    except OSError:
        return False

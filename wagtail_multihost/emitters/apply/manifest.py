"""The manifest: the digest of each file that was written, by which edited files are recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from wagtail_multihost.emitters.apply.output_folder import OutputFolder, read_json, write_json
from wagtail_multihost.emitters.output import Change


class Manifest:
    """
    The digests, and the generation of each target that shows one. While files are being replaced, both the old and
    the new digest of a file are accepted, so that no file looks edited after a crash.
    """

    def __init__(self, output: OutputFolder) -> None:
        found = read_json(output.manifest, has_texts)
        self.output = output
        self.files: dict[str, str] = found.get("files", {})
        self.generations: dict[str, str] = found.get("generations", {})

    def knows(self, path: str, text: str) -> bool:
        """Return whether ``text`` is what was written to ``path``; true for a file older than the manifest."""
        digests = self.files.get(path)
        return digests is None or digest(text) in digests.split()

    def expect(self, changes: Iterable[Change]) -> None:
        """Accept both the old and the new contents of the files from now on."""
        for change in changes:
            texts = [text for text in (change.old, change.new and change.new.text) if text]
            self.files[str(change.path)] = " ".join(dict.fromkeys(digest(text) for text in texts))
        self.save()

    def settle(self, changes: Iterable[Change], generations: dict[str, str] | None = None) -> None:
        """Accept only the new contents."""
        for change in changes:
            if change.new:
                self.files[str(change.path)] = digest(change.new.text)
            else:
                self.files.pop(str(change.path), None)
        self.generations |= generations or {}
        self.save()

    def save(self) -> None:
        write_json(self.output.manifest, {"files": self.files, "generations": self.generations})


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def has_texts(found: dict[str, Any]) -> bool:
    parts = [found.get(name, {}) for name in ("files", "generations")]
    return all(isinstance(part, dict) and all(isinstance(value, str) for value in part.values()) for part in parts)

"""Temporary files of uploads."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from wagtail_multihost.testing.canaries.base import Canary, Crossing


class UploadsCanary(Canary):
    """A file in the folder where Django keeps large uploads."""

    name = "uploads"

    def plant(self, token: str) -> str:
        # The form of name that Django uses.
        with tempfile.NamedTemporaryFile(suffix=f".{token}.upload", dir=upload_folder(), delete=False) as file:
            return Path(file.name).name

    def crossed(self, token: str, planted: str) -> Iterator[Crossing]:
        if (upload_folder() / planted).exists():
            yield Crossing("FILE_UPLOAD_TEMP_DIR", f"The upload is in {upload_folder()}.")

    def remove(self, token: str, planted: str) -> None:
        (upload_folder() / planted).unlink()


def upload_folder() -> Path:
    return Path(settings.FILE_UPLOAD_TEMP_DIR or tempfile.gettempdir())

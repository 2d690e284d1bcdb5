"""The registry in PostgreSQL for commands that render: they go on with what it said last while it is away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.base import Contents, Registry, Tell
from wagtail_multihost.registry.last_copy import Kept, copy_path, keep_copy, read_copy, went_back, went_back_message
from wagtail_multihost.registry.merging import DATA
from wagtail_multihost.registry.postgres import PostgresRegistry, Reading, RegistryUnreachableError


class RenderingRegistry(PostgresRegistry):
    """
    Reads once: what ``load`` has checked is what ``read_sites`` gives, of one moment. A copy of what is good is kept in
    the platform's data folder, and used, loudly, if the database cannot be reached; never for a site that the database
    does not have, or has disabled.
    """

    def __init__(self, registry: PostgresRegistry, tell: Tell) -> None:
        super().__init__(registry.url, registry.environ, registry.bounds)
        self.tell = tell
        self.reading: Reading | None = None

    def for_rendering(self, tell: Tell) -> Registry:
        return self

    def load(self, **options: Any) -> Contents:
        self.reading = None
        path = self.find_copy()
        kept = self.known_copy(path) if path else None
        self.reading, is_new = self.read_or_fall_back(path, kept)
        contents = super().load(**options)
        if path and is_new:
            try:
                keep_copy(path, self.url, self.reading)
            except OSError as error:
                self.tell(f"No copy of the registry could be kept at {path}: {error.strerror}.")
        return contents

    def read(self, only: list[str] | None = None) -> Reading:
        return super().read(only) if self.reading is None else self.reading

    def find_copy(self) -> Path | None:
        """Return where the copy is; None where the node file states no folder, which is reported later."""
        data = self.read_node().platform.get(DATA)
        return copy_path(Path(data)) if isinstance(data, str) and data.startswith("/") else None

    def known_copy(self, path: Path) -> Kept | None:
        """Return the copy; None, with a sentence, if it cannot be used."""
        try:
            return read_copy(path)
        except ConfigurationError as error:
            self.tell(f"The copy of the registry is not used. {error.problems[0]}")
            return None

    def read_or_fall_back(self, path: Path | None, kept: Kept | None) -> tuple[Reading, bool]:
        """
        Return what the database says now, or the copy of what it said last, and whether it is new. Raises
        ConfigurationError, also for a database that went back.
        """
        try:
            reading = super().read()
        except RegistryUnreachableError as error:
            if kept is None or kept.url != self.url:
                raise
            self.tell(
                f"{error.problems[0]} What is rendered is of the revision {kept.reading.revision}, which was read "
                f"{kept.age} ago: nothing that was changed since is in it."
            )
            return kept.reading, False
        if kept is not None and path is not None and went_back(kept.reading, reading):
            raise ConfigurationError.because(went_back_message(kept, reading, path), where=self.name)
        return reading, True

"""A registry in a TOML file."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.base import Registry, records_of
from wagtail_multihost.registry.record import KEY_PATH, Record, Source, kind
from wagtail_multihost.spec.identifiers import shown

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class TomlSource(Source):
    """Keys are dotted paths in the file; values have TOML's own types."""

    def __init__(self, path: Path, environ: Mapping[str, str], *, reads_secrets: bool) -> None:
        self.path = path
        self.base = path.parent
        self.environ = environ
        self.reads_secrets = reads_secrets
        self.revision = changed_at(path)

    def label(self, path: KEY_PATH) -> str:
        keys = ".".join(key if BARE_KEY.fullmatch(key) else shown(key) for key in path)
        return f"{self.path.name}: {keys}" if keys else self.path.name

    def boolean(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"It must be true or false, not {kind(value)}.")
        return value

    def integer(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"It must be an integer, not {kind(value)}.")
        return value

    def texts(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(f"It must be an array of text, not {kind(value)}.")
        return tuple(self.text(item) for item in value)


def changed_at(path: Path) -> int:
    """Return when the file last changed, in seconds since 1970; 0 when it cannot be asked."""
    try:
        return max(0, int(path.stat().st_mtime))
    except (OSError, ValueError):
        return 0


class TomlRegistry(Registry):
    """The registry in the TOML file ``path``."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = Path(os.path.abspath(path))  # without "..", which the paths of specs may not have
        self.environ = environ
        self.name = str(path)
        self.url = str(self.path)

    def source(self, *, reads_secrets: bool) -> Source:
        return TomlSource(self.path, self.environ, reads_secrets=reads_secrets)

    def tables(self, source: Source) -> tuple[Record, list[Record]]:
        document = self.document()
        records = records_of(document.pop("platform", {}), document.pop("sites", {}), source)
        for key in document:
            records[0].report(f"The key {shown(key)} is not known. Accepted: platform, sites.", (key,))
        return records

    def document(self) -> dict[str, object]:
        """Return the parsed file; raises ConfigurationError with the line, and no text, of a syntax error."""
        try:
            # With a byte order mark or without, as editors write it.
            return tomllib.loads(self.path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            message = (
                f"The registry cannot be read: {error.strerror}. Set MULTIHOST_REGISTRY to its path, or start in the "
                "folder that has sites.toml."
            )
        except UnicodeDecodeError:
            message = "The registry is not UTF-8 text."
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"\(at (.*)\)$", str(error))
            message = f"The registry is not valid TOML{f', at {place[1]}' if place else ''}."
        except (ValueError, RecursionError):
            message = "The registry has a number or a nesting that is too long to be read, or its path is not one."
        raise ConfigurationError.because(message, where=str(self.path)) from None

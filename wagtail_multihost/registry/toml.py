"""A registry in a TOML file."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.base import Registry, records_of
from wagtail_multihost.registry.record import Record
from wagtail_multihost.registry.typed import TypedSource
from wagtail_multihost.registry.used import USED, read_used
from wagtail_multihost.spec.identifiers import shown


class TomlRegistry(Registry):
    """The registry in the TOML file ``path``."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = Path(os.path.abspath(path))  # without "..", which the paths of specs may not have
        self.environ = environ
        self.name = str(path)
        self.url = str(self.path)
        self.files = (self.path,)

    def read_tables(self, *, reads_secrets: bool) -> tuple[Record, list[Record]]:
        source = TypedSource(self.path, self.environ, reads_secrets=reads_secrets)
        document = self.document()
        records = records_of(document.pop("platform", {}), document.pop("sites", {}), source)
        self.used = read_used(document.pop(USED, {}), records[0])
        for key in document:
            records[0].report(f"The key {shown(key)} is not known. Accepted: platform, sites, used.", (key,))
        return records

    def text(self) -> str:
        """Return the file's text; raises OSError for anything but a regular file."""
        # With a byte order mark or without, as editors write it; with the newlines that any system writes.
        return io.TextIOWrapper(io.BytesIO(self.bytes()), encoding="utf-8-sig").read()

    def bytes(self) -> bytes:
        """Return what is in the file; raises OSError for anything but a regular file."""
        # Not blocking: a pipe would make the process wait for a writer.
        with open(self.path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "It is not a regular file")
            return file.read()

    def document(self) -> dict[str, object]:
        """Return the parsed file; raises ConfigurationError with the line, and no text, of a syntax error."""
        try:
            return tomllib.loads(self.text())
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
            message = "The registry has a number that is too long, is nested too deeply, or its path is not valid."
        raise ConfigurationError.because(message, where=str(self.path)) from None

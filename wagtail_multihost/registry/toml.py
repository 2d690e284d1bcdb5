"""A registry in a TOML file."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.base import Registry, records_of
from wagtail_multihost.registry.record import Record
from wagtail_multihost.registry.typed import TypedSource
from wagtail_multihost.registry.used import USED, read_used
from wagtail_multihost.spec.identifiers import shown

Parsed = TypeVar("Parsed")
TABLES = ("platform", "sites", USED)
#: How tomllib's messages start, and what they mean; it may quote the file after that.
MISTAKES = {
    "Cannot declare": "A table is stated twice: each site and each table has one heading.",
    "Cannot mutate": "A table in braces cannot be added to: write all of its keys between them.",
    "Cannot overwrite": "A key is stated twice.",
    'Expected "\'"': "A closing quote is missing.",
    "Duplicate": "A key is stated twice.",
    "Expected '='": "A key needs = and a value after it.",
    "Expected ']": "A closing bracket is missing.",
    "Expected newline": "After the value is something else; only a comment may follow on the line.",
    "Illegal character '\\n'": "A closing quote is missing.",
    "Invalid initial": "A key, a heading in brackets or a comment was expected.",
    "Invalid statement": "A key, a heading in brackets or a comment was expected.",
    "Invalid value": "A value is missing, or is text without quotes. true and false are written in small letters.",
    "Unclosed array": "In a list, a comma or the closing bracket is missing.",
    "Unclosed inline": "In a table in braces, a comma or the closing brace is missing.",
    "Unterminated string": "A closing quote is missing.",
}


class TomlFile:
    """A file in TOML; ``what`` names it in messages, and ``missing`` says what to do where there is none."""

    what = "registry"
    missing = (
        "There is no registry here. Set MULTIHOST_REGISTRY or --registry to its path, or start in the folder that has "
        "sites.toml."
    )
    path: Path

    def text(self) -> str:
        """Return the file's text; raises OSError for anything but a regular file."""
        # With a byte order mark or without, as editors write it; with the newlines that any system writes.
        return io.TextIOWrapper(io.BytesIO(self.bytes()), encoding="utf-8-sig").read()

    def bytes(self) -> bytes:
        """Return what is in the file; raises OSError for anything but a regular file."""
        # Not blocking: a pipe would make the process wait for a writer.
        with open(self.path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
            self.refuse_status(os.fstat(file.fileno()))
            return file.read()

    def refuse_status(self, status: os.stat_result) -> None:
        """Raise OSError for what is not to be read."""
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "It is not a regular file")

    def document(self) -> dict[str, object]:
        """Return the parsed file; raises ConfigurationError with the line, and no text, of a syntax error."""
        return self.parsed_by(tomllib.loads)

    def parsed_by(self, parse: Callable[[str], Parsed]) -> Parsed:
        """Return what ``parse``, which calls tomllib, makes of the file's text; raises as ``document`` does."""
        line = 0
        try:
            return parse(self.text())
        except FileNotFoundError:
            message = self.missing
        except OSError as error:
            message = f"The {self.what} cannot be read: {error.strerror}."
        except UnicodeDecodeError:
            message = f"The {self.what} is not UTF-8 text."
        except tomllib.TOMLDecodeError as error:
            message = f"The {self.what} is not valid TOML. {toml_mistake(str(error))}".strip()
            line = toml_line(str(error), self.text)
        except (ValueError, RecursionError):
            message = f"The {self.what} has a number that is too long, is nested too deeply, or its path is not valid."
        path = str(self.path)
        raise ConfigurationError([Problem(path, message, file=path, line=line)]) from None


class TomlRegistry(TomlFile, Registry):
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
        for key, value in document.items():
            from wagtail_multihost.spec.suggestions import suggest  # loads only for the message

            hint = suggest(key, TABLES) or f" Accepted: {', '.join(TABLES)}."
            if isinstance(value, dict) and "hostnames" in value:
                hint = f" The table of a site starts with sites: [sites.{key}]."
            records[0].report(f"The table {shown(key)} is not known.{hint}", (key,))
        return records

    def locate(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        from wagtail_multihost.registry.lines import locate_problems  # loads only for a report

        return locate_problems(self, problems)


def toml_mistake(error: str) -> str:
    """Return a sentence about what tomllib found, which may quote the file; blank where it is another mistake."""
    return next((sentence for start, sentence in MISTAKES.items() if error.startswith(start)), "")


def toml_line(error: str, read: Callable[[], str]) -> int:
    """Return the line that tomllib names: that of the last text if the file ends too early."""
    place = re.search(r"\(at line (\d+), column \d+\)$", error)
    if place:
        return int(place[1])
    try:
        return read().rstrip().count("\n") + 1
    except (OSError, ValueError):  # it was changed since
        return 0

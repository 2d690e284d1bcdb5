"""
The errors this package raises.

None of them derives from Django's ``ImproperlyConfigured``: Django swallows that class once while it
loads settings, so settings.py would run two or three times and ``help`` would exit 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

#: The exit code of a command that could not do its work; argparse and Django use it for invalid arguments.
COULD_NOT = 2


class MultihostError(Exception):
    """Every error of this package is one of these."""


class Problem(NamedTuple):
    """
    One mistake in a configuration.

    ``where`` is the key as the operator wrote it (``sites.toml: sites.aurora.hostnames`` or
    ``MULTIHOST_SITE_HOSTNAMES``), ``message`` a sentence that says what was found and what is accepted.
    ``site`` is the site id, or blank for the platform; ``other`` is a second site that the problem concerns
    equally, such as one with the same hostname. ``file`` and ``line`` (from 1) say where the key, or else its table,
    is; they are blank and 0 where that is not known. No field ever holds a secret.
    """

    where: str
    message: str
    site: str = ""
    other: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.key, self.message) if part)

    @property
    def key(self) -> str:
        """The key without the name of its file."""
        name = os.path.basename(self.file)
        if not name:
            return self.where
        return "" if self.where in (self.file, name) else self.where.removeprefix(f"{name}: ")

    @property
    def place(self) -> str:
        """The file as the operator named it, with the line; blank where neither is known."""
        if not self.file:
            return ""
        name = self.file if self.where == self.file else os.path.basename(self.file)
        return f"{name}, line {self.line}" if self.line else name

    def as_row(self) -> dict[str, object]:
        """Return what JSON says of the problem; None stands for what is not known, or for the platform."""
        row: dict[str, object] = {"site": self.site, "key": self.key, "message": self.message}
        row |= {"file": self.file, "line": self.line}
        return {name: value or None for name, value in row.items()}


class ConfigurationError(MultihostError):
    """All mistakes of a configuration at once; ``problems`` is a tuple of :class:`Problem`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(*self.problems)

    @classmethod
    def because(cls, message: str, *, where: str = "", site: str = "") -> ConfigurationError:
        """Return an error with one problem."""
        return cls([Problem(where, message, site)])

    def __str__(self) -> str:
        count = len(self.problems)
        head = "The configuration has 1 problem:" if count == 1 else f"The configuration has {count} problems:"
        return "\n".join([head, *(f"  - {problem}" for problem in self.problems)])


def problems_of(error: Exception) -> tuple[Problem, ...]:
    """Return the problems that an error is about: those of a configuration, or else the one that it is."""
    return error.problems if isinstance(error, ConfigurationError) else (Problem("", str(error)),)


class SecretUnreadableError(MultihostError):
    """A secret's file or environment variable cannot be read."""


class BuildModeError(MultihostError):
    """Something needs a site (a connection, a request), but MULTIHOST_SITE names none."""


class IdentityError(MultihostError):
    """A resource (a database, a bucket, a cache) carries the mark of another site."""


class LaunchError(MultihostError):
    """Something cannot run as a site's account."""


class RenderError(MultihostError):
    """A value cannot be written in the grammar of a server's configuration."""


class EmitError(MultihostError):
    """Emitted files cannot be read, compared or written."""


class ApplyError(EmitError):
    """A configuration was refused, or did not work and was rolled back; the servers keep the old one."""

"""
A registry of one site in a file of variables (``.env``), as Docker and systemd take it too.

django-environ reads the values, with its rules of quoting; what it would drop, or what other programs would read as
something else, is refused before. Nothing in a value is expanded, and os.environ is neither asked nor written.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, Problem, SecretUnreadableError
from wagtail_multihost.registry import REGISTRY_VARIABLE, SITE_VARIABLE
from wagtail_multihost.registry.base import Contents, Registry
from wagtail_multihost.registry.environment import (
    PLATFORM_PREFIX,
    SITE_PREFIX,
    EnvironmentSource,
    load_parser,
    records_of_variables,
)
from wagtail_multihost.registry.record import KEY_PATH, Record
from wagtail_multihost.spec.secret import read_secret_file

OWN_PREFIX = "MULTIHOST_"
#: A file may also be the environment of a container, which is told where its registry is.
NOT_KEYS = frozenset({SITE_VARIABLE, REGISTRY_VARIABLE})
LINE = re.compile(r"(?:export )?(?P<name>[A-Za-z_][A-Za-z_0-9]*)=(?P<value>.*)")
QUOTED = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*\"""")
#: Escapes in double quotes that django-environ keeps as they are, and other programs replace.
ESCAPE = re.compile(r"\\[rnt]")
NOT_UNDERSTOOD = "The line is neither NAME=VALUE, without blanks around =, nor a comment that starts with #, nor empty."


class Assignment(NamedTuple):
    """A line of the file that sets a variable."""

    line: int
    name: str
    value: str


class EnvironmentFileSource(EnvironmentSource):
    """The variables of the file ``path``; relative paths start at its folder."""

    def __init__(self, path: Path, environ: Mapping[str, str], *, reads_secrets: bool) -> None:
        super().__init__(environ, reads_secrets=reads_secrets)
        self.path = path
        self.base = path.parent

    def label(self, path: KEY_PATH) -> str:
        return f"{self.path.name}: {super().label(path)}"


class EnvironmentFileRegistry(Registry):
    """The registry of the one site that the file ``path`` describes. References ``env:NAME`` lead to ``environ``."""

    assumes_development = EnvironmentFileSource.assumes_development

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = path.absolute()
        self.environ = environ
        self.name = str(path)
        self.url = str(self.path)
        load_parser()

    def load(self, **options: Any) -> Contents:
        # Not one of ``files``, which a site's process must not be able to read: this one is the site's own.
        protected = (("registry", self.path), *options.pop("protected", ()))
        return super().load(protected=protected, **options)

    def locate(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        from wagtail_multihost.registry.lines import locate_problems  # loads only for a report

        return locate_problems(self, problems)

    def read_tables(self, *, reads_secrets: bool) -> tuple[Record, list[Record]]:
        variables = parse_variables(self.text(), self.path.name)
        site = variables.get(SITE_VARIABLE)
        if site is None:
            message = f"The file does not say which site it describes. Add {SITE_VARIABLE}=ID."
            raise ConfigurationError.because(message, where=self.path.name)
        source = EnvironmentFileSource(self.path, self.environ, reads_secrets=reads_secrets)
        return records_of_variables(site, variables, source)

    def text(self) -> str:
        """Return the file's text; raises ConfigurationError, also if others could read or change its secrets."""
        try:
            return read_secret_file(self.path, in_any_folder=False).removeprefix("\ufeff")
        except SecretUnreadableError as error:
            message = str(error)
        raise ConfigurationError.because(message, where=REGISTRY_VARIABLE)


def parse_variables(text: str, file: str) -> dict[str, str]:
    """Return the variables that the ``text`` of a ``file`` sets; raises ConfigurationError with all its problems."""
    problems = list(find_problems(text, file))
    if problems:
        raise ConfigurationError(problems)
    found: dict[str, str] = {}
    reader: Any = type("Variables", (load_parser(),), {"ENVIRON": found})
    reader.read_env(io.StringIO(text), overwrite=True)
    return found


def find_problems(text: str, file: str) -> Iterator[Problem]:
    """Yield what is wrong with the lines of a file, and never what is in them: they may have secrets."""
    first: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = parse_assignment(number, line)
        if found is None:
            if line and not line.startswith("#"):
                yield Problem(f"{file}:{number}", NOT_UNDERSTOOD)
            continue
        where = f"{file}:{number}: {found.name}"
        if found.name in first:
            yield Problem(where, f"It is set already, in line {first[found.name]}.")
        first.setdefault(found.name, number)
        if message := name_problem(found.name) or value_problem(found.value):
            yield Problem(where, message)


def assignments(text: str) -> Iterator[Assignment]:
    """Yield the lines that set variables."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := parse_assignment(number, line):
            yield found


def parse_assignment(number: int, line: str) -> Assignment | None:
    found = LINE.fullmatch(line)
    return Assignment(number, found["name"], found["value"]) if found else None


def name_problem(name: str) -> str:
    """Return why no registry has the variable; blank if it may be there, as those of other programs may."""
    if not name.startswith(OWN_PREFIX) or name in NOT_KEYS or name.startswith((SITE_PREFIX, PLATFORM_PREFIX)):
        return ""
    return f"It is not known. Accepted: {SITE_VARIABLE}, {SITE_PREFIX}… and {PLATFORM_PREFIX}…."


def value_problem(value: str) -> str:
    """Return why a value would not be read as it looks; blank if there is no doubt."""
    if value[:1] in ("'", '"'):
        if not QUOTED.fullmatch(value):
            return "The quotes around its value are not closed, or something follows them."
        if value[0] == '"' and ESCAPE.search(value):
            return "In double quotes \\n, \\r and \\t are read in different ways. Use single quotes."
        if value[0] == "'" and value[1:2] == '"' and value[-2:-1] == '"':
            return "Its value has two kinds of quotes around it. Leave out one of them."
        return ""
    if value != value.strip():
        return "There are blanks before or after its value. Put it in quotes, or remove them."
    if re.search(r"\s#", value):
        return "A comment needs a line of its own. If # is a part of the value, put it in quotes."
    return ""

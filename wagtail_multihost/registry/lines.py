"""
Find the line of each key in a TOML file, which no TOML parser reports, or the variable that sets it.

Only reports use this. Unless it finds exactly the keys that tomllib finds in a file, it returns none.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.base import Registry
from wagtail_multihost.registry.environment import NESTED, PLATFORM_PREFIX, SITE_PREFIX, EnvironmentRegistry
from wagtail_multihost.registry.environment_file import EnvironmentFileRegistry, assignments
from wagtail_multihost.registry.record import KEY_PATH
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.registry.typed import TypedSource

# https://toml.io/en/v1.0.0
STRING = r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'"
SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
KEY = re.compile(rf"(?P<quoted>{STRING})|[A-Za-z0-9_-]+", re.DOTALL)
DOT = re.compile(r"[ \t]*\.[ \t]*")
EQUALS = re.compile(r"[ \t]*=[ \t]*")
VALUE = re.compile(rf"{STRING}|[^,\]}}\n#]+", re.DOTALL)


def located_labels(registry: Registry) -> dict[str, str]:
    """
    Return the sources of a registry's keys with their places: ``sites.toml:12: sites.aurora.hostnames`` for
    ``sites.toml: sites.aurora.hostnames``, and the variables that are set for those of the environment, with their
    lines if they are in a file. Other registries have none.
    """
    if isinstance(registry, EnvironmentRegistry):
        return variable_labels(registry.environ)
    if isinstance(registry, EnvironmentFileRegistry):
        return file_labels(registry)
    if not isinstance(registry, TomlRegistry):
        return {}
    try:
        lines = key_lines(registry.text())
    except (OSError, ValueError):
        return {}
    source = TypedSource(registry.path, {}, reads_secrets=False)
    file = f"{registry.path.name}:"
    labels = ((source.label(path), line) for path, line in lines.items())
    return {label: f"{file}{line}{label.removeprefix(file[:-1])}" for label, line in labels}


def locate_problems(
    registry: TomlRegistry | EnvironmentFileRegistry, problems: Iterable[Problem]
) -> tuple[Problem, ...]:
    """
    Return the problems with their file, and with the line of the key or, of one that is missing, that of the table that
    lacks it; in the order of the lines.
    """
    try:
        lines = lines_by_label(registry)
    except (ConfigurationError, OSError, ValueError):
        lines = {}
    located = (locate_problem(problem, registry.path, lines) for problem in problems)
    return tuple(sorted(located, key=lambda problem: problem.line))


def locate_in_file(path: Path, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems, those of keys that the TOML file at ``path`` states with the file and their lines."""
    source = TypedSource(path, {}, reads_secrets=False)
    try:
        found = {source.label(keys): line for keys, line in key_lines(path.read_text(encoding="utf-8-sig")).items()}
    except (OSError, ValueError):
        found = {}
    return tuple(locate_problem(problem, path, found) for problem in problems)


def lines_by_label(registry: TomlRegistry | EnvironmentFileRegistry) -> dict[str, int]:
    """Return the line of each key, as reports name it."""
    if isinstance(registry, EnvironmentFileRegistry):
        return {f"{registry.path.name}: {found.name}": found.line for found in assignments(registry.text())}
    source = TypedSource(registry.path, {}, reads_secrets=False)
    return {source.label(path): line for path, line in key_lines(registry.text()).items()}


def locate_problem(problem: Problem, path: Path, lines: Mapping[str, int]) -> Problem:
    label = problem.where
    if not label.startswith(f"{path.name}: "):
        return problem
    while label and label not in lines:
        label = label.rpartition(".")[0]
    return problem._replace(file=str(path), line=lines.get(label, 0))


def variable_labels(environ: Mapping[str, str]) -> dict[str, str]:
    """Return each variable of a registry, and for the name of a table the variables in it."""
    names = [name for name in sorted(environ) if name.startswith((SITE_PREFIX, PLATFORM_PREFIX))]
    tables: dict[str, list[str]] = {}
    for name in names:
        tables.setdefault(name.partition(NESTED)[0], []).append(name)
    return {**{table: ", ".join(inner) for table, inner in tables.items()}, **{name: name for name in names}}


def file_labels(registry: EnvironmentFileRegistry) -> dict[str, str]:
    """Return each variable of a file with its line, and for the name of a table the first of those in it."""
    try:
        lines = {found.name: found.line for found in assignments(registry.text())}
    except ConfigurationError:
        return {}
    file = registry.path.name
    labels = variable_labels(dict.fromkeys(lines, ""))
    return {f"{file}: {name}": f"{file}:{lines[text.split(', ')[0]]}: {text}" for name, text in labels.items()}


def key_lines(text: str) -> dict[KEY_PATH, int]:
    """Return the line, from 1, of each key and table of a TOML document; nothing when there is any doubt."""
    try:
        document = tomllib.loads(text)
        scanner = Scanner(text.replace("\r\n", "\n"))
        scanner.document()
    except (ValueError, RecursionError):
        return {}
    found = {**scanner.implied, **scanner.written}
    return found if set(found) == set(key_paths(document)) else {}


def key_paths(table: Mapping[str, object], path: KEY_PATH = ()) -> Iterator[KEY_PATH]:
    for key, value in table.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from key_paths(value, (*path, key))


class Scanner:
    """Walks over a valid TOML document. ``implied`` are the tables that are named only on the way to a key."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.written: dict[KEY_PATH, int] = {}
        self.implied: dict[KEY_PATH, int] = {}

    def document(self) -> None:
        table: KEY_PATH = ()
        self.take(SPACE)
        while self.at < len(self.text):
            if self.next_is("["):
                self.at += 1
                self.take(SPACE)
                table = self.key(())
                self.take(SPACE)
                self.expect("]")
            else:
                self.pair(table)
            self.take(SPACE)

    def pair(self, table: KEY_PATH) -> None:
        path = self.key(table)
        self.take(EQUALS)
        if self.next_is("{"):
            self.at += 1
            self.items("}", lambda: self.pair(path))
        else:
            self.value()

    def value(self) -> None:
        if self.next_is("["):
            self.at += 1
            self.items("]", self.value)
        elif self.next_is("{"):  # in an array: of no interest
            written, implied = dict(self.written), dict(self.implied)
            self.at += 1
            self.items("}", lambda: self.pair(()))
            self.written, self.implied = written, implied
        else:
            self.take(VALUE)

    def items(self, end: str, item: Callable[[], None]) -> None:
        self.take(SPACE)
        while not self.next_is(end):
            item()
            self.take(SPACE)
            if self.next_is(","):
                self.at += 1
                self.take(SPACE)
        self.expect(end)

    def key(self, table: KEY_PATH) -> KEY_PATH:
        line = self.line
        path = (*table, self.part())
        while DOT.match(self.text, self.at):
            self.implied.setdefault(path, line)
            self.take(DOT)
            path = (*path, self.part())
        self.written.setdefault(path, line)
        return path

    def part(self) -> str:
        match = self.take(KEY)
        return str(tomllib.loads(f"key = {match[0]}")["key"]) if match["quoted"] else match[0]

    def take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self.text, self.at)
        if not match:
            raise ValueError(f"The line {self.line} is not understood.")
        self.line += self.text.count("\n", self.at, match.end())
        self.at = match.end()
        return match

    def next_is(self, character: str) -> bool:
        return self.text.startswith(character, self.at)

    def expect(self, character: str) -> None:
        if not self.next_is(character):
            raise ValueError(f"The line {self.line} is not understood.")
        self.at += 1

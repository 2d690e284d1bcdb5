"""
What the lists, tables, patterns and constants of the package are is stated a second time, in ``entries.txt``.

A missing entry is a variable that leaks, an option that stays on a site or a path that is not guarded; a limit that is
another one lets in what it kept out; and no other test has each of them. With ``--regenerate`` the file is written
anew; review it as a diff, line by line.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from itertools import groupby
from pathlib import Path, PurePath
from typing import Any

import pytest

import wagtail_multihost
from tests.mutations import PROSE_WORDS, ROOMS

PACKAGE = Path(wagtail_multihost.__file__).parent
STATED = Path(__file__).parent / "entries.txt"
PLAIN = (str, bytes, int, float, bool, type(None), PurePath, Enum)


def declared() -> dict[str, list[str]]:
    """Return the entries of every list, set, table and pattern that a module of the rooms declares, by its name."""
    found = {}
    for file in sorted({path for room in ROOMS for path in PACKAGE.glob(room)}):
        module = ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for name in names(file):
            value = getattr(importlib.import_module(f"wagtail_multihost.{module}"), name)
            entries = list(entries_of(value))
            if entries:
                found[f"{module}.{name}"] = entries
    return found


def names(file: Path) -> Iterator[str]:
    """Yield the names of a module that are written as constants are, and those of its classes."""
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name) and node.id.isupper())


def entries_of(value: object) -> Iterator[str]:
    """Yield what is in a value, an entry each; nothing for prose, and for what has no value of its own."""
    if isinstance(value, int | float | bytes | PurePath) or (
        isinstance(value, str) and len(value.split()) < PROSE_WORDS
    ):
        yield repr(value)
    elif isinstance(value, re.Pattern):
        yield text_of(value)
    elif isinstance(value, type):
        yield from (f"{entry.name}: {entry.value!r}" for entry in value) if issubclass(value, Enum) else ()
    elif isinstance(value, Mapping):
        yield from (f"{text_of(key)}: {text_of(entry)}" for key, entry in value.items())
    elif isinstance(value, set | frozenset):
        members = sorted(text_of(entry) for entry in value)
        are_characters = all(isinstance(entry, str) and len(entry) == 1 for entry in value)
        yield from ["".join(sorted(value))] if are_characters and value else members  # type: ignore[type-var]
    elif isinstance(value, tuple | list | range):
        yield from (text_of(entry) for entry in value) if not isinstance(value, range) else [repr(value)]


def text_of(value: Any) -> str:
    if isinstance(value, re.Pattern):
        return f"{value.pattern!r} {re.RegexFlag(value.flags)!r}"
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(entries_of(value)) + "}"
    if isinstance(value, tuple | list | set | frozenset):
        return "(" + ", ".join(entries_of(value)) + ")"
    return getattr(value, "__name__", type(value).__name__)


@cache
def stated() -> dict[str, list[str]]:
    lines = [line.partition(" = ") for line in STATED.read_text(encoding="utf-8").splitlines()]
    return {name: [entry for _, _, entry in group] for name, group in groupby(lines, key=lambda line: line[0])}


@pytest.fixture(scope="module")
def entries(request: pytest.FixtureRequest) -> dict[str, list[str]]:
    found = declared()
    if request.config.getoption("--regenerate"):
        text = "".join(f"{name} = {entry}\n" for name, entries in found.items() for entry in entries)
        STATED.write_text(text, encoding="utf-8")
        stated.cache_clear()
    return found


@pytest.mark.parametrize("name", stated() if STATED.exists() else [])
def test_every_entry_is_stated(entries: dict[str, list[str]], name: str) -> None:
    """A list has the entries that are stated for it, in their order, and no others."""
    assert entries.get(name) == stated()[name]


def test_every_list_is_stated(entries: dict[str, list[str]]) -> None:
    """No list, set, table or pattern is without a statement of what is in it."""
    assert set(entries) == set(stated())


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("backends.credentials.OF_THE_ROLE", "'AWS_EC2_'"),
        ("backends.storage.NOT_AMBIENT", "'endpoint_url': None"),
        ("health.access.FORWARDING", "'X-Forwarded-For'"),
        ("resolver.ambient.LIBPQ", "'PGPASSWORD'"),
        ("resolver.caches.ADDRESS", "'OPTIONS'"),
        ("spec.libpq.NOT_AMBIENT", "'requirepeer': ''"),
    ],
)
def test_lists_of_which_each_entry_closes_a_hole_are_among_them(
    entries: dict[str, list[str]], name: str, entry: str
) -> None:
    """What is collected from the package is what its modules have."""
    assert entry in entries[name]

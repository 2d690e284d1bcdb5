"""Patches of a site's record, as somebody states them on a node, and how two records differ."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.node.reading import Table
from wagtail_multihost.registry.node_keys import SITES, leaves, site_table
from wagtail_multihost.registry.record import KEY_PATH
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.printing import one_line

#: Only registration gives these.
PINS = ("uid", "names")
MASK = "(not shown)"
NO_SECRETS = "Secrets are not changed here: state one in the node file, as env:NAME."


class Difference(NamedTuple):
    """A key whose value is another one ``here`` than in ``control``; None where it is not stated."""

    key: str
    here: str | None
    control: str | None


def parse_patch(site: str, words: Iterable[str], removed: Iterable[str]) -> dict[str, Any]:
    """
    Return the patch that ``KEY=VALUE`` words and the ``removed`` keys are. Raises ConfigurationError with all problems:
    of the node's keys, of secrets, and of what only registration gives.
    """
    problems: list[Problem] = []
    patch: dict[str, Any] = {}
    stated: list[tuple[str, object]] = [(key, None) for key in removed]
    for word in words:
        key, separator, text = word.partition("=")
        if separator and key:
            stated.append((key, parse_value(text)))
        else:
            problems.append(Problem(shown(word), "It must be KEY=VALUE.", site))
    for key, value in stated:
        if not put(patch, tuple(key.split(".")), value):
            problems.append(Problem(shown(key), "It is stated as a value and as a table.", site))
    if not patch and not problems:
        problems.append(Problem("KEY=VALUE", "State at least one key, or --remove KEY.", site))
    problems.extend(key_problems(site, patch))
    if problems:
        raise ConfigurationError(problems)
    return patch


def key_problems(site: str, patch: Table) -> Iterator[Problem]:
    """Yield a problem for each key that nobody may change here."""
    for leaf in leaves(patch, site_table(), (SITES, site)):
        where = f"Site {site}: {'.'.join(leaf.path[2:])}"
        if leaf.path[2] in PINS:
            yield Problem(where, "It never changes.", site)
        elif leaf.is_secret or leaf.is_reference:
            yield Problem(where, NO_SECRETS, site)
        elif leaf.is_of_node:
            yield Problem(where, "It is a key of the node: state it in the node file.", site)


def put(table: dict[str, Any], path: KEY_PATH, value: object) -> bool:
    """State a value at a path; return False where a value stands on the way to it."""
    *inner, name = path
    for part in inner:
        below = table.setdefault(part, {})
        if not isinstance(below, dict):
            return False
        table = below
    table[name] = value
    return True


def parse_value(text: str) -> object:
    """Return a value as TOML writes it; what is none that a record may have is a text."""
    try:
        document = tomllib.loads(f"value = {text}\n")
        json.dumps(document, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return text
    return document["value"] if document.keys() == {"value"} else text


def make_patch(before: Table, after: Table) -> dict[str, Any]:
    """Return the patch that makes one record the other."""
    found: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        below = before.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            if inner := make_patch(below, value):
                found[key] = inner
        elif key not in before or below != value:
            found[key] = value
    return found


def compare_records(site: str, here: Table, control: Table) -> list[Difference]:
    """Return the keys that differ; values of what is or refers to a secret are masked."""
    one, other = dict(flatten(here)), dict(flatten(control))
    hidden = {
        leaf.path[2:]
        for record in (here, control)
        for leaf in leaves(record, site_table(), (SITES, site))
        if leaf.is_secret or leaf.is_reference
    }
    return [
        Difference(".".join(path), shown_value(one, path, hidden), shown_value(other, path, hidden))
        for path in sorted(one.keys() | other.keys())
        if one.get(path) != other.get(path)
    ]


def shown_value(record: Mapping[KEY_PATH, object], path: KEY_PATH, hidden: set[KEY_PATH]) -> str | None:
    if path not in record:
        return None
    is_hidden = any(path[: len(other)] == other for other in hidden)
    return MASK if is_hidden else one_line(shown(record[path]))


def merge_patch(record: object, patch: Table) -> dict[str, Any]:
    """Return a record with what a patch states; what it has as None is removed (RFC 7396)."""
    found = dict(record) if isinstance(record, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            found[key] = merge_patch(found.get(key), value)
        else:
            found[key] = value
    return found


def flatten(table: Table, path: KEY_PATH = ()) -> Iterator[tuple[KEY_PATH, object]]:
    """Yield the values of a table by the paths of their keys."""
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, (*path, key))
        else:
            yield (*path, key), value


def differing_keys(here: Table, control: Table) -> list[str]:
    """Return the names of the keys that two records do not have alike."""
    one, other = dict(flatten(here)), dict(flatten(control))
    return sorted(".".join(path) for path in one.keys() | other.keys() if one.get(path) != other.get(path))

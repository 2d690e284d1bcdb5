"""Which keys of a registry file belong in the database, and which in the node's own file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.control.declared_keys import FILE, Leaf, Table, find_key, leaves_of
from wagtail_multihost.exceptions import Problem
from wagtail_multihost.registry.fields import URL_PARSERS
from wagtail_multihost.registry.record import ENVIRONMENT_REFERENCE, KEY_PATH, PLATFORM, VARIABLE, RegistrySource

PROJECT_SETTINGS = "project_settings"
#: What the registry counts itself.
REVISION = "revision"
#: The keys that say which engine or backend a table is of.
SELECTORS = ("engine", "backend")
IN_THE_CLEAR = "A secret in the clear is not taken over. Put it into a file, and state its path as {key}_file."
URL_REFUSED = "The URL has a secret in it. Write a table, with the secret in a file and its path as {key}_file."
URL_OVER_TABLE = "The URL takes the place of all that the platform's table says, and a table would not. Write a table."


class Parts(NamedTuple):
    """What of a table is for the database, what for the node's file, and what can be in neither."""

    record: dict[str, Any]
    node: dict[str, Any]
    problems: tuple[Problem, ...]


class Splitter:
    """Splits the tables of one registry file: ``platform`` is its own, ``folder`` where its relative paths start."""

    def __init__(self, platform: Table, folder: Path, source: RegistrySource) -> None:
        self.platform = platform
        self.folder = folder
        self.source = source
        declared = platform.get(PROJECT_SETTINGS, {})
        self.secret_settings = {name for name, one in declared.items() if one.get("secret")}

    def split_platform(self) -> Parts:
        stated = {key: value for key, value in self.platform.items() if key != REVISION}
        return self.split(stated, (PLATFORM,), "")

    def split_site(self, identifier: str, table: Table) -> Parts:
        return self.split(table, ("sites", identifier), identifier)

    def split(self, table: Table, path: KEY_PATH, site: str) -> Parts:
        parts = Parts({}, {}, ())
        stated, problems = self.write_tables(table, path, site)
        for leaf in leaves_of(stated):
            if why := self.refuse_leaf(leaf, site):
                problems.append(Problem(self.source.label((*path, *leaf.path)), why, site))
            elif belongs_to_node(leaf, of_platform=not site):
                put(parts.node, leaf.path, self.absolute(leaf, site))
            else:
                put(parts.record, leaf.path, leaf.value)
        return parts._replace(problems=tuple(problems))

    def write_tables(self, table: Table, path: KEY_PATH, site: str) -> tuple[dict[str, Any], list[Problem]]:
        """Return the table with tables in the place of its URLs; those that would say something else are problems."""
        found, problems = dict(table), []
        for name, parse in URL_PARSERS.items():
            if not isinstance(table.get(name), str):
                continue
            fields = parse(table[name])
            found[name] = fields
            if secret := next((key for key in fields if is_secret((name, key), of_platform=not site)), ""):
                found.pop(name)
                why = URL_REFUSED.format(key=secret)
                problems.append(Problem(self.source.label((*path, name)), why, site))
            elif site and self.overlays(name, fields):
                problems.append(Problem(self.source.label((*path, name)), URL_OVER_TABLE, site))
        return found, problems

    def overlays(self, name: str, fields: Mapping[str, object]) -> bool:
        """Return whether the platform states more of the same kind, which would be under a site's table."""
        stated = self.platform.get(name)
        outer = URL_PARSERS[name](stated) if isinstance(stated, str) else stated or {}
        same = any(key in fields and outer.get(key) == fields[key] for key in SELECTORS)
        return same and not set(outer) <= set(fields)

    def refuse_leaf(self, leaf: Leaf, site: str) -> str:
        """Return why a value can be neither in the database nor in the node's file; blank if it can."""
        key = find_key(leaf.path, of_platform=not site)
        # Where names of secrets are the operator's choice, those of their files are in the same table.
        is_file = leaf.path[-1].endswith(FILE)
        if is_file or not (self.is_secret_setting(leaf, site) or (key is not None and key.is_secret)):
            return ""
        values = leaf.value if isinstance(leaf.value, list) else [leaf.value]
        are_references = all(re.fullmatch(f"{ENVIRONMENT_REFERENCE}{VARIABLE}", str(value)) for value in values)
        return "" if are_references else IN_THE_CLEAR.format(key=leaf.path[-1])

    def is_secret_setting(self, leaf: Leaf, site: str) -> bool:
        """Return whether a value is that of a setting that the project declares to be secret."""
        if leaf.path[0] != PROJECT_SETTINGS or len(leaf.path) < 2:
            return False
        is_value = len(leaf.path) == 2 if site else leaf.path[2:] == ("default",)
        return is_value and leaf.path[1] in self.secret_settings

    def absolute(self, leaf: Leaf, site: str) -> object:
        """Return a value of the node's with its path in full: the node's file is in another folder."""
        key = find_key(leaf.path, of_platform=not site)
        is_path = leaf.path[-1].endswith(FILE) or (key is not None and key.type.startswith("path"))
        if not is_path or not isinstance(leaf.value, str):
            return leaf.value
        return str(Path(self.folder, leaf.value))


def belongs_to_node(leaf: Leaf, *, of_platform: bool) -> bool:
    """Return whether only the node's own file may state a value."""
    key = find_key(leaf.path, of_platform=of_platform)
    if key is None:
        return False  # the readers report it
    is_table = key.type.endswith("table") and len(leaf.path) == 1
    return key.is_secret or (key.who == "node" and not is_table)


def is_secret(path: KEY_PATH, *, of_platform: bool) -> bool:
    key = find_key(path, of_platform=of_platform)
    return key is not None and key.is_secret


def put(table: dict[str, Any], path: KEY_PATH, value: object) -> None:
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value


def joined(record: Table, node: Table) -> dict[str, Any]:
    """Return a table as a registry file has it: what the database and what the node's file says."""
    found = dict(record)
    for key, value in node.items():
        inner = found.get(key)
        found[key] = joined(inner, value) if isinstance(value, Mapping) and isinstance(inner, Mapping) else value
    return found


def tables_of(document: Table, name: str) -> Iterator[tuple[str, Table]]:
    """Yield the tables in the table ``name`` of a document, with their names."""
    for key, value in document.get(name, {}).items():
        if isinstance(value, Mapping):
            yield key, value

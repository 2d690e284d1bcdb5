"""The records of a database with the node's own keys on top, which no database may state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.registry.base import SITES_PATH, records_of
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.registry.node_keys import (
    SITES,
    KnownTable,
    fields_of_value,
    is_key_of_node,
    leaves,
    platform_table,
    site_table,
)
from wagtail_multihost.registry.record import KEY_PATH, PLATFORM, Record
from wagtail_multihost.registry.typed import TypedSource, dotted
from wagtail_multihost.spec.identifiers import shown

if TYPE_CHECKING:
    from wagtail_multihost.registry.postgres import Reading

DATA, REVISION = "data", "revision"
#: Stands in for the folder that the node file does not state, which is reported.
NOWHERE = Path("/nonexistent/data")


class PostgresSource(TypedSource):
    """
    Keys are named as the operator knows them: ``Site aurora: database.host``, or by the node file where that states
    them. Secrets that the database names are confined by the rules of the node file.
    """

    assumes_development = False
    makes_platform_key = False
    pins_with = "Registration pins each site when it is made: its record needs uid and all names"

    def __init__(
        self,
        node: NodeFile,
        of_node: Iterable[KEY_PATH],
        environ: Mapping[str, str],
        *,
        reads_secrets: bool,
        revision: int,
    ) -> None:
        super().__init__(NOWHERE, environ, reads_secrets=reads_secrets, revision=revision)
        self.node = node
        self.of_node = frozenset(of_node)

    def label(self, path: KEY_PATH) -> str:
        if path in self.of_node or is_key_of_node(path):
            return f"{self.node.label}: {dotted(path)}"
        if path[:1] == (PLATFORM,):
            who, rest = "Platform", path[1:]
        elif path[:1] == SITES_PATH and path[1:]:
            who, rest = f"Site {dotted(path[1:2])}", path[2:]
        else:
            who, rest = "Registry", path
        return f"{who}: {dotted(rest)}" if rest else who

    def absolute_path(self, text: str) -> Path:
        if not text.startswith("/"):
            raise ValueError(f"The path {shown(text)} is relative, and there is no folder to start from.")
        return Path(text)

    def secret_problem(self, text: str, path: KEY_PATH, site: str) -> str:
        return "" if path in self.of_node else self.node.rules.value_problem(text, site)

    def secret_file_problem(self, file: str, path: KEY_PATH, site: str) -> str:
        return "" if path in self.of_node else self.node.rules.file_problem(file, site)


def merge_node_file(
    reading: Reading, node: NodeFile, environ: Mapping[str, str], *, reads_secrets: bool
) -> tuple[Record, list[Record]]:
    """
    Return the records of what the database said, with what the node file says on top. Keys of the node in a record are
    a problem of that record alone, and are left out.
    """
    problems = list(node.problems)
    of_node: set[KEY_PATH] = set()
    platform = merged_record(reading.platform, node.platform, (PLATFORM,), platform_table(), of_node, problems)
    if isinstance(platform, dict):
        platform = with_required(platform, node, problems)
        of_node.add((PLATFORM, DATA))
    sites = {}
    for site, record in reading.sites.items():
        own = node.sites.get(site, {})
        sites[site] = merged_record(record, own, (*SITES_PATH, site), site_table(), of_node, problems)
    source = PostgresSource(node, of_node, environ, reads_secrets=reads_secrets, revision=reading.revision)
    record, found = records_of(platform, sites, source)
    known = {site.site for site in found}
    record.problems.extend(problem for problem in problems if not problem.site or problem.site in known)
    return record, found


def with_required(platform: dict[str, Any], node: NodeFile, problems: list[Problem]) -> dict[str, Any]:
    """
    Return the platform's table with its data folder, and without a revision: the database counts its own, whatever a
    registry stated that was imported.
    """
    if DATA not in platform:
        message = "It is missing: there is no folder that it could be beside. State it in [platform]."
        problems.append(Problem(f"{node.label}: {PLATFORM}.{DATA}", message))
        platform = {**platform, DATA: str(NOWHERE)}
    return {key: value for key, value in platform.items() if key != REVISION}


def merged_record(
    record: object,
    node: Mapping[str, object],
    path: KEY_PATH,
    known: KnownTable,
    of_node: set[KEY_PATH],
    problems: list[Problem],
) -> object:
    """Return a record with the node's keys, whose paths are added to ``of_node``; problems are reported."""
    if not isinstance(record, dict):
        return record
    refused = {leaf.path for leaf in leaves(record, known, path) if leaf.is_of_node and not leaf.is_reference}
    site = path[1] if path[:1] == (SITES,) else ""
    who = f"Site {dotted((site,))}" if site else "Platform"
    for key_path in sorted(refused):
        message = "It is a key of the node: root acts on it, so no database may state it. State it in the node file."
        problems.append(Problem(f"{who}: {dotted(key_path[len(path) :])}", message, site))
    accepted = without(record, path, refused)
    twice = [found for found in paths_of(node, path) if is_stated(accepted, found[len(path) :])]
    for key_path in twice:
        message = "The node file states it too. State it in one place."
        problems.append(Problem(f"{who}: {dotted(key_path[len(path) :])}", message, site))
    of_node.update(found for found in table_paths(node, path) if not is_stated(accepted, found[len(path) :]))
    return overlaid(accepted, node)


def without(table: Mapping[str, object], path: KEY_PATH, refused: set[KEY_PATH]) -> dict[str, Any]:
    """Return a table without the values at the ``refused`` paths; one that is a URL with such a key is left out."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        here = (*path, name)
        if here in refused:
            continue
        inside = {other for other in refused if other[: len(here)] == here}
        if not inside:
            found[name] = value
        elif isinstance(value, dict):
            found[name] = without(value, here, inside)
    return found


def overlaid(table: Mapping[str, object], own: Mapping[str, object]) -> dict[str, Any]:
    """Return a table with that of the node on top, key by key; a URL is taken apart where the node has keys for it."""
    found = dict(table)
    for name, value in own.items():
        below = found.get(name)
        if isinstance(value, dict) and below is not None:
            fields = fields_of_value(name, below)
            found[name] = overlaid(fields, value) if fields or isinstance(below, dict) else below
        else:
            found.setdefault(name, value)
    return found


def paths_of(table: Mapping[str, object], path: KEY_PATH) -> Iterator[KEY_PATH]:
    """Yield the paths of the values of a table, and of the tables in it."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from paths_of(value, (*path, name))
        else:
            yield (*path, name)


def table_paths(table: Mapping[str, object], path: KEY_PATH) -> Iterator[KEY_PATH]:
    """Yield the paths of the keys of a table and of the tables in it, these too."""
    for name, value in table.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from table_paths(value, (*path, name))


def is_stated(table: Mapping[str, object], path: KEY_PATH) -> bool:
    """Return whether a table has a value, or a table, at a path below it."""
    current: object = table
    for name in path:
        if not isinstance(current, dict) or name not in current:
            return False
        current = current[name]
    return True

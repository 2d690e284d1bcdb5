"""
Validation of records by the readers that every registry has. No file that a record names is opened, and no secret read.

What only a node's own file states is not here, so where a record needs it, something stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.control.declared_keys import FILE, Leaf, Table, leaves_of, refusal_of
from wagtail_multihost.exceptions import Problem
from wagtail_multihost.registry.base import records_of
from wagtail_multihost.registry.platform_record import Defaults, read_platform
from wagtail_multihost.registry.record import KEY_PATH, PLATFORM, Record
from wagtail_multihost.registry.site_record import SiteReader
from wagtail_multihost.registry.typed import TypedSource
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

#: Where the node's own folders would be. Nothing is looked up there.
NODE = Path("/node")
STAND_IN = f"{NODE}/{{site}}"
#: Keys that a table may need and a node's file has.
OF_NODE: Mapping[str, Table] = {
    "database": {f"password{FILE}": f"{STAND_IN}/database"},
    "cache": {f"password{FILE}": f"{STAND_IN}/cache"},
    "mail": {f"password{FILE}": f"{STAND_IN}/mail"},
    "tls": {"certificate": f"{STAND_IN}/certificate", "key": f"{STAND_IN}/key"},
    "frontend": {f"{key}{FILE}": f"{STAND_IN}/{key}" for key in ("token", "access_key", "secret_key")},
}
DEFAULT_REFUSED = "A secret's default is never kept here: only a node's own file may state default_file."


class ControlSource(TypedSource):
    """Keys are named as people see them: ``Site aurora: database.host``, ``Platform: origin``."""

    def __init__(self, revision: int = 0) -> None:
        super().__init__(NODE / "registry", {}, reads_secrets=False, revision=revision)

    def secret_problem(self, text: str, path: KEY_PATH, site: str) -> str:
        return ""  # what a record may state is looked at before it is read

    def label(self, path: KEY_PATH) -> str:
        if path[:1] == (PLATFORM,):
            head, rest = "Platform", path[1:]
        else:
            head, rest = f"Site {path[1]}" if len(path) > 1 else "Sites", path[2:]
        return f"{head}: {'.'.join(rest)}" if rest else head


class PlatformReading(NamedTuple):
    """A platform's record as it was read: its spec (None if it has problems), its sites' defaults, the problems."""

    spec: PlatformSpec | None
    defaults: Defaults
    source: ControlSource
    problems: tuple[Problem, ...]


def refused_problems(table: Table, site: str) -> Iterator[Problem]:
    """Yield a problem for each value that no record in a database may have; ``site`` is blank for the platform."""
    source, path = ControlSource(), ("sites", site) if site else (PLATFORM,)
    for leaf in leaves_of(table):
        if why := refusal_of(leaf, of_platform=not site) or secret_default(leaf, table, of_platform=not site):
            yield Problem(source.label((*path, *leaf.path)), why, site)


def secret_default(leaf: Leaf, table: Table, *, of_platform: bool) -> str:
    """Return why the default of a declared setting is refused; blank for any other value."""
    if not of_platform or len(leaf.path) != 3 or leaf.path[0] != "project_settings" or leaf.path[2] != "default":
        return ""
    return DEFAULT_REFUSED if table["project_settings"][leaf.path[1]].get("secret") else ""


def read_platform_record(table: Table) -> PlatformReading:
    """Return what a platform's record says."""
    source = ControlSource()
    # What the project declares is the node's to check: its values are in no record here.
    stated = {key: value for key, value in table.items() if key != "project_settings"}
    record, _ = records_of(with_node_keys(stated), {}, source)
    spec, defaults = read_platform(record)
    return PlatformReading(spec, defaults, source, (*check_declarations(table, source), *record.problems))


def check_declarations(table: Table, source: ControlSource) -> tuple[Problem, ...]:
    """Return the problems of the settings that a platform declares for its project."""
    from wagtail_multihost.registry.declarations import read_project_settings

    problems: list[Problem] = []
    stated = {key: table[key] for key in ("project_settings",) if key in table}
    read_project_settings(Record.of(stated, (PLATFORM,), source, problems))
    return tuple(problems)


def read_site_record(identifier: str, table: Table, platform: PlatformReading) -> tuple[SiteSpec | None, list[Problem]]:
    """Return the site that a record describes, None if it has problems, and the problems."""
    spec, problems = read_once(identifier, with_node_keys(table), platform)
    lacking = tables_lacking_node_keys(problems) if spec is None else {}
    if lacking:
        # The record need not have the table: the platform may.
        filled = {name: {**keys, **table.get(name, {})} for name, keys in lacking.items()}
        spec, problems = read_once(identifier, {**with_node_keys(table), **filled}, platform)
    return spec, problems


def tables_lacking_node_keys(problems: Iterable[Problem]) -> dict[str, dict[str, str]]:
    """Return what stands in for the keys of the node that are missed, by the table that they are in."""
    missed = {problem.where.rpartition(": ")[2] for problem in problems}
    found = {
        name: {key: value for key, value in keys.items() if f"{name}.{key.removesuffix(FILE)}" in missed}
        for name, keys in OF_NODE.items()
    }
    return {name: keys for name, keys in found.items() if keys}


def read_once(identifier: str, table: Table, platform: PlatformReading) -> tuple[SiteSpec | None, list[Problem]]:
    source = platform.source
    problems: list[Problem] = []
    record = Record.of(table, ("sites", identifier), source, problems, identifier)
    # Which variables and codebases there are is declared in the node's file.
    names, codebase = table.get("env"), table.get("codebase")
    declared = platform.defaults if not isinstance(names, dict) else with_variables(platform.defaults, names)
    if isinstance(codebase, str):
        declared = with_codebase(declared, codebase)
    basis = platform.spec or PlatformSpec(name="unknown", data=NODE)
    spec = SiteReader(record, basis, declared, requires_pin=False).read()
    return spec, problems


def with_variables(defaults: Defaults, names: Iterable[str]) -> Defaults:
    """Return the defaults with the variables declared that a record states."""
    from wagtail_multihost.spec.variables import Variable

    declared = {name: Variable() for name in names}
    return Defaults(defaults.fields, defaults.settings, defaults.project_settings, {**declared, **defaults.env})


def with_codebase(defaults: Defaults, name: str) -> Defaults:
    """Return the defaults with a codebase listed that a record names; the nodes refuse one that they do not have."""
    return Defaults(defaults.fields, defaults.settings, defaults.project_settings, defaults.env, {name: None})


def with_node_keys(table: Table) -> dict[str, Any]:
    """Return a record in which something stands in for its certificate, which no record here has."""
    inner = table.get("tls")
    return {**table, "tls": {**OF_NODE["tls"], **inner}} if isinstance(inner, Mapping) else dict(table)

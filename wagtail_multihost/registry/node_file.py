"""
The node file: what the node alone may say of its sites, for a registry that others than root change.

It has the vocabulary of ``sites.toml``, of which it may state only keys of the node, and the rules for secrets.
"""

from __future__ import annotations

import errno
import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.node_keys import SITES, Leaf, leaves, platform_table, site_table
from wagtail_multihost.registry.record import ENVIRONMENT_REFERENCE, KEY_PATH, PLATFORM
from wagtail_multihost.registry.references import NO_RULES, ReferenceRules, read_rules
from wagtail_multihost.registry.toml import TomlFile
from wagtail_multihost.spec.identifiers import parse_site_id, shown
from wagtail_multihost.spec.permissions import (
    NO_FOREIGN_WRITING,
    ROOT,
    access_problem,
    foreign_writer_problem,
    own_accounts,
    path_problem,
)
from wagtail_multihost.spec.platform import PRODUCTION

VARIABLE = "MULTIHOST_NODE_FILE"
DEFAULT = Path("/etc/multihost/node.toml")
SECRETS = "secrets"
#: What the node's agent does; :mod:`wagtail_multihost.node.options` reads it.
AGENT = "agent"
TABLES = (PLATFORM, SITES, SECRETS, AGENT)
Table = dict[str, object]


class NodeFile(NamedTuple):
    """
    What the file at ``path`` says (None: there is none): the keys of the ``platform``, those of ``sites`` by their ids,
    the ``rules`` for secrets, what the ``agent`` is told, and the ``problems`` of all that.
    """

    path: Path | None
    platform: Table
    sites: Mapping[str, Table]
    rules: ReferenceRules = NO_RULES
    problems: tuple[Problem, ...] = ()
    agent: Mapping[str, object] = {}

    @property
    def label(self) -> str:
        return self.path.name if self.path else f"{VARIABLE} or {DEFAULT}"


NO_NODE_FILE = NodeFile(None, {}, {})


class NodeToml(TomlFile):
    """The file at ``path``, which no other account than root's and this process's may have written."""

    what = "node file"
    missing = f"There is no node file here. Set {VARIABLE} to its path."

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))

    def refuse_status(self, status: os.stat_result) -> None:
        super().refuse_status(status)
        problem = access_problem(status, NO_FOREIGN_WRITING, own_accounts()) or path_problem(self.path)
        if problem:
            raise PermissionError(errno.EPERM, f"it is not accepted. {problem.rstrip('.')}")


def find_node_file(environ: Mapping[str, str]) -> Path | None:
    """Return the path of the node file: the stated one, or the usual one if it exists. Raises ConfigurationError."""
    stated = environ.get(VARIABLE)
    if stated is None:
        return DEFAULT if os.path.lexists(DEFAULT) else None
    if not stated.startswith("/"):
        raise ConfigurationError.because("It must be an absolute path.", where=VARIABLE)
    return Path(stated)


def read_node_file(environ: Mapping[str, str]) -> NodeFile:
    """Return what the node file says; raises ConfigurationError for one that cannot be read or trusted."""
    path = find_node_file(environ)
    if path is None:
        return NO_NODE_FILE
    file = NodeToml(path)
    node = file.parsed_by(partial(parse_node_file, file.path))
    if node.platform.get("environment") == PRODUCTION:
        refuse_foreign_writers(file.path)
    return node


@lru_cache(maxsize=1)
def parse_node_file(path: Path, text: str) -> NodeFile:
    """Return what a node file says; that of the same text is remembered, as the agent reads it again and again."""
    document: Table = tomllib.loads(text)
    platform, sites = document.get(PLATFORM, {}), document.get(SITES, {})
    problems = list(shape_problems(document, path.name))
    rules = read_rules(document.get(SECRETS, {}), path.name, problems)
    known = {site: table for site, table in sites.items() if isinstance(table, dict)} if isinstance(sites, dict) else {}
    own = platform if isinstance(platform, dict) else {}
    problems.extend(foreign_key_problems(own, known, path.name))
    agent = document.get(AGENT, {})
    return NodeFile(path, own, known, rules, tuple(problems), agent if isinstance(agent, dict) else {})


def refuse_foreign_writers(path: Path) -> None:
    """Raise ConfigurationError for a file that an account other than root can change: root acts on what it says."""
    if problem := foreign_writer_problem(path, (ROOT,)):
        message = f"The node file is not accepted in production: only root may change it. {problem}"
        raise ConfigurationError.because(message, where=str(path))


def shape_problems(document: Table, name: str) -> Iterator[Problem]:
    """Yield what is not a table of the file, and no table of a site."""
    for key, value in document.items():
        if key not in TABLES:
            yield Problem(f"{name}: {key}", f"The table {shown(key)} is not known. Accepted: {', '.join(TABLES)}.")
        elif not isinstance(value, dict):
            yield Problem(f"{name}: {key}", "It must be a table.")
    sites = document.get(SITES)
    for site, table in sites.items() if isinstance(sites, dict) else ():
        if not isinstance(table, dict):
            yield Problem(f"{name}: {SITES}.{site}", "It must be a table.", site)
        try:
            parse_site_id(site)
        except ValueError as error:
            yield Problem(f"{name}: {SITES}", str(error))


def foreign_key_problems(platform: Table, sites: Mapping[str, Table], name: str) -> Iterator[Problem]:
    """
    Yield each key that is neither the node's nor refers to a secret: those that people change are in the database, with
    who changed them.
    """
    found: list[tuple[KEY_PATH, str]] = [
        (leaf.path, "") for leaf in leaves(platform, platform_table(), (PLATFORM,)) if not may_be_here(leaf)
    ]
    for site, table in sites.items():
        own = leaves(table, site_table(), (SITES, site))
        found += [(leaf.path, site) for leaf in own if not may_be_here(leaf)]
    for path, site in found:
        yield Problem(
            f"{name}: {'.'.join(path)}",
            "It is not one of the node's keys, which alone are in the node file. State it in the registry.",
            site,
        )


def may_be_here(leaf: Leaf) -> bool:
    """Return whether the node file may state a value: the node's keys, and secrets by the names of variables."""
    values = leaf.value if isinstance(leaf.value, list) else [leaf.value]
    return leaf.is_of_node or (leaf.is_secret and all(str(value).startswith(ENVIRONMENT_REFERENCE) for value in values))

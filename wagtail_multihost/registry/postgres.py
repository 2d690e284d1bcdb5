"""
A registry in PostgreSQL, as nodes read it: the database says which sites there are, the node file what root acts on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, MultihostError, Problem
from wagtail_multihost.nodeapi import v1
from wagtail_multihost.nodeapi.connection import (
    BOUNDS,
    Bounds,
    RefusedError,
    UnreachableError,
    fetch_row,
    open_connection,
)
from wagtail_multihost.registry.base import Registry, Tell
from wagtail_multihost.registry.merging import merge_node_file
from wagtail_multihost.registry.node_file import NodeFile, read_node_file
from wagtail_multihost.registry.postgres_service import connection_parameters, private_files
from wagtail_multihost.registry.postgres_url import parse_postgres_url
from wagtail_multihost.registry.record import Record

#: A role that may read the views writes nothing, whatever else it may.
READ_ONLY = "-c default_transaction_read_only=on"
UNDEFINED = ("3F000", "42P01", "42703")
FORBIDDEN = "42501"
MOST_NAMED = 10

logger = logging.getLogger(__name__)


class RegistryUnreachableError(ConfigurationError):
    """The database of a registry does not answer. What it said last may still be used to render."""


class Reading(NamedTuple):
    """What the database said, all of one moment: the ``platform`` and its ``sites`` by id, as they were written."""

    incarnation: str
    revision: int
    platform: object
    sites: Mapping[str, object]


class PostgresRegistry(Registry):
    """The registry in the database at ``url``, which has no password in it; with the node file of ``environ``."""

    is_for_operators = True
    assumes_development = False

    def __init__(self, url: str, environ: Mapping[str, str], bounds: Bounds = BOUNDS) -> None:
        self.target = parse_postgres_url(url)
        self.environ = environ
        self.bounds = bounds
        self.name = self.target.name
        self.url = self.target.url
        self.node = NodeFile(None, {}, {})
        self.files = private_files(self.target)

    def for_rendering(self, tell: Tell) -> Registry:
        from wagtail_multihost.registry.postgres_rendering import RenderingRegistry  # loads only for such commands

        return RenderingRegistry(self, tell)

    def read_tables(self, *, reads_secrets: bool) -> tuple[Record, list[Record]]:
        node = self.read_node()
        reading = self.read()
        warn_of_strangers(node, reading.sites)
        return merge_node_file(reading, node, self.environ, reads_secrets=reads_secrets)

    def read_tables_for(self, site: str, *, reads_secrets: bool) -> tuple[Record, list[Record]]:
        """Return the platform's record and, if there is such a site, its own; no other is read."""
        node = self.read_node()
        return merge_node_file(self.read([site]), node, self.environ, reads_secrets=reads_secrets)

    def read_node(self) -> NodeFile:
        self.node = read_node_file(self.environ)
        own = (self.node.path,) if self.node.path else ()
        self.files = (*own, *private_files(self.target))
        return self.node

    def read(self, only: list[str] | None = None) -> Reading:
        """
        Return what the database says of all sites, or of ``only`` some; raises ConfigurationError, of which
        RegistryUnreachableError says that it did not answer.
        """
        parameters = {**connection_parameters(self.target), "options": READ_ONLY}
        failure: ConfigurationError
        try:
            with open_connection(parameters, self.bounds) as connection:
                row = fetch_row(connection, v1.READ, {"only": only}, self.bounds)
        except UnreachableError as error:
            failure = RegistryUnreachableError.because(str(error), where=self.name)
        except RefusedError as error:
            failure = ConfigurationError.because(refusal_message(error), where=self.name)
        except MultihostError as error:
            failure = ConfigurationError.because(str(error), where=self.name)
        else:
            problem = row_problem(row)
            if row is not None and not problem:
                return reading_of(row)
            failure = ConfigurationError.because(problem, where=self.name)
        raise failure

    def unknown_site_message(self, site: str, known: Iterable[str]) -> str:
        return f"{super().unknown_site_message(site, known)} It was never there, or was retired."

    def locate(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        if self.node.path is None:
            return tuple(problems)
        from wagtail_multihost.registry.lines import locate_in_file  # loads only for a report

        return locate_in_file(self.node.path, problems)


def reading_of(row: tuple[Any, ...]) -> Reading:
    incarnation, revision, platform, sites, _ = row
    return Reading(str(incarnation), int(revision), platform, {site: sites[site] for site in sorted(sites)})


def row_problem(row: tuple[Any, ...] | None) -> str:
    """Return why an answer is not a whole registry, of which an empty one is one too; blank if it is."""
    if row is None:
        return "The database has no registry yet: it has no head. Run the migrations of the control site."
    _, _, platform, sites, count = row
    if platform is None or platform == {}:
        return "The database has no platform yet. Save one in the control site, or import a registry."
    if not isinstance(sites, dict) or count not in (None, len(sites)):
        return (
            f"The answer has {len(sites)} sites, but the database says that there are {count}. An answer that is not "
            "whole is not used."
        )
    return ""


def refusal_message(error: RefusedError) -> str:
    if error.sqlstate in UNDEFINED:
        return (
            f"The database has no {v1.SCHEMA} that this version reads: it is not that of a control site, or its "
            "migrations have not run."
        )
    if error.sqlstate == FORBIDDEN:
        return f"The role may not read {v1.SCHEMA}. Let it be a member of multihost_reader."
    return str(error)


def warn_of_strangers(node: NodeFile, sites: Mapping[str, object]) -> None:
    """Warn of sites that the node file has and the registry has not: they may be retired, or be misspelt."""
    strangers = sorted(node.sites.keys() - sites.keys())
    if strangers:
        more = f" and {len(strangers) - MOST_NAMED} more" if len(strangers) > MOST_NAMED else ""
        logger.warning(
            "%s has tables of sites that the registry does not have: %s%s.",
            node.path,
            ", ".join(strangers[:MOST_NAMED]),
            more,
        )

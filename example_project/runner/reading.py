"""Reading what the control site says, as nodes do: of one revision, in one statement."""

from typing import Any, NamedTuple

import psycopg

from runner.children import Failure
from runner.registry import NODE, merge, read
from wagtail_multihost.nodeapi import v1

HEAD = f"SELECT incarnation, revision FROM {v1.SCHEMA}.head"  # noqa: S608 - a constant


class Said(NamedTuple):
    """A registry: which one, with what this machine alone says of it."""

    incarnation: object
    revision: int
    document: dict[str, Any]

    def is_of(self, connection: psycopg.Connection) -> bool:
        """Return whether the control site still says so."""
        return connection.execute(HEAD).fetchone() == (self.incarnation, self.revision)


def read_control(connection: psycopg.Connection) -> Said:
    incarnation, revision, platform, sites, count = connection.execute(v1.READ, {"only": None}).fetchone()
    if len(sites) != count:
        raise Failure(f"The control site says that there are {count} sites, and names {len(sites)}.")
    said = {"platform": platform, "sites": sites}
    document = merge(read(NODE), said)
    # The node's file may still speak of sites that are gone.
    document["sites"] = {site: record for site, record in document["sites"].items() if site in sites}
    return Said(incarnation, revision, document)

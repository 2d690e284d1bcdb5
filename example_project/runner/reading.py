"""Reading what the control site says: of one revision, in one statement."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import psycopg

from runner.children import Failure
from runner.registry import NODE, merge, read
from wagtail_multihost.nodeapi import v1

REPORT = "SELECT applied, sites FROM control_report WHERE node_id = %s"


class Report(NamedTuple):
    """What the agent of a node says: the revision that it has ``applied``, and why some sites are ``refused``."""

    applied: int
    refused: Mapping[str, str]


def read_report(connection: psycopg.Connection, node: str) -> Report | None:
    row = connection.execute(REPORT, [node]).fetchone()
    return Report(*row) if row else None


def read_control(connection: psycopg.Connection) -> dict[str, Any]:
    """Return the registry, with what this machine alone says of it."""
    _, _, platform, sites, count = connection.execute(v1.READ, {"only": None}).fetchone()
    if len(sites) != count:
        raise Failure(f"The control site says that there are {count} sites, and names {len(sites)}.")
    document = merge(read(NODE), {"platform": platform, "sites": sites})
    # The node's file may still speak of sites that are gone.
    document["sites"] = {site: record for site, record in document["sites"].items() if site in sites}
    return document

"""What sites want of the nodes of their group, and which nodes may get sites: read from the views that say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from wagtail_multihost.nodeapi.rendezvous import Candidate

WISHES = "SELECT uid, site, group_id, replicas, is_local FROM control_wish"
CANDIDATES = "SELECT group_id, id, zone, weight FROM control_candidate ORDER BY id"


class Wish(NamedTuple):
    """
    A site, and on how many nodes of which group it wants to be: of none (blank) if no group is for it. One that
    ``is_local`` has a part of its own on its node, such as a SQLite database, and is on one.
    """

    uid: UUID
    site: str
    group: str
    replicas: int
    is_local: bool


def read_wishes(only: Iterable[UUID] | None = None) -> list[Wish]:
    """Return what all sites want, or ``only`` some, in the order of their ids; retired ones want nothing."""
    with connection.cursor() as cursor:
        if only is None:
            cursor.execute(f"{WISHES} ORDER BY site")
        else:
            cursor.execute(f"{WISHES} WHERE uid = ANY(%s) ORDER BY site", [list(only)])
        rows = cursor.fetchall()
    return [Wish(uid, site, group or "", replicas or 1, is_local) for uid, site, group, replicas, is_local in rows]


def read_candidates() -> Mapping[str, list[Candidate]]:
    """Return the nodes that may get sites, by group: active, heard of, of some weight, and not being emptied."""
    with connection.cursor() as cursor:
        cursor.execute(CANDIDATES)
        rows = cursor.fetchall()
    found: dict[str, list[Candidate]] = {}
    for group, node, zone, weight in rows:
        found.setdefault(group, []).append(Candidate(node, zone, weight))
    return found

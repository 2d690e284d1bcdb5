"""
What many sites that are down have in common. A cause is found where most of what could be down by it is, and nothing
else explains it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from wagtail_multihost.nodeapi.incident_words import DATABASE, FRONT, MONITOR, NODE
from wagtail_multihost.nodeapi.probe_states import (
    CERTIFICATE_EXPIRED,
    CERTIFICATE_NAME,
    DNS,
    DOWN,
    NOT_READY,
    OUTSIDE,
    REFUSED,
    RESET,
    TIMEOUT,
    TLS,
)
from wagtail_multihost.operations.operator.incident_facts import Cause, Key, Seen

#: So many sites, and such a share of all that there are, have a cause in common.
FEWEST, SHARE = 3, 0.5
#: So many silent nodes are one incident.
MANY_NODES = 5
#: What a front server, or the way to it, does to answers. The other reasons come from behind it.
OF_FRONTS = frozenset({REFUSED, TIMEOUT, DNS, TLS, RESET, CERTIFICATE_EXPIRED, CERTIFICATE_NAME})
Sites = Mapping[tuple[str, str], int]


def find_causes(bad: Iterable[Seen], sites: Sites, silent: frozenset[str]) -> dict[Key, Cause]:
    """Return the cause of each of the rows ``bad`` that is not of one site alone; ``silent`` nodes are known."""
    found: dict[Key, Cause] = {}
    rest = list(bad)
    for find in (by_silent_node, by_database, by_node, by_front):
        found |= find(rest, sites, silent)
        rest = [row for row in rest if row.key not in found]
    return found


def by_silent_node(rows: list[Seen], sites: Sites, silent: frozenset[str]) -> dict[Key, Cause]:
    """Sites of which no node speaks are down with it."""
    are_many = len(silent) >= MANY_NODES
    return {
        row.key: Cause(NODE, "" if are_many else row.nodes[0])
        for row in rows
        if row.nodes and silent.issuperset(row.nodes)
    }


def by_database(rows: list[Seen], sites: Sites, silent: frozenset[str]) -> dict[Key, Cause]:
    """Sites that say themselves that they are not ready, and whose databases are on one server."""
    unready = defaultdict(set)
    for row in rows:
        if row.reason == NOT_READY and row.server:
            unready[row.server].add(row.uid)
    shared = {server for server, found in unready.items() if is_most(len(found), sites.get(("server", server), 0))}
    return {row.key: Cause(DATABASE, row.server) for row in rows if row.server in shared and row.state == DOWN}


def by_node(rows: list[Seen], sites: Sites, silent: frozenset[str]) -> dict[Key, Cause]:
    """Sites that are bad on one node, and not on the others that have them."""
    inside = defaultdict(set)
    for row in rows:
        if row.place != OUTSIDE:
            inside[row.place].add(row.uid)
    found: dict[Key, Cause] = {}
    for place, there in sorted(inside.items()):
        elsewhere = set().union(*(others for other, others in inside.items() if other != place))
        if is_most(len(there), sites.get(("place", place), 0)) and len(there & elsewhere) < SHARE * len(there):
            for row in rows:
                if row.place == place or (row.place == OUTSIDE and row.uid in there):
                    found.setdefault(row.key, Cause(NODE, place))
    return found


def by_front(rows: list[Seen], sites: Sites, silent: frozenset[str]) -> dict[Key, Cause]:
    """
    Sites that are bad from outside alone, as fronts make them. Names of many owners that no longer resolve are a matter
    of who asks.
    """
    inside = {row.uid for row in rows if row.place != OUTSIDE}
    there = [row for row in rows if row.place == OUTSIDE and row.reason in OF_FRONTS and row.uid not in inside]
    if not is_most(len({row.uid for row in there}), sites.get(("place", OUTSIDE), 0)):
        return {}
    is_resolver = all(row.reason == DNS for row in there)
    cause = Cause(MONITOR, OUTSIDE) if is_resolver else Cause(FRONT, "")
    return dict.fromkeys((row.key for row in there), cause)


def is_most(count: int, whole: int) -> bool:
    return count >= FEWEST and count >= SHARE * whole

"""
Placing sites that are on no node, as those that were made before a node of their group had come, and placing anew what
was on a node that said goodbye. Where they should be is decided as control does it.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.operator_plans_v1 import LIST_CANDIDATES, LIST_VACANT, PLACE_SITE
from wagtail_multihost.nodeapi.rendezvous import Candidate, choose_nodes
from wagtail_multihost.operations.operator.database import Ask

#: In one round.
MOST_SITES = 500


def place_sites(ask: Ask) -> int:
    """
    Place the sites that have too few nodes because of that, as far as their groups have nodes; return how many
    placements were made. Raises UnreachableError and RefusedError.
    """
    sites = ask(LIST_VACANT, (MOST_SITES,))
    if not sites:
        return 0
    candidates: dict[str, list[Candidate]] = {}
    for node, group, zone, weight in ask(LIST_CANDIDATES, ()):
        candidates.setdefault(group, []).append(Candidate(node, zone, weight))
    count = 0
    for uid, site, group, missing, staying in sites:
        kept = [Candidate(*one) for one in staying]
        chosen = choose_nodes(site, candidates.get(group, ()), missing + len(kept), kept)
        if new := chosen[len(kept) :]:
            count += ask(PLACE_SITE, (uid, new))[0][0]
    return count

"""
Proposals by weighted rendezvous hashing: each pair of a node and a site has a score that nothing else changes, so that a
node that comes or goes moves no more sites than it must.

The score is weight / -ln(hash) (https://en.wikipedia.org/wiki/Rendezvous_hashing#Weighted_rendezvous_hash): the first node
is the best of all, the next the best in another zone, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

HASH_BYTES = 8
SCALE = 2 ** (8 * HASH_BYTES)


class Candidate(NamedTuple):
    """A node that sites may be placed on."""

    id: str
    zone: str
    weight: int


def score(node: Candidate, site: str) -> float:
    """Return how well a site is placed on a node: higher is better, and in proportion to the weight more often."""
    digest = blake2b(digest_size=HASH_BYTES)
    for text in (node.id.encode(), site.encode()):
        digest.update(len(text).to_bytes(4, "big"))
        digest.update(text)
    drawn = (int.from_bytes(digest.digest(), "big") + 0.5) / SCALE
    return node.weight / -math.log(drawn)


def choose_nodes(site: str, nodes: Sequence[Candidate], replicas: int, kept: Iterable[str] = ()) -> tuple[str, ...]:
    """
    Return the ids of ``replicas`` nodes for a site, or of all if there are fewer; those of ``kept`` come first, so that
    what is placed stays. Nodes of weight 0 get no new site.
    """
    known = {node.id: node for node in nodes}
    chosen = [known[node] for node in dict.fromkeys(kept) if node in known][:replicas]
    ranked = sorted((node for node in nodes if node.weight > 0), key=lambda node: score(node, site), reverse=True)
    while len(chosen) < replicas:
        free = [node for node in ranked if node not in chosen]
        if not free:
            break
        zones = {node.zone for node in chosen}
        chosen.append(next((node for node in free if node.zone not in zones), free[0]))
    return tuple(node.id for node in chosen)


def propose_placements(
    sites: Mapping[str, int], nodes: Sequence[Candidate], placed: Mapping[str, Sequence[str]], *, sticky: bool = True
) -> dict[str, tuple[str, ...]]:
    """
    Return the nodes that each site should be on. ``sites`` has the number of replicas by site, ``placed`` where each is
    now; ``sticky`` keeps what is placed on nodes that are still there, and otherwise everything is balanced anew.
    """
    return {
        site: choose_nodes(site, nodes, replicas, placed.get(site, ()) if sticky else ())
        for site, replicas in sites.items()
    }

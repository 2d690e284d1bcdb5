"""
Which nodes a site should be on, by weighted rendezvous hashing: each pair of a node and a site has a score that nothing
else changes, so that a node that comes or goes moves no more sites than it must.

The score is weight / -ln(hash) (https://en.wikipedia.org/wiki/Rendezvous_hashing#Weighted_rendezvous_hash): the first
node is the best of all, the next the best in another zone, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

HASH_BYTES = 8
SCALE = 2 ** (8 * HASH_BYTES)


class Candidate(NamedTuple):
    """A node that sites may be placed on. Its ``zone`` may be blank, and then it is in the same as all such nodes."""

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
    # Among so many numbers the highest rounds to 1.
    return node.weight / -math.log(min(drawn, math.nextafter(1, 0)))


def choose_nodes(site: str, nodes: Sequence[Candidate], replicas: int, kept: Iterable[Candidate] = ()) -> list[str]:
    """
    Return the ids of ``replicas`` nodes for a site, or of all if there are fewer. Those that are ``kept`` come first,
    so that what is placed stays, whether they may get new sites or not; of the ``nodes``, those of weight 0 get none.
    """
    chosen = list({node.id: node for node in kept}.values())[:replicas]
    ids, zones = {node.id for node in chosen}, {node.zone for node in chosen}
    free = [node for node in nodes if node.weight > 0 and node.id not in ids]
    ranked = sorted(free, key=lambda node: score(node, site), reverse=True)
    while ranked and len(chosen) < replicas:
        best = next((node for node in ranked if node.zone not in zones), ranked[0])
        ranked.remove(best)
        chosen.append(best)
        zones.add(best.zone)
    return [node.id for node in chosen]

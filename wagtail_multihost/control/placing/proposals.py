"""
Proposals: which sites should move where, and why. They are pure; nothing moves until someone applies a plan.

All of them are sticky: a site stays where it is unless the proposal is about just that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from wagtail_multihost.control.placing.situation import Situation
from wagtail_multihost.control.placing.wishes import Wish
from wagtail_multihost.nodeapi.node_states import PLAN_DRAIN, PLAN_FILL, PLAN_REBALANCE
from wagtail_multihost.nodeapi.rendezvous import Candidate, choose_nodes, score

#: Moves of a rebalancing, unless another number is stated. Other proposals then have all.
MOST_MOVES = 100
LOCAL = "It has its database, cache or files on the node itself, and these do not move with it."
HELD = "It is held, or a node of the move is."
#: As ``read_candidates`` chooses them.
NO_NODE = (
    "No other node of the group {group} can take it: one that can is active, is heard of, has a weight above 0, and is "
    "not being emptied."
)
AWAY = "It is placed on {nodes} alone, which is away, and has a part of its own there."


class ProposedMove(NamedTuple):
    """A move of a site from the ``source`` to the ``target``; a blank one adds a replica, or takes one away."""

    uid: UUID
    site: str
    source: str
    target: str
    why: str


class Left(NamedTuple):
    """A site that is not moved although it should be, and why."""

    site: str
    why: str


class Proposal(NamedTuple):
    """Moves that follow from the nodes and placements of a ``revision``."""

    kind: str
    node: str
    revision: int
    moves: tuple[ProposedMove, ...]
    left: tuple[Left, ...]


Found = Iterator[ProposedMove | Left]


def propose(now: Situation, kind: str, node: str = "", limit: int | None = None) -> Proposal:
    """
    Return what a proposal of a ``kind`` makes of the situation. ``fill`` gives each site the replicas that it wants in
    its group, ``drain`` empties the ``node``, and ``rebalance`` moves sites to the nodes that are best for them. There
    are at most ``limit`` moves: the next proposal goes on.
    """
    kinds: Mapping[str, Callable[[], Found]] = {
        PLAN_FILL: lambda: fill(now),
        PLAN_DRAIN: lambda: drain(now, node),
        PLAN_REBALANCE: lambda: rebalance(now, MOST_MOVES if limit is None else limit),
    }
    found = [hold_back(now, one) for one in kinds[kind]()]
    moves = tuple(one for one in found if isinstance(one, ProposedMove))[:limit]
    return Proposal(kind, node, now.revision, moves, tuple(one for one in found if isinstance(one, Left)))


def hold_back(now: Situation, one: ProposedMove | Left) -> ProposedMove | Left:
    """Return a move, or that it is held."""
    if isinstance(one, ProposedMove) and now.is_held(one.uid, one.source, one.target):
        return Left(one.site, HELD)
    return one


def known(now: Situation, nodes: tuple[str, ...]) -> list[Candidate]:
    return [now.nodes[node] for node in nodes]


def fill(now: Situation) -> Found:
    """Yield what gives each site as many replicas as it wants, in its group and nowhere else."""
    for wish in now.wishes:
        if not wish.group:
            continue
        placed = now.placed.get(wish.uid, ())
        inside = tuple(node for node in placed if now.groups[node] == wish.group)
        outside = [node for node in placed if now.groups[node] != wish.group]
        if wish.is_local and (outside or len(placed) > 1):
            yield Left(wish.site, LOCAL)
        elif wish.is_local and not placed and wish.uid in now.away:
            yield Left(wish.site, AWAY.format(nodes=", ".join(now.away[wish.uid])))
        else:
            yield from fill_site(now, wish, inside, outside)


def fill_site(now: Situation, wish: Wish, inside: tuple[str, ...], outside: list[str]) -> Found:
    kept = known(now, inside)
    chosen = choose_nodes(wish.site, now.candidates.get(wish.group, ()), max(wish.replicas, len(inside)), kept)
    new = [node for node in chosen if node not in inside]
    why = f"It has {len(inside)} of {wish.replicas} replicas in the group {wish.group}."
    for target in new:
        yield ProposedMove(wish.uid, wish.site, outside.pop(0) if outside else "", target, why)
    if len(inside) + len(new) < wish.replicas:
        yield Left(wish.site, f"{why} {NO_NODE.format(group=wish.group)}")
    elif outside or len(inside) > wish.replicas:
        # What is left over goes, first of all what is in another group.
        least = sorted(kept, key=lambda node: score(node, wish.site))
        surplus = [*outside, *(node.id for node in least[: max(len(inside) - wish.replicas, 0)])]
        for source in surplus:
            yield ProposedMove(wish.uid, wish.site, source, "", f"It has more than {wish.replicas} replicas.")


def drain(now: Situation, node: str) -> Found:
    """Yield what leaves nothing on a node."""
    for wish in now.wishes:
        placed = now.placed.get(wish.uid, ())
        if node not in (*placed, *now.away.get(wish.uid, ())):
            continue
        if wish.is_local:
            yield Left(wish.site, LOCAL)
            continue
        others = tuple(one for one in placed if one != node)
        group = wish.group or now.groups[node]
        free = [one for one in now.candidates.get(group, ()) if one.id != node]
        chosen = choose_nodes(wish.site, free, len(others) + 1, known(now, others))
        new = [one for one in chosen if one not in others]
        why = f"The node {node} is to be empty."
        if len(others) >= wish.replicas:
            yield ProposedMove(wish.uid, wish.site, node, "", why)
        elif new:
            yield ProposedMove(wish.uid, wish.site, node, new[0], why)
        elif others:
            why = f"{why} It stays on {len(others)} of {wish.replicas} nodes: no other is free."
            yield ProposedMove(wish.uid, wish.site, node, "", why)
        else:
            yield Left(wish.site, NO_NODE.format(group=group))


def rebalance(now: Situation, limit: int) -> Found:
    """Yield the moves that bring sites to the nodes that are best for them, those of the fullest nodes first."""
    loads = Counter(node for nodes in now.placed.values() for node in nodes)
    moves = []
    for wish in now.wishes:
        placed = now.placed.get(wish.uid, ())
        if wish.is_local or not wish.group or any(now.groups[node] != wish.group for node in placed):
            continue
        best = choose_nodes(wish.site, now.candidates.get(wish.group, ()), wish.replicas)
        sources = [node for node in placed if node not in best]
        targets = [node for node in best if node not in placed]
        why = "The nodes share their sites by weight then."
        moves += [ProposedMove(wish.uid, wish.site, *pair, why) for pair in zip(sources, targets, strict=False)]

    def fullness(node: str) -> float:
        return loads[node] / (now.nodes[node].weight or 0.5)

    moves.sort(key=lambda move: (fullness(move.target) - fullness(move.source), move.site))
    yield from (move for move in moves[: max(limit, 0)])

"""Weighted rendezvous: how evenly sites lie, and how few move when nodes come and go."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from wagtail_multihost.nodeapi.rendezvous import Candidate, choose_nodes

SITES = [f"site-{number}" for number in range(10_000)]
NODES = [Candidate(f"node-{number}", f"zone-{number % 3}", 100) for number in range(20)]


def place(nodes: list[Candidate], sites: list[str] = SITES, replicas: int = 2) -> dict[str, frozenset[str]]:
    return {site: frozenset(choose_nodes(site, nodes, replicas)) for site in sites}


def moved(before: dict[str, frozenset[str]], after: dict[str, frozenset[str]]) -> float:
    """Return the share of all replicas that is elsewhere afterwards."""
    return sum(len(after[site] - nodes) for site, nodes in before.items()) / (2 * len(before))


@pytest.fixture(name="before", scope="module")
def _before() -> dict[str, frozenset[str]]:
    return place(NODES)


def test_sites_lie_evenly_and_in_two_zones() -> None:
    """And 10,000 of them are placed on 20 nodes in seconds."""
    start = time.process_time()
    before = place(NODES)
    assert time.process_time() - start < 10
    loads = Counter(node for nodes in before.values() for node in nodes)
    fair = 2 * len(SITES) / len(NODES)
    # Zones of six and of seven nodes hold as many sites.
    assert 0.88 < min(loads.values()) / fair < max(loads.values()) / fair < 1.12
    zones = {node.id: node.zone for node in NODES}
    assert all(len(nodes) == len({zones[node] for node in nodes}) == 2 for nodes in before.values())


@pytest.mark.parametrize("gone", ["node", "zone"])
def test_what_is_lost_moves_and_nothing_else(before: dict[str, frozenset[str]], gone: str) -> None:
    """A twentieth with one of twenty nodes, and a third with one of three zones."""
    left = NODES[:-1] if gone == "node" else [node for node in NODES if node.zone != "zone-2"]
    ids = {node.id for node in left}
    lost = sum(len(nodes - ids) for nodes in before.values()) / (2 * len(SITES))
    assert moved(before, place(left)) == lost
    assert (0.045 < lost < 0.055) if gone == "node" else (0.3 < lost < 0.35)


@pytest.mark.parametrize("change", ["join", "weight"])
def test_node_that_gets_more_takes_its_share_alone(before: dict[str, frozenset[str]], change: str) -> None:
    """One more node of twenty, or twice the weight of one, moves about a twentieth of all replicas."""
    more = Candidate("node-20", "zone-2", 100) if change == "join" else NODES[0]._replace(weight=200)
    after = place([*(node for node in NODES if node.id != more.id), more])
    assert 0.04 < moved(before, after) < 0.052
    # The second replica may have to go to another zone for it.
    assert sum(more.id in after[site] - nodes for site, nodes in before.items()) / (2 * len(SITES)) > 0.038


def test_what_is_kept_stays_and_no_node_has_a_site_twice() -> None:
    one, two = NODES[:2]
    for site in SITES[:200]:
        chosen = choose_nodes(site, NODES, 3, [one, two, one])
        assert chosen[:2] == [one.id, two.id]
        assert len(set(chosen)) == len(chosen) == 3
        assert choose_nodes(site, NODES, 1, [one]) == [one.id]
        # More than there are zones, and more than there are nodes.
        assert len(set(choose_nodes(site, NODES, 7))) == 7
        assert sorted(choose_nodes(site, NODES[:4], 5)) == [node.id for node in NODES[:4]]


def test_nodes_of_no_weight_get_no_new_site() -> None:
    nodes = [node._replace(weight=0) for node in NODES[:18]]
    assert set(choose_nodes("aurora", [*nodes, *NODES[18:]], 5)) == {"node-18", "node-19"}
    assert choose_nodes("aurora", nodes, 1, [nodes[3]]) == [nodes[3].id]
    assert choose_nodes("aurora", (), 2) == []

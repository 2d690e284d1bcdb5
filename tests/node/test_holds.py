"""What is held back of what was read, and what is said of it."""

from __future__ import annotations

from typing import Any

from wagtail_multihost.node.holds import Holds, find_stopped, hold_back
from wagtail_multihost.node.owing import Owed
from wagtail_multihost.node.reading import Known, Merged


def table(revision: int, **record: Any) -> dict[str, Any]:
    return {"uid": "u", "generation": 1, "revision": revision, "record": record, "serial": revision, "sealed": {}}


def known(**sites: dict[str, Any]) -> Known:
    return Known("i", 9, 9, {"id": "web1"}, {"name": "aviary"}, sites)


def hold(site: str | None, seconds: float, reason: str = "restore") -> dict[str, Any]:
    return {
        "site": site,
        "until": "2026-12-01T12:56:31.123456+00:00",
        "actor": "user:1",
        "reason": reason,
        "seconds": seconds,
    }


def test_held_sites_stay_as_they_were() -> None:
    """Changed, gone and new ones."""
    before = {name: table(1) for name in ("aurora", "borealis", "corona", "dawn")}
    now = known(aurora=table(7), borealis=table(8), corona=table(1), eos=table(9))
    back = hold_back(now, before, {"aurora", "corona", "dawn", "eos"})
    assert back.sites == {"aurora": table(1), "borealis": table(8), "corona": table(1), "dawn": table(1)}


def test_nodes_that_serve_a_held_site_are_followed() -> None:
    """A front server would ask those that have it no more."""
    before = {"aurora": {**table(1), "nodes": ["web1"]}}
    now = known(aurora={**table(7, enabled=False), "nodes": ["web2"]})
    assert hold_back(now, before, {"aurora"}).sites == {"aurora": {**table(1), "nodes": ["web2"]}}


def test_what_is_held_stays_owed_when_the_rest_is_applied() -> None:
    owed = Owed()
    owed.settle()
    owed.add(Merged(known(), frozenset({"aurora", "borealis"}), frozenset({"dawn", "eos"})))
    assert owed.exceeds({"aurora", "dawn"})
    owed.settle({"aurora", "dawn"}, {"aurora", "corona"})
    assert (owed.touched, owed.gone) == ({"aurora"}, {"dawn"})
    assert not owed.exceeds({"aurora", "dawn"})
    assert owed.exceeds({"dawn"})


def test_site_that_is_left_out_of_all_is_owed() -> None:
    """What all sites depend on has changed, so that its files are of a former platform."""
    owed = Owed()
    owed.settle({"aurora", "dawn"}, {"aurora"})
    assert (owed.touched, owed.outdated, owed.is_whole) == ({"aurora"}, {"aurora"}, False)
    owed.settle()
    assert (owed.touched, owed.outdated) == (set(), set())


def test_site_that_should_be_closed_is_named() -> None:
    sites = {name: table(1) for name in ("aurora", "borealis", "corona", "dawn")}
    after = {"aurora": table(2, enabled=False), "borealis": table(2, state="suspended"), "corona": table(2, x=1)}
    stopped = find_stopped(known(**after), sites, sites)
    assert stopped == {"aurora", "borealis", "dawn"}
    holds = Holds(lambda: 0.0)
    holds.take([hold(name, 60, "x" * 500) for name in [f"a{number:02}" for number in range(20)] + [*sites]])
    said = holds.describe((), stopped)
    for name in stopped:
        assert f"{name} is held until 2026-12-01 12:56:31 UTC by user:1" in said
    assert said.count("serves on until then") == 3
    assert len(said) < 2000


def test_hold_ends_by_the_seconds_that_the_database_said() -> None:
    now = 100.0
    holds = Holds(lambda: now)
    rows = [hold("aurora", 10), hold("aurora", 5), hold(None, 2)]
    assert holds.take(rows)
    assert not holds.take(rows)
    assert holds.everything is not None
    assert (holds.sites, holds.bound(60)) == ({"aurora"}, 2)
    now = 103.0
    assert holds.everything is None
    assert (holds.sites, holds.bound(60)) == ({"aurora"}, 7)
    now = 110.0
    assert (holds.sites, holds.bound(60)) == (frozenset(), 60)

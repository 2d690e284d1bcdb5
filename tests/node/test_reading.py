"""What becomes known by an answer of the registry, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from wagtail_multihost.node.owing import Owed
from wagtail_multihost.node.reading import (
    IncompleteError,
    Known,
    NodeReading,
    WentBackError,
    merge_reading,
    needs_whole,
    parse_reading,
)

NODE = {"id": "web1", "address": "", "state": "active"}


def site(uid: str, revision: int = 1) -> dict[str, Any]:
    return {"uid": uid, "revision": revision, "record": {}, "serial": None, "sealed": {}}


def answer(sites: dict[str, Any], placed: int, *, is_whole: bool = True, **values: Any) -> NodeReading:
    stated = {"incarnation": "a", "revision": 9, "oldest": 1, "node": NODE, "platform": None, "gone": (), "holds": ()}
    platform = {"platform": {"record": {"name": "aviary"}, "revision": 1}} if is_whole else {}
    return NodeReading(**{**stated, **platform, "sites": sites, "placed": placed, "is_whole": is_whole, **values})


def known(**sites: str) -> Known:
    return Known("a", 8, 0, NODE, {"name": "aviary"}, {name: site(uid) for name, uid in sites.items()})


@pytest.mark.parametrize("sites", [{}, {"aurora": site("u1")}])
def test_answer_with_another_number_of_sites_than_it_says_is_not_used(sites: dict[str, Any]) -> None:
    with pytest.raises(IncompleteError, match=f"The answer has {len(sites)} sites, but .* has 2"):
        parse_reading(("a", 9, 1, NODE, None, sites, 2, [], []), is_whole=True)


@pytest.mark.parametrize("row", [None, ("a", 9, 1, None, None, {}, 0, [], [])])
def test_database_that_does_not_know_the_node_is_not_empty(row: tuple[Any, ...] | None) -> None:
    with pytest.raises(IncompleteError):
        parse_reading(row, is_whole=True)


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "", "a/b", "UP", "x" * 41])
def test_id_that_no_site_has_is_refused(name: str) -> None:
    """Whoever can write the database could else have root remove what it names."""
    with pytest.raises(IncompleteError, match="Nothing of the answer"):
        parse_reading(("a", 9, 1, NODE, None, {name: site("u1")}, 1, [], []), is_whole=True)
    with pytest.raises(IncompleteError, match="Nothing of the answer"):
        parse_reading(("a", 9, 1, NODE, None, {}, 0, [{"id": name, "uid": "u1"}], []), is_whole=True)


def test_platform_that_nests_too_deeply_is_not_used() -> None:
    deep: Any = 0
    for _ in range(60):
        deep = [deep]
    with pytest.raises(IncompleteError, match="nests deeper than 50 levels"):
        parse_reading(("a", 9, 1, NODE, {"record": {"name": deep}, "revision": 1}, {}, 0, [], []), is_whole=True)


def test_change_of_another_number_of_sites_makes_a_whole_reading() -> None:
    """A part that does not add up says nothing by itself."""
    before = known(aurora="u1", borealis="u2")
    assert merge_reading(before, answer({}, 1, is_whole=False)) is None
    merged = merge_reading(before, answer({"borealis": site("u2", 9)}, 2, is_whole=False))
    assert merged is not None
    assert (merged.touched, merged.gone, sorted(merged.known.sites)) == ({"borealis"}, set(), ["aurora", "borealis"])


def test_site_that_is_not_listed_any_more_stays_and_is_counted_out() -> None:
    merged = merge_reading(known(aurora="u1", borealis="u2"), answer({"borealis": site("u2")}, 1))
    assert merged is not None
    assert (merged.known.missing, sorted(merged.known.sites), merged.gone) == (
        ("aurora",),
        ["aurora", "borealis"],
        set(),
    )
    again = merge_reading(merged.known, answer({}, 1, is_whole=False))
    assert again is not None
    assert again.known.missing == ("aurora",)
    back = merge_reading(merged.known, answer({"aurora": site("u1", 9)}, 2, is_whole=False))
    assert back is not None
    assert back.known.missing == ()


def test_site_is_gone_by_its_uid_alone() -> None:
    """Neither one that is listed again under the id, nor one that had it before."""
    gone = ({"id": "aurora", "uid": "u1", "revision": 9},)
    merged = merge_reading(known(aurora="u1"), answer({}, 0, gone=gone))
    assert merged is not None
    assert (merged.gone, merged.known.sites) == ({"aurora"}, {})
    used_again = merge_reading(known(aurora="u1"), answer({"aurora": site("u2")}, 1, gone=gone))
    assert used_again is not None
    assert (used_again.gone, used_again.touched) == (set(), {"aurora"})
    other = merge_reading(known(aurora="u2"), answer({}, 0, gone=gone))
    assert other is not None
    assert (other.gone, other.known.missing) == (set(), ("aurora",))
    on_disk = merge_reading(known(), answer({}, 0, gone=gone), {"aurora": "u1"})
    assert on_disk is not None
    assert on_disk.gone == {"aurora"}


@pytest.mark.parametrize("values", [{"revision": 7}, {"incarnation": "b", "revision": 8}])
def test_registry_that_went_back_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(WentBackError, match="multihost_control_advance"):
        merge_reading(known(aurora="u1"), answer({"aurora": site("u1")}, 1, **values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [({}, False), ({"oldest": 9}, False), ({"oldest": 10}, True), ({"incarnation": "b"}, True)],
)
def test_what_cannot_be_told_by_a_part_is_read_whole(values: dict[str, Any], expected: bool) -> None:
    """Another incarnation, or events of before that are gone; a whole answer is never asked for twice."""
    assert needs_whole(known(), answer({}, 0, is_whole=False, **values)) is expected
    assert not needs_whole(known(), answer({}, 0, **values))


def test_what_the_node_reports_changes_no_files() -> None:
    """Its state and weight are no part of what files are made of; its address is."""
    for node, expected in (({**NODE, "state": "draining"}, False), ({**NODE, "address": "10.0.0.1:80"}, True)):
        merged = merge_reading(known(), answer({}, 0, is_whole=False, node=node))
        assert merged is not None
        assert merged.platform_changed is expected


def test_owed_is_what_was_read_since_it_was_settled() -> None:
    owed = Owed()
    assert owed
    owed.settle()
    assert not owed
    before = known(aurora="u1")
    gone = merge_reading(before, answer({}, 0, gone=({"id": "aurora", "uid": "u1", "revision": 9},)))
    assert gone is not None
    assert owed.add(gone)
    assert (owed.touched, owed.gone) == (set(), {"aurora"})
    # Added again before it was removed: nothing of it is removed any more.
    again = merge_reading(gone.known, answer({"aurora": site("u3", 9)}, 1, is_whole=False))
    assert again is not None
    assert owed.add(again)
    assert (owed.touched, owed.gone, bool(owed)) == ({"aurora"}, set(), True)

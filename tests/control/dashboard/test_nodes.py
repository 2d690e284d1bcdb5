"""The list of nodes: what it shows, finds, and asks the database."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.control.dashboard.nodes import NODES, SILENT, add_nodes, condition, failing, report
from tests.control.dashboard.pages import words
from tests.control.dashboard.visits import signed_in, text_of
from tests.control.fleet import OPERATOR, SHARED, Fleet, prepare_fleet
from tests.servers.workshop import CHECKOUT
from wagtail_multihost.control.dashboard.listed_nodes import PROBLEMS
from wagtail_multihost.control.dashboard.node_words import CONDITION_WORDS
from wagtail_multihost.control.holds import hold
from wagtail_multihost.control.models import Node, Plan, Report
from wagtail_multihost.control.nodes import place_sites, save_node
from wagtail_multihost.control.placing.plans import make_plan
from wagtail_multihost.nodeapi.node_states import (
    AWAY,
    CONDITIONS,
    DRAINING,
    DRIFT,
    FRONT,
    HELD,
    JOINING,
    PLACED,
    PLAN_DRAIN,
    PLAN_PROPOSED,
)

SCRIPT = '"><img src=x onerror=window.pwned=1>'


@pytest.fixture(name="busy")
def _busy(db: None) -> Fleet:
    """A fleet with a node in each state, of which one is silent, one behind, one fails and one is held."""
    fleet = prepare_fleet(SHARED)
    add_nodes("web-1", "web-2", "web-3", zone="north")
    add_nodes("few-1", group="few", holds=PLACED, address="10.0.0.5:8080", weight=7)
    add_nodes("front-1", group="fronts", holds=FRONT)
    place_sites(OPERATOR, "few-1", [fleet.add("aurora")])
    save_node(OPERATOR, "web-3", state=DRAINING)
    save_node(OPERATOR, "new-1", "web", state=JOINING)
    save_node(OPERATOR, "gone-1", "web", state=AWAY)
    head = fleet.revision
    report("web-1", head)
    report("web-2", head, ago=SILENT)
    report("web-3", head - 2, failing("no room"))
    report("few-1", head, condition(DRIFT, message="nginx.conf differs"))
    report("front-1", head)
    hold(OPERATOR, node=Node.objects.get(pk="web-1"), seconds=60, reason="a new disk")
    return fleet


@pytest.fixture(name="client")
def _client(busy: Fleet) -> Client:
    return signed_in(busy.user("root", operator=True))


def listed(client: Client, **query: Any) -> list[str]:
    answer = client.get(NODES, query)
    assert answer.status_code == 200
    return [node.pk for node in answer.context["object_list"]]


def row(client: Client, node: str) -> str:
    """Return what people read of one node."""
    return words(client.get(f"{NODES}list/results/", {"q": node})).partition("Held")[2]


def test_list_shows_each_node_with_what_it_said(busy: Fleet, client: Client) -> None:
    head = busy.revision
    assert listed(client) == ["few-1", "front-1", "gone-1", "new-1", "web-1", "web-2", "web-3"]
    assert f"The registry has the revision {head}." in words(client.get(NODES))
    assert "web north Active 100" in row(client, "web-1")
    assert f"{head}, the newest all until" in row(client, "web-1")
    assert "by Operator root: a new disk" in row(client, "web-1")
    assert "Silent" in row(client, "web-2") and "Silent" not in row(client, "web-1")
    assert f"{head - 2}, 2 behind all It could not apply the last change: no room" in row(client, "web-3")
    assert "10.0.0.5:8080 Active 7" in row(client, "few-1")
    assert f"{head}, the newest 1 It has something else than it should have: nginx.conf differs" in row(client, "few-1")
    assert f"{head}, the newest none" in row(client, "front-1")
    assert "Joining 100 Never Never all" in row(client, "new-1")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "EB-1"}, ["web-1"]),
        ({"q": "few"}, ["few-1"]),
        ({"q": "10.0.0.5"}, ["few-1"]),
        ({"q": "north"}, ["web-1", "web-2", "web-3"]),
        ({"q": "nothing"}, []),
        ({"group": "few"}, ["few-1"]),
        ({"group": "none"}, []),
        ({"state": "draining"}, ["web-3"]),
        ({"state": ["joining", "away"]}, ["gone-1", "new-1"]),
        ({"problem": "silent"}, ["new-1", "web-2"]),
        ({"problem": "behind"}, ["new-1", "web-3"]),
        ({"problem": "wrong"}, ["few-1", "web-3"]),
        ({"problem": "held"}, ["web-1"]),
        ({"problem": "wrong", "group": "few"}, ["few-1"]),
        ({"ordering": "-weight"}, ["front-1", "gone-1", "new-1", "web-1", "web-2", "web-3", "few-1"]),
        ({"ordering": "-pk", "q": "web-"}, ["web-3", "web-2", "web-1"]),
    ],
)
def test_list_searches_filters_and_orders(client: Client, query: dict[str, str], found: list[str]) -> None:
    assert listed(client, **query) == found


def test_everything_that_is_held_is_said_of_each_node(client: Client) -> None:
    hold(OPERATOR, seconds=60, reason="network work")
    assert len(listed(client, problem="held")) == 7
    assert "network work; until" in row(client, "web-1")
    assert "network work" in row(client, "few-1")


def test_list_has_pages(fleet: Fleet) -> None:
    add_nodes(*(f"web-{number:03}" for number in range(120)))
    client = signed_in(fleet.user("root", operator=True))
    pages = [listed(client, p=number, ordering="weight") for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert len({*pages[0], *pages[1], *pages[2]}) == 120


def test_number_of_queries_does_not_grow_with_nodes(db: None) -> None:
    fleet = prepare_fleet(SHARED)

    def count(query: dict[str, str]) -> int:
        with CaptureQueriesContext(connection) as found:
            text_of(client, NODES, **query)
        return len(found)

    def add(start: int, end: int) -> None:
        names = [f"web-{number:03}" for number in range(start, end)]
        add_nodes(*names, holds=PLACED)
        for name in names:
            report(name, fleet.revision, condition(DRIFT), condition(HELD))
            hold(OPERATOR, node=Node.objects.get(pk=name), seconds=60, reason="x")

    add(0, 5)
    client = signed_in(fleet.user("root", operator=True))
    text_of(client, NODES)  # content types and permissions are read once for a process
    queries = [{}, {"q": "web"}, {"problem": "wrong"}, {"export": "csv"}]
    before = [count(query) for query in queries]
    add(5, 60)
    assert [count(query) for query in queries] == before
    assert max(before) <= 16


@pytest.mark.parametrize(
    "query",
    [{"q": "\0"}, {"p": "abc"}, {"ordering": "report__conditions"}, {"group": "\0"}, {"problem": "x"}, {"state": "x"}],
)
def test_nonsense_in_an_address_is_no_error(client: Client, query: dict[str, str]) -> None:
    for path in (NODES, f"{NODES}list/results/"):
        assert client.get(path, query).status_code == 200
    assert listed(client, problem="x") == []


@pytest.mark.parametrize("stated", [{"a": 1}, "text", 5, [1, "x", None, {"type": 5}], [[]]])
def test_node_may_say_anything(busy: Fleet, client: Client, stated: Any) -> None:
    Report.objects.filter(pk="web-1").update(conditions=stated, sites=stated)
    for query in ({}, {"problem": "wrong"}, {"export": "csv"}):
        assert client.get(NODES, query).status_code == 200
    assert client.get(f"{NODES}web-1/").status_code == 200


def test_what_a_node_says_is_bounded_and_text(busy: Fleet, client: Client) -> None:
    said = [condition(f"{SCRIPT}{number}", message=f"\u202e{SCRIPT}" + "x" * 5000) for number in range(300)]
    report("web-1", busy.revision, *said, **{f"{SCRIPT}{number}": SCRIPT for number in range(300)})
    for path in (NODES, f"{NODES}web-1/"):
        page = client.get(path).text
        assert "<img src=x" not in page
        assert "\u202e" not in page
        assert 0 < page.count("onerror") <= 120
        assert len(page) < 200_000


def test_spreadsheet_has_what_the_list_shows(busy: Fleet, client: Client) -> None:
    rows = [*csv.DictReader(io.StringIO(text_of(client, NODES, export="csv", q="web-3")))]
    assert [(one["id"], one["state"], one["applied"], one["registry"], one["conditions"]) for one in rows] == [
        ("web-3", "draining", str(busy.revision - 2), str(busy.revision), "It could not apply the last change: no room")
    ]


def test_nodes_are_for_operators_alone(busy: Fleet) -> None:
    plan = make_plan(OPERATOR, PLAN_DRAIN, "few-1")
    paths = (NODES, f"{NODES}list/results/", f"{NODES}web-1/", f"/admin/fleet/plans/{plan.pk}/")
    for user in (busy.user("ada", aurora="admin"), busy.user("bob")):
        client = signed_in(user)
        for path in paths:
            assert client.get(path).status_code == 404
            for action in ("drain", "apply"):
                assert client.post(path, {"action": action, "confirmed": "yes"}).status_code == 404
    assert Node.objects.get(pk="web-1").state == "active"
    assert Plan.objects.get().state == PLAN_PROPOSED


def test_every_condition_has_words() -> None:
    assert set(CONDITION_WORDS) == set(CONDITIONS)


def test_columns_and_filters_are_documented(client: Client) -> None:
    text = (CHECKOUT / "docs" / "reference" / "control-nodes.md").read_text(encoding="utf-8")
    page = client.get(NODES)
    labels = [column.label for column in page.context["table"].columns.values()]
    labels += [field.label for field in page.context["filters"].form]
    assert len(labels) == 14
    assert [label for label in labels if f"| {label} |" not in text] == []
    assert [label for label in PROBLEMS.values() if label not in text] == []

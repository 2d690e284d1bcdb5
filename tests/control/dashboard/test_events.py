"""The list of events."""

from __future__ import annotations

from uuid import uuid4

from django.utils import timezone

from tests.control.dashboard.nodes import add_nodes
from tests.control.dashboard.pages import words
from tests.control.dashboard.visits import EVENTS, listed, signed_in, text_of
from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.changes import EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Event, Head
from wagtail_multihost.control.nodes import displace_sites, place_sites, save_node


def test_events_are_found_by_type_site_and_reason(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    fleet.add("borealis")
    fleet.apply(EditSite(site.uid, set_value(("enabled",), False)), reason="unpaid bill")
    client = signed_in(fleet.user("ada", operator=True))
    assert listed(client, EVENTS) == ["aurora", "borealis", "aurora", ""]
    assert listed(client, EVENTS, type="site.disabled") == ["aurora"]
    assert listed(client, EVENTS, type=["site.created", "platform.changed"]) == ["borealis", "aurora", ""]
    assert listed(client, EVENTS, site="borealis") == ["borealis"]
    assert listed(client, EVENTS, q="unpaid") == ["aurora"]
    assert listed(client, EVENTS, ordering="revision") == ["", "aurora", "borealis", "aurora"]
    page = text_of(client, EVENTS, type="site.disabled")
    assert "Site disabled" in page
    assert "enabled" in page
    assert "unpaid bill" in page


def test_customer_is_not_offered_events_of_the_platform(fleet: Fleet) -> None:
    fleet.add("aurora")
    customer, operator = signed_in(fleet.user("ada", aurora="admin")), signed_in(fleet.user("root", operator=True))
    assert "platform.changed" not in text_of(customer, EVENTS)
    assert "platform.changed" in text_of(operator, EVENTS)
    assert listed(customer, EVENTS, type="platform.changed") == []


def test_end_of_a_site_stays_to_be_seen_without_a_link(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    fleet.add("borealis")
    client = signed_in(fleet.user("ada", aurora="view", borealis="view"))
    fleet.apply(RetireSite(site.uid))
    again = fleet.add("aurora", "again.example.com")
    page = text_of(client, EVENTS)
    assert "Site retired" in page
    assert listed(client, EVENTS) == ["aurora", "borealis", "aurora"]
    assert f"/sites/{site.uid}/" not in page
    assert f"/sites/{again.uid}/" not in page


def test_event_of_a_later_version_is_called_by_its_name(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    revision = fleet.revision + 1
    metadata = {"changed": "not a list", "more": {"a": 1}}
    values = {"generation": 1, "actor": "robot:<b>9</b>", "request": uuid4(), "metadata": metadata}
    Head.objects.update(revision=revision)
    Event.objects.create(
        revision=revision, type="node.<b>left", at=timezone.now(), site="aurora", uid=site.uid, **values
    )
    for user in (fleet.user("ada", aurora="view"), fleet.user("root", operator=True)):
        page = text_of(signed_in(user), EVENTS)
        assert "node.&lt;b&gt;left" in page
        assert "<b>9" not in page


def test_list_is_read_again_until_that_is_paused(fleet: Fleet) -> None:
    fleet.add("aurora")
    client = signed_in(fleet.user("ada", aurora="view"))
    assert "w-session:ping" in text_of(client, EVENTS)
    for query in ({"live": "off"}, {"ordering": "revision"}):
        assert "w-session:ping" not in text_of(client, EVENTS, **query)


def test_events_of_nodes_and_placements_are_told_in_words(fleet: Fleet) -> None:
    add_nodes("few-1", group="few", holds="placed")
    site = fleet.add("aurora", database={"engine": "sqlite"})
    place_sites(OPERATOR, "few-1", [site])
    displace_sites(OPERATOR, "few-1", [site])
    save_node(OPERATOR, "few-1", state="draining")
    save_node(OPERATOR, "few-1", state="away", reason="a dead disk")
    page = words(signed_in(fleet.user("root", operator=True)).get(EVENTS))
    for said in (
        "Group of nodes changed: few",
        "Node changed: few-1",
        "Site placed on few-1 aurora",
        "Site taken from few-1 aurora",
        "Node drains: few-1",
        "a dead disk",
    ):
        assert said in page
    customer = signed_in(fleet.user("ada", aurora="view"))
    page = words(customer.get(EVENTS))
    assert "Site placed on few-1 aurora" in page
    assert "Node changed" not in page
    assert "plan.applied" not in customer.get(EVENTS).text
    assert "placement.changed" in customer.get(EVENTS).text

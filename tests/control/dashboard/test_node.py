"""A node's page: what it shows, and what can be done with the node."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime

from tests.control.dashboard.nodes import NODES, SINCE, add_nodes, condition, failing, report
from tests.control.dashboard.pages import words
from tests.control.dashboard.visits import signed_in
from tests.control.fleet import OPERATOR, SHARED, Fleet, prepare_fleet
from tests.control.waves import WaveFleet
from wagtail_multihost.control.changes import CreateSite, RetireSite
from wagtail_multihost.control.dashboard.addresses import node_address
from wagtail_multihost.control.models import Event, Node, Placement, Plan, Report
from wagtail_multihost.control.node_status import site_status
from wagtail_multihost.control.nodes import place_sites, save_node
from wagtail_multihost.nodeapi.node_states import ACTIVE, AWAY, DRAINING, DRIFT, FRONT, PLACED, PLAN_PROPOSED


@pytest.fixture(name="shared")
def _shared(db: None) -> Fleet:
    fleet = prepare_fleet(SHARED)
    add_nodes("web-1", "web-2")
    add_nodes("few-1", "few-2", "few-3", group="few", holds=PLACED, weight=0)
    return fleet


@pytest.fixture(name="client")
def _client(shared: Fleet) -> Client:
    return signed_in(shared.user("root", operator=True))


def send(client: Client, node: str, action: str, *, confirmed: bool = False, **data: Any) -> Any:
    sent = {"action": action, "generation": Node.objects.get(pk=node).revision, **data}
    return client.post(node_address(node), {**sent, "confirmed": "yes"} if confirmed else sent)


def state(node: str) -> str:
    return Node.objects.get(pk=node).state


def test_page_shows_what_the_node_said_and_when(shared: Fleet, client: Client) -> None:
    head = shared.revision
    drift = condition(DRIFT, message="nginx.conf", reason="Healed")
    report("web-1", head - 1, failing("no room"), drift, aurora="a key is missing")
    page = words(client.get(node_address("web-1")))
    since = date_format(localtime(datetime.fromisoformat(SINCE)), "j F Y, H:i:s")
    assert f"Applied revision {head - 1}; the registry has the revision {head}" in page
    assert f"with the revision {head - 1} applied." in page
    assert f"Applied False It could not apply the last change: no room {since} 3" in page
    assert f"Drift True It has something else than it should have: nginx.conf (Healed) {since} 3" in page
    assert "aurora: a key is missing" in page
    assert "It is silent." not in page
    report("web-1", head, ago=timedelta(seconds=100))
    assert "It is silent." in words(client.get(node_address("web-1")))
    Report.objects.filter(pk="web-1").update(duplicate_at=timezone.now())
    assert "Two machines report under it." in words(client.get(node_address("web-1")))
    assert "Seen never" in words(client.get(node_address("web-2")))


def test_unknown_node_has_no_page(client: Client) -> None:
    for name in ("none", "Web-1", "x" * 300):
        assert client.get(f"{NODES}{name}/").status_code == 404


def test_page_has_the_sites_that_are_placed_with_their_status(shared: Fleet, client: Client) -> None:
    names = ("aurora", "borealis", "corona", "dione", "eos")
    sites = {name: shared.add(name) for name in names}
    place_sites(OPERATOR, "few-1", [sites[name] for name in names[:4]])
    Placement.objects.filter(site=sites["aurora"]).update(is_serving=True)
    Placement.objects.filter(site=sites["corona"]).update(is_gone=True)
    shared.apply(RetireSite(sites["dione"].uid))
    report("few-1", shared.revision, borealis="no key")
    sites["aurora"] = shared.site("aurora")
    page = words(client.get(node_address("few-1")))
    assert f"aurora {sites['aurora'].revision} As it should be Serving" in page
    assert f"borealis {sites['borealis'].revision} It does not accept the site's newest record" in page
    assert "As it should be To be removed" in page
    assert "dione" not in page
    assert "eos" not in page
    report("few-1", sites["aurora"].revision - 1)
    assert f"It has applied {sites['aurora'].revision - 1}. Serving" in words(client.get(node_address("few-1")))
    assert "eos" in words(client.get(node_address("web-1")))


def test_page_says_of_sites_what_their_own_pages_say(waves: WaveFleet) -> None:
    """Also where a wave holds the node back, or came to it later than the node has applied."""
    sites = waves.add_sites(4)
    waves.change(*sites[:3], uwsgi={"processes": 7})
    for _ in range(4):
        client = signed_in(waves.fleet.user(f"root{waves.fleet.revision}", operator=True))
        for node in ("web1", "web2", "web3"):
            here = {one.site.uid: one.why for one in client.get(node_address(node)).context["sites"]}
            told = {
                site.uid: one.why
                for site in map(waves.fleet.site, ("site0", "site1", "site2", "site3"))
                for one in site_status(site).nodes
                if one.node.id == node
            }
            assert here == told
        waves.report_all()
        waves.tick(2)


def test_number_of_queries_does_not_grow_with_sites(shared: Fleet, client: Client) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get(node_address("few-1")).status_code == 200
        return len(found)

    def add(start: int, end: int) -> None:
        names = [f"site{number}" for number in range(start, end)]
        shared.apply(*(CreateSite(name, {"hostnames": [f"{name}.example.com"]}) for name in names), at_once=True)
        place_sites(OPERATOR, "few-1", [shared.site(name) for name in names])

    add(0, 3)
    report("few-1", shared.revision)
    count()
    before = count()
    add(3, 60)
    assert count() == before
    assert before <= 20
    assert len(client.get(node_address("few-1")).context["sites"]) == 50
    assert len(client.get(node_address("few-1"), {"p": "2"}).context["sites"]) == 10


def test_weight_is_set(client: Client, shared: Fleet) -> None:
    assert send(client, "few-1", "weight", weight="50", reason="a small machine").headers["Location"]
    assert Node.objects.get(pk="few-1").weight == 50
    assert Event.objects.get(revision=shared.revision).metadata["reason"] == "a small machine"
    before = shared.revision
    for text in ("", "x", "-1", "1001", "9" * 40, "\u0665"):
        assert send(client, "few-1", "weight", weight=text).status_code == 200
    assert send(client, "few-1", "weight", weight="50").status_code == 302
    assert shared.revision == before


def test_node_is_drained_and_serves_again_after_a_question(shared: Fleet, client: Client) -> None:
    before = shared.revision
    asked = send(client, "web-1", "drain", reason="new disks")
    assert "Front servers ask it no longer." in words(asked)
    assert 'value="new disks"' in asked.text
    assert (state("web-1"), shared.revision) == (ACTIVE, before)
    send(client, "web-1", "drain", confirmed=True, reason="new disks")
    assert state("web-1") == DRAINING
    assert Event.objects.get(revision=shared.revision).metadata["reason"] == "new disks"
    send(client, "web-1", "activate")
    assert state("web-1") == ACTIVE


def test_placed_sites_move_before_their_node_drains(shared: Fleet, client: Client) -> None:
    """The page of the plan asks, and carries it out."""
    place_sites(OPERATOR, "few-1", [shared.add("aurora", replicas=1)])
    save_node(OPERATOR, "few-2", weight=100)
    report("few-2", shared.revision)
    answer = send(client, "few-1", "drain", confirmed=True, reason="new disks")
    plan = Plan.objects.get()
    address = f"/admin/fleet/plans/{plan.pk}/"
    assert (answer.headers["Location"], plan.state, plan.reason) == (address, PLAN_PROPOSED, "new disks")
    assert state("few-1") == ACTIVE
    page = words(client.get(address))
    assert "Drain the node few-1" in page
    assert "aurora few-1 few-2" in page
    assert client.post(address, {"action": "nothing"}).status_code == 404
    client.post(address, {"action": "apply"})
    assert Plan.objects.get().state == "running"
    assert "A plan that drains it is running." in words(client.get(node_address("few-1")))
    client.post(address, {"action": "cancel"})
    assert Plan.objects.get().state == "cancelled"
    assert "It is cancelled." in words(client.post(address, {"action": "apply"}, follow=True))


def test_drain_of_a_node_that_alone_serves_a_site_is_refused_with_the_reason(shared: Fleet, client: Client) -> None:
    place_sites(OPERATOR, "few-1", [shared.add("aurora", replicas=1)])
    report("few-1", shared.revision)
    answer = send(client, "few-1", "leave", confirmed=True)
    assert "No other node serves aurora." in words(answer)
    assert state("few-1") == ACTIVE


def test_node_is_forgotten_once_it_is_away(client: Client) -> None:
    answer = send(client, "web-1", "forget", confirmed=True)
    assert "Only a node that is away can be removed." in words(answer)
    send(client, "web-1", "leave")
    assert state("web-1") == ACTIVE
    send(client, "web-1", "leave", confirmed=True)
    assert state("web-1") == AWAY
    assert "cannot report any more" in words(send(client, "web-1", "forget"))
    assert Node.objects.filter(pk="web-1").exists()
    assert send(client, "web-1", "forget", confirmed=True).headers["Location"] == NODES
    assert not Node.objects.filter(pk="web-1").exists()


@pytest.mark.parametrize("action", ["weight", "drain", "leave"])
def test_change_of_somebody_else_is_not_overwritten(shared: Fleet, client: Client, action: str) -> None:
    seen = Node.objects.get(pk="web-1").revision
    save_node(OPERATOR, "web-1", zone="north")
    before = shared.revision
    answer = send(client, "web-1", action, confirmed=True, weight="5", generation=seen)
    assert "Someone else changed the node" in words(answer)
    assert shared.revision == before
    sent = {"action": action, "confirmed": "yes", "weight": "5"}
    assert client.post(node_address("web-1"), sent).status_code == 400
    assert shared.revision == before


def test_other_pages_cannot_send_the_forms(shared: Fleet) -> None:
    client = signed_in(shared.user("ruth", operator=True), enforce_csrf_checks=True)
    assert send(client, "web-1", "drain", confirmed=True).status_code == 403
    assert state("web-1") == ACTIVE


def test_actions_are_those_that_lead_somewhere(shared: Fleet, client: Client) -> None:
    def offered(node: str) -> list[str]:
        page = client.get(node_address(node)).text
        return [name for name in ("activate", "drain", "leave", "forget") if f'value="{name}"' in page]

    assert offered("web-1") == ["drain", "leave"]
    save_node(OPERATOR, "web-1", state=DRAINING)
    assert offered("web-1") == ["activate", "leave"]
    save_node(OPERATOR, "web-1", state=AWAY)
    assert offered("web-1") == ["activate", "forget"]
    add_nodes("front-1", group="fronts", holds=FRONT)
    shared.add("aurora")
    assert "It has no sites." in words(client.get(node_address("front-1")))

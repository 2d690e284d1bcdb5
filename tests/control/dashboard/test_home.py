"""The menu, and the admin's first page: the fleet by state and what changed last, of what the person may see."""

from __future__ import annotations

import json
import re

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.control.dashboard.visits import EVENTS, SITES, listed, signed_in, text_of
from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import CreateSite

HOME = "/admin/"


def menu(client: Client) -> list[str]:
    """Return the pages of the menu "Fleet"."""
    page = text_of(client, HOME)
    found = re.search(r'<script id="wagtail-sidebar-props" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found
    return re.findall(r'"/admin/fleet/([a-z]+)/"', json.dumps(json.loads(found[1])))


def tallies(client: Client) -> list[tuple[str, str]]:
    return re.findall(r'<li><a href="([^"]+)">(\w+: \d+ sites?)</a></li>', text_of(client, HOME))


def test_first_page_counts_sites_by_state(fleet: Fleet) -> None:
    for name, state in (("aurora", "active"), ("borealis", "maintenance"), ("corona", "active")):
        fleet.add(name, state=state)
    fleet.add("dione", enabled=False)
    client = signed_in(fleet.user("ada", operator=True))
    found = tallies(client)
    assert [words for _, words in found] == ["Active: 2 sites", "Maintenance: 1 site", "Disabled: 1 site"]
    for address, words in found:
        path, _, query = address.partition("?")
        assert len(listed(client, path, **dict([query.split("=")]))) == int(words.split()[1])


def test_first_page_shows_only_what_may_be_seen(fleet: Fleet) -> None:
    fleet.add("aurora")
    fleet.add("hidden-site")
    client = signed_in(fleet.user("ada", aurora="view"))
    page = text_of(client, HOME)
    assert [words for _, words in tallies(client)] == ["Active: 1 site"]
    assert "Site created: <a" in page
    assert "hidden-site" not in page
    assert "Platform changed" not in page
    assert "Platform changed" in text_of(signed_in(fleet.user("root", operator=True)), HOME)


def test_first_page_says_nothing_of_the_fleet_to_strangers(fleet: Fleet) -> None:
    fleet.add("aurora")
    client = signed_in(fleet.user("bob"))
    page = text_of(client, HOME)
    assert "The fleet" not in page
    assert "fleet/" not in page
    assert menu(client) == []


def test_menu_has_the_pages_that_someone_may_open(fleet: Fleet) -> None:
    fleet.add("aurora")
    customer, operator = signed_in(fleet.user("ada", aurora="view")), signed_in(fleet.user("root", operator=True))
    assert {"sites", "domains", "events"} <= {*menu(customer)}
    assert "platform" not in menu(customer)
    assert {"sites", "domains", "events", "platform"} <= {*menu(operator)}
    for client in (customer, operator):
        assert [page for page in menu(client) if client.get(f"/admin/fleet/{page}/").status_code != 200] == []


def test_first_page_asks_as_often_for_many_sites(fleet: Fleet) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as found:
            text_of(client, HOME)
        return len(found)

    def add(start: int, end: int) -> None:
        names = [f"site{number}" for number in range(start, end)]
        fleet.apply(*(CreateSite(name, {"hostnames": [f"{name}.example.com"]}) for name in names))

    add(0, 10)
    client = signed_in(fleet.user("ada", operator=True))
    text_of(client, HOME)
    before = count()
    add(10, 200)
    assert count() == before


def test_names_of_people_are_told_to_those_who_share_a_group(fleet: Fleet) -> None:
    fleet.add("aurora")
    ada = fleet.user("ada", aurora="operate")
    neighbour = fleet.user("bob", aurora="view")
    client = signed_in(ada)
    uid = fleet.site("aurora").uid
    address = f"/admin/bulk/multihost_control/managedsite/maintenance/?id={uid}"
    client.post(address, {"seen": client.get(address).context["seen"]})
    assert "<td >\n    ada" in text_of(client, EVENTS)
    for path in (EVENTS, HOME):
        page = text_of(signed_in(neighbour), path)
        assert "Someone else" in page
        assert "An operator" in page
        assert not re.search(r"\bada\b|\broot\b", page)
    assert "Operator root" in text_of(signed_in(fleet.user("eve", operator=True)), EVENTS)
    assert listed(client, SITES) == ["aurora"]

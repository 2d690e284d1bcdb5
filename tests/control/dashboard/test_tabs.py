"""The tabs of a site's pages."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client

from tests.control.fleet import Fleet
from wagtail_multihost.control.authority import authority_of
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.tabs import HISTORY, tabs_of


def test_tabs_are_those_that_someone_may_see(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    by_action = {action: fleet.authority(f"{action}er", aurora=action) for action in ("view", "change", "admin")}
    labels = {action: [tab.label for tab in tabs_of(site, one, HISTORY)] for action, one in by_action.items()}
    assert "Access" not in labels["view"] + labels["change"]
    assert "Website" in labels["view"]
    assert tabs_of(site, authority_of(fleet.user("eve")), HISTORY) == []


@pytest.mark.parametrize("tab", ["website", "jobs"])
def test_pages_of_a_site_are_for_those_who_may_see_it(fleet: Fleet, tab: str) -> None:
    site, other = fleet.add("aurora"), fleet.add("borealis")
    client = Client(headers={"host": "control.localhost"})
    client.force_login(fleet.user("ada", aurora="view"))
    page = client.get(site_address(site.uid, tab))
    assert page.status_code == 200
    assert 'aria-current="page"' in page.text
    assert client.get(site_address(other.uid, tab)).status_code == 404
    other.uid = uuid4()
    assert client.get(site_address(other.uid, tab)).status_code == 404
    assert Client(headers={"host": "control.localhost"}).get(site_address(site.uid, tab)).status_code == 302

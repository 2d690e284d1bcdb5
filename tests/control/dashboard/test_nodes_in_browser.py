"""Nodes, waves, holds and the tab Deployment in a real browser: on a phone and on a desktop, and by the keyboard."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.utils import timezone

from tests.control.browser import SCREENS, ControlSite
from tests.control.dashboard.nodes import HOLDS, NODES, SILENT, WAVES, add_nodes, condition, failing, report
from tests.control.fleet import OPERATOR, SHARED, Fleet, prepare_fleet
from wagtail_multihost.control.dashboard.addresses import node_address, page_address, site_address
from wagtail_multihost.control.dashboard.tabs import DEPLOYMENT
from wagtail_multihost.control.holds import current_holds, hold
from wagtail_multihost.control.models import Node, Wave
from wagtail_multihost.control.nodes import place_sites, save_node
from wagtail_multihost.control.placing.plans import make_plan
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.nodeapi.node_states import DRIFT, PLACED, STOPPED
from wagtail_multihost.spec.time_lengths import HOUR

LONG = "/srv/multihost/a-long-name-of-a-folder/" * 6


@pytest.fixture(name="furnished")
def _furnished(live_fleet: Fleet) -> Fleet:
    """A fleet with something of everything that the pages show."""
    fleet = prepare_fleet(SHARED)
    add_nodes("few-1", group="few", holds=PLACED, zone="a-zone-with-a-long-name", address="node-1.example.net:8080")
    site = fleet.add("aurora", replicas=1)
    place_sites(OPERATOR, "few-1", [site])
    add_nodes("web-1", "web-2", "web-3")
    save_node(OPERATOR, "few-2", "few", state="active", weight=100)
    head = fleet.revision
    report("few-1", head - 1, failing(LONG), condition(DRIFT, message=LONG), aurora=LONG, **{"gone-site": LONG})
    report("few-2", head)
    report("web-1", head, ago=SILENT)
    values = {"bake_seconds": 60, "admitted": {"web-1": head}, "reason": "web-1: Applied"}
    with transaction.atomic():
        lock_head()
        Wave.objects.create(revision=head, stage_revision=head, stage_at=timezone.now(), state=STOPPED, **values)
    hold(OPERATOR, site, seconds=HOUR, reason=LONG)
    hold(OPERATOR, node=Node.objects.get(pk="few-1"), seconds=HOUR, reason="a new disk")
    hold(OPERATOR, seconds=2 * HOUR, reason="network work")
    return fleet


@pytest.mark.parametrize("screen", SCREENS)
def test_pages_are_accessible_and_fit(control_site: ControlSite, furnished: Fleet, screen: str) -> None:
    site = furnished.site("aurora")
    plan = make_plan(OPERATOR, "drain", "few-1")
    control_site.sign_in(furnished.user("root", operator=True))
    pages = {
        "/admin/": "Hold everything",
        NODES: "It could not apply the last change",
        node_address("few-1"): "Set the weight",
        node_address("web-3"): "It has said nothing of itself.",
        page_address("plan", plan=plan.pk): "Carry it out",
        WAVES: "Let it go on",
        HOLDS: "Hold more",
        site_address(site.uid, DEPLOYMENT): "On the nodes",
    }
    for page, words in pages.items():
        text = control_site.show(page, SCREENS[screen])
        assert words in text
        assert "Everything is held" in text
        assert control_site.violations() == [], page
        assert control_site.fits(), page
    control_site.show(node_address("few-1"), SCREENS[screen])
    text = control_site.follow("document.querySelector('button[value=leave]').click()")
    assert "Nobody waits for it any more" in text
    assert control_site.violations() == []
    assert control_site.fits()


def test_site_is_held_by_keyboard_alone_until_that_is_ended(control_site: ControlSite, live_fleet: Fleet) -> None:
    """What is wrong is said first, and the banner is on the next page that anybody who sees the site opens."""
    site = live_fleet.add("aurora")
    control_site.sign_in(live_fleet.user("ada", aurora="operate"))
    control_site.show(site_address(site.uid, DEPLOYMENT))
    control_site.tab_to("[name=length]", limit=400)
    control_site.type("2 days")
    control_site.tab_to("[name=reason]")
    control_site.type("restore")
    press(control_site, "main .multihost-hold-form button[type=submit]")
    assert "'2 days' is no length of time." in control_site.text
    assert control_site.violations() == []
    control_site.tab_to("[name=length]", limit=400)
    control_site.tab.evaluate("document.activeElement.value = ''")
    control_site.type("2h")
    press(control_site, "main .multihost-hold-form button[type=submit]")
    assert control_site.path == site_address(site.uid, DEPLOYMENT)
    assert "The site aurora is held until" in control_site.text
    assert [one.reason for one in current_holds()] == ["restore"]
    control_site.sign_in(live_fleet.user("bob", aurora="view"))
    assert "The site aurora is held until" in control_site.show("/admin/")
    control_site.sign_in(live_fleet.user("eve", aurora="admin"))
    control_site.show(HOLDS)
    press(control_site, "main .multihost-cards button")
    assert "The hold has ended." in control_site.text
    assert not current_holds().exists()


def press(control_site: ControlSite, selector: str) -> None:
    """Go to a button by the Tab key and press it, which leads to another page."""
    control_site.tab_to(selector, limit=400)
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()

"""A site's tab Deployment: which nodes have it, and why others have not."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.formats import date_format
from django.utils.timezone import localtime

from tests.control.dashboard.nodes import SILENT, SINCE, add_nodes, condition, failing, report
from tests.control.dashboard.pages import Pages, words
from tests.control.fleet import OPERATOR, SHARED, Fleet, prepare_fleet
from tests.control.waves import WaveFleet
from wagtail_multihost.control.dashboard.tabs import DEPLOYMENT
from wagtail_multihost.control.models import Wave
from wagtail_multihost.control.nodes import place_sites, save_node
from wagtail_multihost.nodeapi.node_states import DRAINING, DRIFT, PLACED, SITE_REFUSED

FOREIGN = "borealis: /srv/multihost/borealis.ini"


@pytest.fixture(name="shared")
def _shared(db: None) -> Fleet:
    fleet = prepare_fleet(SHARED)
    fleet.add("aurora")
    add_nodes("web-1", "web-2", "web-3")
    return fleet


def test_each_node_is_shown_with_when_and_by_which_revision(shared: Fleet) -> None:
    site = shared.site("aurora")
    pages = Pages(shared.user("root", operator=True))
    assert "Not all active nodes have it." in words(pages.get(site, DEPLOYMENT))
    save_node(OPERATOR, "web-3", state=DRAINING)
    head = shared.revision
    report("web-1", head)
    report("web-2", site.revision - 1, failing("no room"), ago=SILENT)
    page = words(pages.get(site, DEPLOYMENT))
    assert f"The site's last change has the revision {site.revision}. Not all active nodes have it." in page
    assert f"when the registry had the revision {head}." in page
    assert f"web-1 Active {site.revision} {head}" in page
    since = date_format(localtime(datetime.fromisoformat(SINCE)), "j F Y, H:i:s")
    assert f"As it should be {since}" in page
    assert f"web-2 Active {site.revision} {site.revision - 1}" in page
    assert (
        f"It has said nothing for more than 90 seconds.; It has applied {site.revision - 1}.; It could not apply the "
        "last change. It could not apply the last change: no room" in page
    )
    assert f"web-3 Draining {site.revision} nothing never It has never reported. not stated" in page
    report("web-2", head)
    assert "All active nodes have it." in words(pages.get(site, DEPLOYMENT))


def test_what_nodes_say_themselves_is_for_operators(shared: Fleet) -> None:
    """It may name other sites, and paths."""
    site = shared.site("aurora")
    refused = condition(SITE_REFUSED, message=FOREIGN)
    report("web-1", shared.revision, refused, condition(DRIFT, message=FOREIGN), aurora=FOREIGN)
    customer = Pages(shared.user("ada", aurora="admin")).get(site, DEPLOYMENT)
    assert "It does not accept the site's newest record, and keeps what it had." in words(customer)
    assert "web-1" in words(customer)
    assert "borealis" not in customer.text
    assert "/admin/fleet/nodes/" not in customer.text
    operator = Pages(shared.user("root", operator=True)).get(site, DEPLOYMENT)
    assert words(operator).count(FOREIGN) == 3
    assert "/admin/fleet/nodes/web-1/" in operator.text


def test_placed_site_is_on_its_nodes_alone(shared: Fleet) -> None:
    add_nodes("few-1", "few-2", group="few", holds=PLACED)
    save_node(OPERATOR, "web-1", state="away")
    site = shared.site("aurora")
    place_sites(OPERATOR, "few-1", [site])
    report("few-1", shared.revision)
    pages = Pages(shared.user("root", operator=True))
    found = {one.found.node.id: one.found for one in pages.get(site, DEPLOYMENT).context["nodes"]}
    assert set(found) == {"few-1", "web-2", "web-3"}
    assert found["few-1"].has_it and not found["few-1"].is_serving
    assert "Applied, and not served yet" in words(pages.get(site, DEPLOYMENT))


def test_site_without_nodes_says_so(fleet: Fleet) -> None:
    page = Pages(fleet.user("root", operator=True)).get(fleet.add("aurora"), DEPLOYMENT)
    assert "No node has the site." in words(page)


def test_wave_that_a_node_waits_for_is_named(waves: WaveFleet) -> None:
    sites = waves.add_sites(3)
    waves.report_all()
    waves.change(*sites, uwsgi={"processes": 7})
    waves.report_all()
    wave = Wave.objects.get()
    site = waves.fleet.site("site0")
    operator = Pages(waves.fleet.user("root", operator=True)).get(site, DEPLOYMENT)
    assert words(operator).count("A wave has not reached it yet. The wave") == 2
    assert 'href="/admin/fleet/waves/"' in operator.text
    customer = Pages(waves.fleet.user("ada", site0="view")).get(site, DEPLOYMENT)
    assert words(customer).count(f"A wave has not reached it yet. The wave is {wave.pk}.") == 2
    assert "/admin/fleet/waves/" not in customer.text


def test_number_of_queries_does_not_grow_with_nodes(shared: Fleet) -> None:
    site = shared.site("aurora")
    pages = Pages(shared.user("root", operator=True))

    def count() -> int:
        with CaptureQueriesContext(connection) as found:
            pages.get(site, DEPLOYMENT)
        return len(found)

    count()
    before = count()
    names = [f"more-{number}" for number in range(40)]
    add_nodes(*names)
    for name in names:
        report(name, shared.revision)
    assert count() == before
    assert before <= 18

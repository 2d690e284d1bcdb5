"""Availability, incidents and silences in a real browser: on every screen, and while they are read again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from tests.control.browser import SCREENS, ControlSite
from tests.control.dashboard.looks import DAY, HOUR, age, concern, fall, look, measure, see, suffer
from tests.control.dashboard.nodes import add_nodes
from tests.control.dashboard.visits import AVAILABILITY, INCIDENTS, RECIPIENTS, SILENCES
from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.tabs import AVAILABILITY as TAB
from wagtail_multihost.control.maintenance import Times, plan_maintenance
from wagtail_multihost.control.models import Incident, Maintenance, ProbeLatest, Silence
from wagtail_multihost.control.silences import silence
from wagtail_multihost.nodeapi.incident_words import (
    CLOSED,
    DATABASE,
    HEALED,
    NODE,
    NODE_SILENT,
    OPENED,
    SITES_DOWN,
)
from wagtail_multihost.nodeapi.probe_states import DOWN, WRONG_SITE

LONG = "a-long-name-of-a-server-without-any-blanks." * 6
PART = "document.querySelector('#availability')"


@pytest.fixture(name="furnished")
def _furnished(live_fleet: Fleet) -> Fleet:
    """A fleet with something of everything that the pages show."""
    now = timezone.now()
    add_nodes("web-1")
    names = ("aurora", "borealis-with-a-name-that-is-long", "corona")
    sites = [live_fleet.add(name) for name in names]
    age(*sites)
    look(now, (90 * DAY, 40 * DAY), (30 * DAY, -HOUR))
    look(now, place="web-1")
    aurora, borealis, corona = sites
    see(aurora, now, DOWN, "certificate-expired", ago=HOUR, certificate_until=now - HOUR)
    see(aurora, now, place="web-1")
    see(borealis, now, WRONG_SITE, "wrong-proof", ago=2 * HOUR)
    see(corona, now)
    for number in range(20):
        suffer(aurora, now - (number + 2) * DAY, now - (number + 2) * DAY + number * HOUR, DOWN, "status", 502)
        measure(aurora, now - (number if number < 9 else number + 2) * HOUR, *[30] * 20, *[900] * number)
    lines = [(OPENED, LONG[:300]), (HEALED, "Its process was started again."), (CLOSED, "It answers again.")]
    fall(now, aurora, lines=lines, summary=LONG[:300])
    concern(Incident.objects.get(), aurora)
    shared = fall(now, kind=SITES_DOWN, cause=DATABASE, subject=LONG[:120], count=2)
    for site in (aurora, borealis):
        concern(shared, site)
    fall(now, kind=NODE_SILENT, cause=NODE, subject="web-1", lasted=timedelta(minutes=9))
    plan_maintenance(OPERATOR, aurora, Times(now + HOUR, now + DAY), reason=LONG)
    silence(OPERATOR, borealis, seconds=3600, reason=LONG)
    return live_fleet


@pytest.mark.parametrize("screen", SCREENS)
def test_pages_are_accessible_and_fit(control_site: ControlSite, furnished: Fleet, screen: str, tmp_path: Path) -> None:
    site, shared = furnished.site("aurora"), Incident.objects.get(cause=DATABASE)
    tab = site_address(site.uid, TAB)
    control_site.sign_in(furnished.user("root", operator=True))
    pages = {
        "/admin/": "Open incidents",
        AVAILABILITY: "proof is of none of the platform",
        f"{AVAILABILITY}?q=nothing": "Nothing matches",
        tab: "Plan maintenance",
        f"{tab}?tables=shown&live=off": "Without the numbers",
        INCIDENTS: "Many sites down",
        f"{INCIDENTS}{shared.pk}/": "a database server that sites share",
        f"{INCIDENTS}{Incident.objects.get(site=site).pk}/": "Silence the site aurora",
        SILENCES: "Silence everything",
        RECIPIENTS: "Who is told",
    }
    for number, (page, words) in enumerate(pages.items()):
        assert words in control_site.show(page, SCREENS[screen]), page
        control_site.tab.screenshot(tmp_path / f"{number}-{screen}.png")
        assert control_site.violations() == [], page
        assert control_site.fits(), page


@pytest.mark.parametrize("screen", SCREENS)
def test_pages_without_anything_are_accessible_and_fit(
    control_site: ControlSite, live_fleet: Fleet, screen: str
) -> None:
    site = live_fleet.add("aurora")
    control_site.sign_in(live_fleet.user("ada", aurora="view"))
    for page in (AVAILABILITY, site_address(site.uid, TAB), INCIDENTS, SILENCES):
        control_site.show(page, SCREENS[screen])
        assert control_site.violations() == [], page
        assert control_site.fits(), page


def test_pictures_are_drawn(control_site: ControlSite, furnished: Fleet) -> None:
    """As wide as the page, with colours that differ by kind, and without a style that a policy could forbid."""
    control_site.sign_in(furnished.user("root", operator=True))
    control_site.show(site_address(furnished.site("aurora").uid, TAB))
    for picture in ("multihost-days", "multihost-latency"):
        width, height = control_site.tab.evaluate(
            f"(box => [box.width, box.height])(document.querySelector('.{picture}').getBoundingClientRect())"
        )
        assert width > 500 and height > 30, picture
    kinds = ("up", "down", "unknown")
    fills = [
        control_site.tab.evaluate(f"getComputedStyle(document.querySelector('rect.multihost-chart-{kind}')).fill")
        for kind in kinds
    ]
    assert len(set(fills)) == len(kinds) and "rgb(0, 0, 0)" not in fills
    stroke = control_site.tab.evaluate("getComputedStyle(document.querySelector('.multihost-chart-most')).stroke")
    assert stroke not in ("none", "")
    assert control_site.tab.evaluate(f"{PART}.querySelectorAll('[style]').length") == 0
    assert control_site.tab.evaluate("document.querySelector('.multihost-days g title').textContent.length") > 10


def test_tab_is_brought_up_to_date_and_nobody_is_disturbed(control_site: ControlSite, furnished: Fleet) -> None:
    """Within some seconds; not while the focus is in it, which stays where it is; and not once it is paused."""
    site = furnished.site("corona")
    control_site.sign_in(furnished.user("ada", corona="view"))
    control_site.show(site_address(site.uid, TAB))
    assert control_site.tab.evaluate(f"{PART}.innerText.includes('Up since')")
    ProbeLatest.objects.filter(site=site).update(state=DOWN, reason="refused")
    control_site.wait_for(f"{PART}.innerText.includes('The connection was refused.')")
    control_site.tab.evaluate(f"window.link = {PART}.querySelector('a'); window.link.focus(); 1")
    ProbeLatest.objects.filter(site=site).update(reason="timeout")
    control_site.tab.evaluate("window.seen = 0; addEventListener('w-swap:begin', () => window.seen++); 1")
    control_site.wait_for("window.seen >= 2")
    assert "There was no whole answer in time." not in control_site.text
    assert control_site.tab.evaluate("document.activeElement === window.link")
    control_site.tab.evaluate("document.activeElement.blur()")
    control_site.wait_for(f"{PART}.innerText.includes('There was no whole answer in time.')")
    control_site.follow("[...document.querySelectorAll('a')].find(a => a.textContent === 'Pause this').click()")
    assert control_site.path.endswith("?live=off")
    assert not control_site.tab.evaluate("document.querySelector('[data-w-swap-src-value$=\"/now/\"]')")


def test_list_is_brought_up_to_date_with_its_filters(control_site: ControlSite, furnished: Fleet) -> None:
    control_site.sign_in(furnished.user("root", operator=True))
    control_site.show(f"{AVAILABILITY}?state=down")
    results = "document.querySelector('#listing-results').innerText"
    assert control_site.tab.evaluate(f"{results}.includes('aurora')")
    ProbeLatest.objects.filter(site=furnished.site("corona")).update(state=DOWN, reason="reset")
    control_site.wait_for(f"{results}.includes('corona')")
    assert not control_site.tab.evaluate(f"{results}.includes('borealis')")


def test_maintenance_is_planned_by_keyboard(control_site: ControlSite, furnished: Fleet) -> None:
    """What is typed stays while the rest of the page is brought up to date."""
    site = furnished.site("corona")
    control_site.sign_in(furnished.user("olga", corona="operate"))
    control_site.show(site_address(site.uid, TAB))
    control_site.tab_to("[name=reason]", limit=400)
    control_site.type("new release")
    control_site.tab.evaluate("window.seen = 0; addEventListener('w-swap:success', () => window.seen++); 1")
    control_site.wait_for("window.seen >= 1")
    assert control_site.tab.evaluate("document.activeElement.value") == "new release"
    begin = timezone.localtime(timezone.now() + DAY)
    for name, at in (("since", begin), ("till", begin + HOUR)):
        control_site.tab.evaluate(f"document.querySelector('[name={name}]').value = '{at:%Y-%m-%dT%H:%M}'")
    control_site.tab_to("button[value=plan]")
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()
    assert "The maintenance is planned." in control_site.text
    assert Maintenance.objects.get(site=site).reason == "new release"


def test_incident_is_silenced_by_keyboard(control_site: ControlSite, furnished: Fleet) -> None:
    site = furnished.site("aurora")
    control_site.sign_in(furnished.user("olga", aurora="operate"))
    control_site.show(f"{INCIDENTS}{Incident.objects.get(site=site).pk}/")
    control_site.tab_to("[name=length]", limit=400)
    control_site.type("2h")
    control_site.tab_to("[name=reason]")
    control_site.type("it is known")
    control_site.tab_to("main form button[type=submit]")
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()
    assert control_site.path == SILENCES
    assert "The site aurora" in control_site.text and "it is known" in control_site.text
    assert Silence.objects.filter(site=site).count() == 1

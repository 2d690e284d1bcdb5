"""The lists in a real browser: on a phone and on a desktop, by the keyboard alone, with hostile texts."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from django.db import transaction

from tests.control.browser import SCREENS, ControlSite
from tests.control.dashboard.visits import DOMAINS, EVENTS, SITES, bulk_address
from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.changes import CreateSite
from wagtail_multihost.control.models import Event, Hostname, ManagedSite
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.control.writing import take_revisions

HOME, PLATFORM = "/admin/", "/admin/fleet/platform/"
PAGES = (HOME, SITES, DOMAINS, EVENTS, PLATFORM)
#: Runs if it is not escaped, in a text as well as in an attribute.
SCRIPT = "'\"><img src=x onerror=window.pwned=1><svg onload=window.pwned=1>"


def fill(fleet: Fleet, count: int = 60) -> None:
    """Make more sites than a page has, in one change."""
    labels = {"plan": "gold", "team": "north-of-the-river"}
    record = {"labels": labels}
    names = [f"a-site-with-a-name-{number:03}" for number in range(count)]
    fleet.apply(*(CreateSite(name, {"hostnames": [f"www.{name}.example.com"], **record}) for name in names))


@pytest.mark.parametrize("screen", SCREENS)
def test_pages_are_accessible_and_fit(
    control_site: ControlSite, live_fleet: Fleet, screen: str, tmp_path: Path
) -> None:
    """Axe finds nothing, and no page has to be scrolled sideways."""
    fill(live_fleet)
    control_site.sign_in(live_fleet.user("ada", operator=True))
    uids = ManagedSite.objects.values_list("uid", flat=True)[:20]
    bulk = [bulk_address(action, uids) for action in ("disable", "label", "enable")]
    for number, page in enumerate((*PAGES, f"{SITES}?q=nothing", *bulk)):
        control_site.show(page, SCREENS[screen])
        control_site.tab.screenshot(tmp_path / f"{number}-{screen}.png")
        assert control_site.violations() == [], page
        assert control_site.fits(), page


@pytest.mark.parametrize("screen", SCREENS)
def test_empty_pages_are_accessible_and_fit(control_site: ControlSite, live_fleet: Fleet, screen: str) -> None:
    control_site.sign_in(live_fleet.user("ada", operator=True))
    for page in PAGES:
        control_site.show(page, SCREENS[screen])
        assert control_site.violations() == [], page
        assert control_site.fits(), page
    assert "Create the first site" in control_site.show(SITES, SCREENS[screen])


def test_bulk_action_by_keyboard_alone(control_site: ControlSite, live_fleet: Fleet) -> None:
    """Two sites are chosen and disabled without a mouse."""
    fill(live_fleet, 12)
    control_site.sign_in(live_fleet.user("ada", operator=True))
    control_site.show(SITES)
    for uid in ManagedSite.objects.values_list("uid", flat=True)[:2]:
        control_site.tab_to(f"[data-object-id='{uid}']")
        control_site.press(" ")
    assert "2 items selected" in control_site.text
    control_site.tab_to(".bulk-actions-buttons a[aria-label='Disable the chosen sites']")
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()
    assert "2 sites will be changed" in control_site.text
    control_site.tab_to("[name=reason]")
    control_site.type("by hand")
    control_site.tab_to("[name=confirmed]")
    control_site.type("2")
    control_site.tab_to("main button[type=submit]")
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()
    assert "2 sites were changed." in control_site.text
    assert control_site.path == SITES
    assert ManagedSite.objects.filter(enabled=False).count() == 2
    assert Event.objects.first().metadata["reason"] == "by hand"  # type: ignore[union-attr]


def test_all_sites_of_a_search_are_chosen(control_site: ControlSite, live_fleet: Fleet) -> None:
    """What is typed counts, though the page is not loaded again, and more than one page is chosen."""
    fill(live_fleet, 70)
    live_fleet.add("other")
    control_site.sign_in(live_fleet.user("ada", operator=True))
    control_site.show(SITES)
    control_site.tab_to("[name=q]")
    control_site.type("name-0")
    control_site.wait_for("document.querySelector('#listing-results').innerText.includes('70 matches')")
    control_site.tab.evaluate("document.querySelector('main [data-bulk-action-select-all-checkbox]').click()")
    control_site.tab.evaluate("document.querySelector('[data-bulk-action-num-objects-in-listing]').click()")
    text = control_site.follow("document.querySelector(\"[aria-label='Enable the chosen sites']\").click()")
    assert "70 sites stay as they are" in text


def test_search_by_keyboard_alone(control_site: ControlSite, live_fleet: Fleet) -> None:
    """The filters open, choose and close without a mouse, and what is filtered is read out."""
    fill(live_fleet, 3)
    live_fleet.add("resting", state="maintenance")
    control_site.sign_in(live_fleet.user("ada", operator=True))
    control_site.show(SITES)
    control_site.tab_to("[aria-label='Show filters']")
    control_site.press("Enter")
    control_site.tab_to("[aria-controls='drilldown-id_state']")
    control_site.press("Enter")
    control_site.tab_to("[name=state][value=maintenance]")
    control_site.press(" ")
    control_site.wait_for("document.querySelector('#listing-results [role=alert]')?.innerText.includes('1 match')")
    assert control_site.path == f"{SITES}?state=maintenance"


def test_new_event_appears_by_itself(control_site: ControlSite, live_fleet: Fleet) -> None:
    """Within some seconds, and not while someone moves about in the list."""
    live_fleet.add("aurora")
    control_site.sign_in(live_fleet.user("ada", operator=True))
    control_site.show(EVENTS)
    live_fleet.add("borealis")
    control_site.wait_for("document.querySelector('#listing-results').innerText.includes('borealis')")
    control_site.tab.evaluate("document.querySelector('#listing-results a').focus()")
    live_fleet.add("corona")
    control_site.tab.evaluate("window.seen = 0; addEventListener('w-swap:begin', () => window.seen++); 1")
    control_site.wait_for("window.seen >= 2")
    assert "corona" not in control_site.text
    control_site.tab.evaluate("document.activeElement.blur()")
    control_site.wait_for("document.querySelector('#listing-results').innerText.includes('corona')")


@pytest.mark.parametrize("role", ["operator", "customer"])
def test_what_people_wrote_is_never_run(control_site: ControlSite, live_fleet: Fleet, role: str) -> None:
    """Labels, reasons, problems, names of people, search and filters are texts in every list and on every page."""
    record = {"hostnames": ["a.example.com"], "labels": {"plan": SCRIPT[:60]}}
    live_fleet.apply(CreateSite("aurora", record), by=OPERATOR, reason=SCRIPT)
    site = live_fleet.site("aurora")
    with transaction.atomic():
        revision = lock_head().revision + 1
        take_revisions(1)
        Hostname.objects.update(problem=SCRIPT)
        values = {"metadata": {"changed": [SCRIPT], "reason": SCRIPT}, "request": uuid4()}
        at = Event.objects.latest("revision").at
        Event.objects.create(
            revision=revision, type=SCRIPT[:40], at=at, site="aurora", uid=site.uid, actor=SCRIPT[:80], **values
        )
    user = live_fleet.user("ada", **({"operator": True} if role == "operator" else {"aurora": "operate"}))
    user.first_name = SCRIPT
    user.save()
    control_site.sign_in(user)
    hostile = {"q": SCRIPT, "label": f"plan={SCRIPT[:60]}", "state": SCRIPT, "site": SCRIPT, "ordering": SCRIPT}
    lists = [f"{page}?{key}={quoted(text)}" for page in (SITES, DOMAINS, EVENTS) for key, text in hostile.items()]
    bulk = [bulk_address("maintenance", [site.uid], next=SCRIPT)]
    pages = [HOME, SITES, DOMAINS, EVENTS, *lists, *bulk]
    for page in pages if role == "customer" else [*pages, PLATFORM]:
        control_site.show(page)
        assert not control_site.tab.evaluate("window.pwned || document.querySelector('img[src=x]')"), page
    assert "onerror" in control_site.show(EVENTS)


def quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text)

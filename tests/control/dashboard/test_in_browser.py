"""A site's pages in a real browser: on a phone and on a desktop, by keyboard, and the whole walk of a new site."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.utils import timezone

from tests.control.browser import PHONE, SCREENS, ControlSite
from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.tabs import ACCESS, DOMAINS, HISTORY, SETTINGS, WEBSITE
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Grant, ManagedSite, Note, Verification


def furnish(fleet: Fleet, author: Any) -> ManagedSite:
    """Return a site with something of everything that the pages show."""
    site = fleet.add("aurora", "www.aurora.example.com", "aurora.example.com", labels={"plan": "gold"})
    long = "a-long-label-of-a-name" * 2
    for admins in (["ada@example.com"], ["eve@example.com"]):
        fleet.apply(EditSite(site.uid, set_value(("admins",), admins)), reason=f"{long}.{long}@{long}")
    Note.objects.create(site=site, author=author, text=f"Moved here in May.\n{long}{long}")
    now = timezone.now()
    Verification.objects.create(name=f"{long}.{long}.org", site=site, secret="s" * 43)
    Verification.objects.create(name="proven.org", site=site, secret="s" * 43, proven_at=now, method="dns")
    Verification.objects.create(name="not.org", site=site, secret="s" * 43, checked_at=now, problem="No such name.")
    return fleet.site("aurora")


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("role", ["operator", "change", "view"])
def test_every_page_is_accessible_and_fits(
    control_site: ControlSite, live_fleet: Fleet, role: str, screen: str
) -> None:
    root = live_fleet.user("root", operator=True)
    site = furnish(live_fleet, root)
    control_site.sign_in(root if role == "operator" else live_fleet.user("ada", aurora=role))
    former = ManagedSite.objects.get(uid=site.uid).former_records.order_by("revision")[1].revision
    pages = [site_address(site.uid, tab) for tab in (WEBSITE, DOMAINS, SETTINGS, HISTORY)]
    if role != "view":
        pages.append(f"{site_address(site.uid, HISTORY)}{former}/")
    if role == "operator":
        pages.append("/admin/fleet/sites/new/")
    for page in pages:
        control_site.show(page, SCREENS[screen])
        assert control_site.violations() == [], page
        assert control_site.fits(), page


def test_new_site_is_made_and_changed_by_keyboard_alone(control_site: ControlSite, live_fleet: Fleet) -> None:
    control_site.sign_in(live_fleet.user("root", operator=True))
    control_site.show("/admin/fleet/sites/new/")
    enter(control_site, "#id_identifier", "dione")
    enter(control_site, "#id_hostnames", "dione.example.com")
    press(control_site, "main button[type=submit]")
    site = live_fleet.site("dione")
    assert control_site.path == site_address(site.uid)
    assert "Saved as revision" in control_site.text
    enter(control_site, "#note", "Made by hand.")
    press(control_site, "button[value=note]")
    assert "Made by hand." in control_site.text
    press(control_site, f"a[href='{site_address(site.uid, SETTINGS)}']")
    enter(control_site, "#id_epoch", "2")
    press(control_site, "button[value=preview]")
    assert "This is what would change." in control_site.text
    press(control_site, "button[value=save]")
    assert live_fleet.site("dione").record["epoch"] == 2
    press(control_site, f"a[href='{site_address(site.uid, DOMAINS)}']")
    enter(control_site, "#new-name", "www.dione.example.com")
    press(control_site, "button[value=add]")
    assert live_fleet.site("dione").record["hostnames"] == ["dione.example.com", "www.dione.example.com"]
    press(control_site, f"a[href='{site_address(site.uid, HISTORY)}']")
    press(control_site, ".multihost-cards a.button")
    press(control_site, "main form button[type=submit]")
    assert live_fleet.site("dione").record["hostnames"] == ["dione.example.com"]
    press(control_site, f"a[href='{site_address(site.uid)}']")
    enter(control_site, "#typed", "dione")
    press(control_site, "button[value=retire]")
    assert not ManagedSite.objects.filter(retired_at=None).exists()


def test_walk_of_a_new_site(control_site: ControlSite, live_fleet: Fleet) -> None:
    """Create a site, add a hostname, give somebody a right, who sees this site alone; go back to a former record."""
    root, ada = live_fleet.user("root", operator=True), live_fleet.user("ada")
    other = live_fleet.add("mimas", "secret-name.example.com")
    control_site.sign_in(root)
    control_site.show("/admin/fleet/sites/new/", PHONE)
    fill(control_site, "#id_identifier", "dione")
    fill(control_site, "#id_hostnames", "dione.example.com")
    control_site.follow("document.querySelector('main button[type=submit]').click()")
    site = live_fleet.site("dione")
    created = live_fleet.revision
    control_site.show(site_address(site.uid, DOMAINS), PHONE)
    fill(control_site, "#new-name", "www.dione.example.com")
    text = control_site.follow("document.querySelector('button[value=add]').click()")
    assert "www.dione.example.com" in text
    control_site.show(site_address(site.uid, ACCESS), PHONE)
    choose = f"id_group.value = '{ada.groups.get().pk}'; id_action.value = 'change'"
    control_site.follow(f"{choose}; document.querySelector('main form button[type=submit]').click()")
    assert Grant.objects.get(site=site, group__user=ada).action == "change"

    control_site.sign_in(ada)
    assert "www.dione.example.com" in control_site.show(site_address(site.uid, DOMAINS))
    assert "secret-name" not in control_site.show(site_address(site.uid, HISTORY))
    for tab in (WEBSITE, DOMAINS, SETTINGS, ACCESS, HISTORY):
        assert "secret-name" not in control_site.show(site_address(other.uid, tab))
        assert control_site.tab.evaluate("performance.getEntriesByType('navigation')[0].responseStatus") == 404
    control_site.show(site_address(site.uid, SETTINGS))
    fill(control_site, "#id_admins", "ada@example.com")
    control_site.follow("document.querySelector('button[value=save]').click()")
    assert live_fleet.site("dione").record["admins"] == ["ada@example.com"]

    control_site.show(f"{site_address(site.uid, HISTORY)}{created}/")
    assert "www.dione.example.com" in control_site.text
    control_site.follow("document.querySelector('main form button[type=submit]').click()")
    record = live_fleet.site("dione").record
    assert (record["hostnames"], "admins" in record) == (["dione.example.com"], False)


def test_page_follows_a_proof(control_site: ControlSite, live_fleet: Fleet) -> None:
    """The result appears by itself, without taking the focus away, and then nothing is asked for any more."""
    site = live_fleet.add("aurora")
    control_site.sign_in(live_fleet.user("ada", aurora="change"))
    control_site.show(site_address(site.uid, DOMAINS))
    fill(control_site, "#new-name", "b.org")
    control_site.follow("document.querySelector('button[value=prove]').click()")
    control_site.follow("document.querySelector('button[value=check]').click()")
    assert "It is being checked." in control_site.text
    control_site.tab.evaluate("document.querySelector('button[value=cancel]').focus()")
    now = timezone.now()
    Verification.objects.update(proven_at=now, checked_at=now, wanted_at=None, method="file")
    control_site.wait_for("document.body.innerText.includes('It is proven, by the file.')")
    assert control_site.tab.evaluate("document.activeElement.value") == "cancel"
    assert control_site.violations() == []
    asked = "performance.getEntriesByType('resource').filter(one => one.name.includes('/domains/')).length"
    control_site.wait_for("!document.querySelector('[data-w-init-event-value]')")
    before = control_site.tab.evaluate(asked)
    time.sleep(4)
    assert control_site.tab.evaluate(asked) == before
    control_site.follow("document.querySelector('button[value=use]').click()")
    assert live_fleet.site("aurora").record["hostnames"] == ["aurora.example.com", "b.org"]


def enter(control_site: ControlSite, selector: str, text: str) -> None:
    """Go to a field by the Tab key and enter a text."""
    control_site.tab_to(selector, limit=400)
    control_site.type(text)


def press(control_site: ControlSite, selector: str) -> None:
    """Go to a button or a link by the Tab key and press it, which leads to another page."""
    control_site.tab_to(selector, limit=400)
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()


def fill(control_site: ControlSite, selector: str, text: str) -> None:
    """Enter a text in a field that is clicked on."""
    control_site.tab.evaluate(f"document.querySelector({selector!r}).focus()")
    control_site.type(text)

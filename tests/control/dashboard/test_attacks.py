"""Attacks on a site's pages: by what is stored, and by what is sent."""

from __future__ import annotations

import pytest
from django.db import transaction

from tests.control.browser import ControlSite
from tests.control.dashboard.pages import Pages, words
from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import EditPlatform, EditSite
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.tabs import DOMAINS, HISTORY, SETTINGS, WEBSITE
from wagtail_multihost.control.edits import merge_patch, set_value
from wagtail_multihost.control.models import ManagedSite, Note, Verification

TABS = (WEBSITE, DOMAINS, SETTINGS, HISTORY)
SCRIPT = "\"><img src=x onerror=window.hacked=1>'{{ 7|add:7 }}"


def plant(fleet: Fleet) -> ManagedSite:
    """Return a site with a script wherever people can write a text."""
    fleet.apply(EditPlatform(merge_patch({"settings": {"WAGTAIL_SITE_NAME": SCRIPT}, "labels": None})))
    site = fleet.add("aurora", labels={"plan": SCRIPT}, settings={"EMAIL_SUBJECT_PREFIX": SCRIPT})
    fleet.apply(EditSite(site.uid, set_value(("labels",), {"plan": f"{SCRIPT}2"})), reason=SCRIPT)
    author = fleet.user("writer")
    author.first_name = SCRIPT[:100]
    author.save()
    Note.objects.create(site=site, author=author, text=SCRIPT)
    Verification.objects.create(name="b.org", site=site, secret="x", checked_at=site.created, problem=SCRIPT)
    return fleet.site("aurora")


@pytest.mark.parametrize("name", TABS)
def test_stored_scripts_are_text(control_site: ControlSite, live_fleet: Fleet, name: str) -> None:
    site = plant(live_fleet)
    control_site.sign_in(live_fleet.user("root", operator=True))
    text = control_site.show(site_address(site.uid, name))
    field = "[...document.querySelectorAll('main input, main textarea')].map(one => one.value).join()"
    assert "window.hacked=1" in text + control_site.tab.evaluate(field)
    assert control_site.tab.evaluate("window.hacked === undefined")
    assert control_site.tab.evaluate("document.querySelectorAll('main img[src=x]').length") == 0
    page = Pages(live_fleet.user("ada", aurora="change")).get(site, name)
    assert "<img src=x" not in page.text


def test_sent_scripts_are_text(fleet: Fleet) -> None:
    """In what is shown again, in messages about it, and in differences."""
    site = plant(fleet)
    pages = Pages(fleet.user("root", operator=True))
    answers = [
        pages.post(site, SETTINGS, generation=site.generation, epoch=SCRIPT, reason=SCRIPT, **{SCRIPT: SCRIPT}),
        pages.post(site, SETTINGS, generation=site.generation, action="preview", labels=f"a = {SCRIPT}", reason=SCRIPT),
        pages.post(site, SETTINGS, generation=1, labels=f"a = {SCRIPT}", reason=SCRIPT),
        pages.get(site, SETTINGS, q=SCRIPT),
        pages.post(site, DOMAINS, action="add", name=SCRIPT),
        pages.post(site, DOMAINS, action="prove", name=SCRIPT),
        pages.post(site, WEBSITE, action="note", text=SCRIPT * 100),
        pages.post(site, WEBSITE, action="retire", typed=SCRIPT),
        pages.client.post("/admin/fleet/sites/new/", dict.fromkeys(("identifier", "hostnames", "copied"), SCRIPT)),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert "<img src=x" not in answer.text
    assert fleet.site("aurora").generation == site.generation


@pytest.mark.parametrize(
    ("name", "path", "data"),
    [
        (WEBSITE, "", {"action": "disable"}),
        (WEBSITE, "", {"action": "note", "text": "x"}),
        (WEBSITE, "", {"action": "retire", "typed": "aurora"}),
        (DOMAINS, "", {"action": "add", "name": "evil.org"}),
        (DOMAINS, "", {"action": "prove", "name": "evil.org"}),
        (SETTINGS, "", {"generation": "1", "epoch": "2"}),
        (HISTORY, "2/", {"generation": "1"}),
    ],
)
def test_other_pages_cannot_send_forms(fleet: Fleet, name: str, path: str, data: dict[str, str]) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("root", operator=True), checks_csrf=True)
    assert pages.post(site, name, path, **data).status_code == 403
    assert fleet.site("aurora").generation == 1
    assert not Note.objects.exists()
    assert not Verification.objects.exists()


def test_nobody_is_led_away(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("root", operator=True))
    away = {"next": "https://evil.example/", "url": "//evil.example"}
    answers = [
        pages.post(site, WEBSITE, action="disable", **away),
        pages.post(site, DOMAINS, action="prove", name="b.org", **away),
        pages.post(site, SETTINGS, generation=2, epoch="2", next=away["next"]),
    ]
    for answer in answers:
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(f"/admin/fleet/sites/{site.uid}/")


def test_link_of_another_scheme_is_none(fleet: Fleet) -> None:
    """The platform's origin is checked where it is saved; a page would not follow another one either."""
    from wagtail_multihost.control.dashboard.website import links_of
    from wagtail_multihost.control.models import Platform

    site = fleet.add("aurora")
    with transaction.atomic():
        Platform.objects.update(record={"name": "aviary", "origin": "javascript:alert(1)//{hostname}"})
        assert links_of(site) == {"site_url": "", "admin_url": ""}
        transaction.set_rollback(True)  # there is no event of it, so that it could not be kept


def test_five_hundred_problems_are_all_shown(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("root", operator=True))
    hosts = "\n".join(f"no host {number}" for number in range(500))
    data = {"identifier": "borealis", "hostnames": hosts}
    text = words(pages.client.post("/admin/fleet/sites/new/", data))
    assert all(f"'no host {number}'" in text for number in range(500))
    unknown = {f"unknown-{number}": "x" for number in range(500)}
    text = words(pages.post(site, SETTINGS, generation=1, **unknown))
    assert all(f"unknown-{number} is not known." in text for number in range(500))


def test_large_record_is_shown_and_changed(fleet: Fleet) -> None:
    """200 kB are edited as they are; a difference shows the start of a long value."""
    mails = [f"person-{number:05}@a-long-name-of-a-domain.example.com" for number in range(4000)]
    site = fleet.add("aurora", admins=mails)
    pages = Pages(fleet.user("root", operator=True))
    page = pages.get(site, SETTINGS)
    assert mails[-1] in page.text
    data = {"admins": "\r\n".join(mails[1:]), "generation": 1}
    preview = pages.post(site, SETTINGS, action="preview", **data)
    assert "characters)" in words(preview)
    assert pages.post(site, SETTINGS, **data).status_code == 302
    assert fleet.site("aurora").record["admins"] == mails[1:]
    history = pages.get(site, HISTORY)
    assert len(history.text) < 200_000

"""The tab Website."""

from __future__ import annotations

from typing import Any

import pytest

from tests.control.dashboard.pages import Pages, words
from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import RetireSite
from wagtail_multihost.control.dashboard import website
from wagtail_multihost.control.models import Event, ManagedSite, Note


def test_site_is_described_with_links_to_it(fleet: Fleet) -> None:
    site = fleet.add("aurora", "www.aurora.org", "aurora.org", labels={"plan": "gold"})
    page = Pages(fleet.user("ada", aurora="view")).get(site)
    assert 'href="https://www.aurora.org/"' in page.text
    assert 'href="https://www.aurora.org/admin/"' in page.text
    assert "plan: gold" in words(page)
    assert str(site.uid) in page.text
    for button in ("Disable it", "Add the note", "Retire the site"):
        assert button not in page.text


def test_who_operates_a_site_turns_it_off_and_on(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora="operate"))
    pages.post(site, action="disable", reason="moves")
    assert not fleet.site("aurora").enabled
    assert Event.objects.get(revision=fleet.revision).metadata["reason"] == "moves"
    assert "disabled. It is not served." in words(pages.get(site))
    pages.post(site, action="enable")
    pages.post(site, action="state-maintenance")
    assert (fleet.site("aurora").enabled, fleet.site("aurora").state) == (True, "maintenance")
    pages.post(site, action="state-active")
    assert fleet.site("aurora").record.keys().isdisjoint({"enabled", "state"})
    assert pages.post(site, action="state-gone").status_code == 404


def test_who_operates_a_site_does_not_reopen_a_suspended_one(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    person, operator = (Pages(user) for user in (fleet.user("ada", aurora="admin"), fleet.user("root", operator=True)))
    assert "Suspend it" in words(operator.get(site)) and "Suspend it" not in words(person.get(site))
    assert person.post(site, action="state-suspended").status_code == 404
    operator.post(site, action="state-suspended")
    assert fleet.site("aurora").state == "suspended"
    assert "Set it active" not in words(person.get(site))
    for action in ("state-active", "state-maintenance"):
        assert person.post(site, action=action).status_code == 404
    assert fleet.site("aurora").state == "suspended"
    operator.post(site, action="state-active")
    assert fleet.site("aurora").state == "active"


@pytest.mark.parametrize("action", ["view", "change"])
def test_who_only_changes_a_site_turns_nothing_off(fleet: Fleet, action: str) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora=action))
    for data in ({"action": "disable"}, {"action": "state-suspended"}):
        assert pages.post(site, **data).status_code == 404
    assert fleet.site("aurora").generation == 1


def test_operator_retires_a_site_by_its_typed_id(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("root", operator=True))
    assert "Type the id of the site, aurora, to retire it." in words(pages.post(site, action="retire", typed="auror"))
    assert fleet.site("aurora")
    assert pages.post(site, action="retire", typed="aurora", reason="the end").status_code == 302
    assert ManagedSite.objects.get(uid=site.uid).retired_at is not None
    assert pages.get(site).status_code == 404


def test_site_that_is_retired_meanwhile_is_gone(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the guard, which still finds it, and the change."""
    site = fleet.add("aurora")
    pages = Pages(fleet.user("root", operator=True))
    change = website.apply_changes

    def retire_first(*args: Any, **options: Any) -> Any:
        fleet.apply(RetireSite(site.uid))
        return change(*args, **options)

    monkeypatch.setattr(website, "apply_changes", retire_first)
    assert pages.post(site, action="disable").status_code == 404


def test_people_of_a_site_never_retire_it(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora="admin"))
    assert pages.post(site, action="retire", typed="aurora").status_code == 404
    assert fleet.site("aurora").generation == 1


def test_notes_are_added_and_shown_with_their_author(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    pages = Pages(fleet.user("ada", aurora="change"))
    for number in range(21):
        pages.post(site, action="note", text=f"note number {number}.")
    assert "The note is blank." in words(pages.post(site, action="note", text=" \0 "))
    assert "longer than 4,000" in words(pages.post(site, action="note", text="x" * 4001))
    first = words(pages.get(site))
    assert "note number 20. ada" in first
    assert "note number 0." not in first
    assert "note number 0." in words(pages.get(site, p="2"))
    Note.objects.update(author=None)
    assert "Someone who is gone" in words(pages.get(site))
    fleet.user("eve", aurora="view")
    assert Pages(fleet.user("mallory", aurora="view")).post(site, action="note", text="x").status_code == 404


def test_label_of_any_name_is_shown(fleet: Fleet) -> None:
    site = fleet.add("aurora", labels={"items": "many", "plan": "gold"})
    text = words(Pages(fleet.user("ada", aurora="view")).get(site))
    assert "items: many" in text
    assert "plan: gold" in text

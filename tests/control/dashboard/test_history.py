"""The tab History."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from tests.control.dashboard.pages import Pages, words
from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.dashboard.tabs import HISTORY
from wagtail_multihost.control.edits import add_hostname, remove_hostname, set_value
from wagtail_multihost.control.grants import grant_action
from wagtail_multihost.control.models import Verification


def state_admins(fleet: Fleet, *admins: str, **options: Any) -> None:
    fleet.apply(EditSite(fleet.site("aurora").uid, set_value(("admins",), list(admins))), **options)


def test_every_change_is_shown_with_who_when_what_and_why(fleet: Fleet) -> None:
    site = fleet.add("aurora", cache={"backend": "redis", "host": "r", "password": "env:SECRET_NAME"})
    user = fleet.user("ada", aurora="change")
    state_admins(fleet, "a@b.org", by=Authority(f"user:{user.pk}", user.pk, is_operator=True), reason="on leave")
    text = words(Pages(user).get(site, HISTORY))
    assert f"Change the site revision {fleet.revision} ada," in text
    assert "on leave Change the site Key Before After admins not stated a@b.org" in text
    assert "Create the site" in text
    assert "cache.password not stated •••" in text
    assert "SECRET_NAME" not in text
    assert "Operator root" in words(Pages(fleet.user("root", operator=True)).get(site, HISTORY))


def test_only_what_was_done_with_the_site_is_shown(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    fleet.add("borealis", "secret-name.example.com")
    assert "secret-name" not in words(Pages(fleet.user("ada", aurora="admin")).get(site, HISTORY))


def test_long_history_has_pages(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    for number in range(25):
        state_admins(fleet, f"a{number}@b.org")
    pages = Pages(fleet.user("ada", aurora="view"))
    first, second = words(pages.get(site, HISTORY)), words(pages.get(site, HISTORY, p="2"))
    assert "Page 1 of 2" in first
    assert "a24@b.org" in first
    assert "Create the site" not in first
    assert "Create the site" in second
    assert "Page 2 of 2" in words(pages.get(site, HISTORY, p="999"))


def test_former_record_is_applied_again(fleet: Fleet) -> None:
    site = fleet.add("aurora", admins=["first@b.org"])
    wanted = fleet.revision
    state_admins(fleet, "second@b.org")
    pages = Pages(fleet.user("ada", aurora="change"))
    page = pages.get(site, HISTORY)
    assert page.text.count("Apply this record again") == 1
    path = f"{wanted}/"
    preview = pages.get(site, HISTORY, path)
    assert "admins second@b.org first@b.org" in words(preview)
    assert 'name="generation" value="2"' in preview.text
    assert fleet.site("aurora").generation == 2
    assert pages.post(site, HISTORY, path, generation=2).status_code == 302
    assert fleet.site("aurora").record["admins"] == ["first@b.org"]
    assert f"As of revision {wanted}" in words(pages.get(site, HISTORY))
    assert "Nothing would change" in words(pages.get(site, HISTORY, path))


def test_record_that_was_changed_meanwhile_is_not_overwritten(fleet: Fleet) -> None:
    site = fleet.add("aurora", admins=["first@b.org"])
    wanted = fleet.revision
    state_admins(fleet, "second@b.org")
    pages = Pages(fleet.user("ada", aurora="change"))
    state_admins(fleet, "third@b.org")
    page = pages.post(site, HISTORY, f"{wanted}/", generation=2)
    assert "Someone else changed the record meanwhile." in words(page)
    assert "admins third@b.org first@b.org" in words(page)
    assert fleet.site("aurora").record["admins"] == ["third@b.org"]


def test_former_record_needs_the_rights_of_an_edit(fleet: Fleet) -> None:
    """Keys of operators, and hostnames that are not proven any more, are refused with the reason."""
    site = fleet.add("aurora", "a.org", "b.org", labels={"plan": "gold"})
    wanted = fleet.revision
    fleet.apply(EditSite(site.uid, remove_hostname("b.org")), EditSite(site.uid, set_value(("labels",), None)))
    pages = Pages(fleet.user("ada", aurora="change"))
    for page in (pages.get(site, HISTORY, f"{wanted}/"), pages.post(site, HISTORY, f"{wanted}/", generation=2)):
        assert "Site aurora: labels.plan : Only an operator of the platform may change it." in words(page)
        assert "It is not proven that 'b.org' belongs to the people of this site" in words(page)
        assert "Apply it again" not in words(page)
    assert fleet.site("aurora").generation == 2
    viewer = Pages(fleet.user("eve", aurora="view"))
    assert "Apply this record again" not in words(viewer.get(site, HISTORY))
    assert viewer.get(site, HISTORY, f"{wanted}/").status_code == 404
    assert viewer.post(site, HISTORY, f"{wanted}/", generation=2).status_code == 404


def test_hostname_that_another_site_has_by_now_is_not_taken_back(fleet: Fleet) -> None:
    site = fleet.add("aurora", "a.org", "b.org")
    wanted = fleet.revision
    fleet.apply(EditSite(site.uid, remove_hostname("b.org")))
    fleet.add("borealis", "c.org")
    fleet.apply(EditSite(fleet.site("borealis").uid, add_hostname("b.org", "alias")))
    Verification.objects.create(name="b.org", site=site, secret="x", proven_at=timezone.now())
    text = words(Pages(fleet.user("ada", aurora="change")).post(site, HISTORY, f"{wanted}/", generation=2))
    assert "The hostname 'b.org' belongs to another site" in text
    assert "borealis" not in text


def test_record_of_another_site_is_not_reached(fleet: Fleet) -> None:
    site, other = fleet.add("aurora"), fleet.add("borealis", "secret-name.example.com")
    revision = fleet.revision
    state_admins(fleet, "a@b.org")
    pages = Pages(fleet.user("ada", aurora="admin"))
    assert pages.get(site, HISTORY, f"{revision}/").status_code == 404
    assert pages.post(site, HISTORY, f"{revision}/", generation=2).status_code == 404
    assert pages.get(other, HISTORY, f"{revision}/").status_code == 404
    assert pages.get(other, HISTORY).status_code == 404
    assert pages.get(site, HISTORY, "99999999999999999999999/").status_code == 404
    assert fleet.site("aurora").record["hostnames"] == ["aurora.example.com"]


def test_names_of_groups_are_for_those_who_give_rights(fleet: Fleet) -> None:
    """A customer does not learn who else is one."""
    site = fleet.add("aurora")
    grant_action(OPERATOR, site, Group.objects.create(name="Another customer"), "view")
    for action in ("view", "change", "operate"):
        text = words(Pages(fleet.user(action, aurora=action)).get(site, HISTORY))
        assert "Create the site" in text
        assert "Another customer" not in text
    assert "Another customer" in words(Pages(fleet.user("ada", aurora="admin")).get(site, HISTORY))

"""The pages about rights, people and tokens in a real browser: on every screen, for everyone, and by keyboard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.control.browser import SCREENS, ControlSite
from tests.control.fleet import Fleet
from wagtail_multihost.control.authority import authority_of
from wagtail_multihost.control.invitations import invite, signed
from wagtail_multihost.control.models import Grant, GroupAdmin
from wagtail_multihost.control.tokens import create_token


def people_of(fleet: Fleet) -> tuple[Any, list[str]]:
    """Make someone who has everything that the pages show; return them and the pages."""
    site = fleet.add("aurora")
    person = fleet.user("ada", operator=True, aurora="admin")
    group = person.groups.get()
    GroupAdmin.objects.create(group=group, user=person)
    invitation = invite(authority_of(person), group, "new@example.com")
    create_token(person, "deploy", "read", [site], timezone.now() + timedelta(days=9))
    pages = [
        f"/admin/fleet/sites/{site.uid}/access/",
        "/admin/fleet/people/",
        f"/admin/fleet/people/{group.pk}/",
        "/admin/fleet/tokens/",
        f"/invitations/{signed(invitation)}/",
    ]
    return person, pages


@pytest.mark.parametrize("screen", SCREENS)
def test_pages_are_for_everyone_on_every_screen(control_site: ControlSite, live_fleet: Fleet, screen: str) -> None:
    person, pages = people_of(live_fleet)
    control_site.sign_in(person)
    for page in pages:
        control_site.show(page, SCREENS[screen])
        assert control_site.path == page
        assert control_site.violations() == [], page
        assert control_site.fits(), page
    control_site.tab.send("Network.clearBrowserCookies")
    assert "Make the account and join" in control_site.show(pages[-1], SCREENS[screen])
    assert control_site.violations() == []
    assert control_site.fits()


def test_right_is_given_and_taken_by_keyboard(control_site: ControlSite, live_fleet: Fleet) -> None:
    site = live_fleet.add("aurora")
    control_site.sign_in(live_fleet.user("ada", aurora="admin"))
    control_site.show(f"/admin/fleet/sites/{site.uid}/access/")
    control_site.tab_to("select[name=group]")
    control_site.press("ArrowDown")
    control_site.tab_to("select[name=action]")
    control_site.press("End")
    control_site.tab_to("form:has(select[name=action]) button[type=submit]")
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()
    assert "people of ada may admin aurora." in control_site.text
    control_site.tab_to("[aria-label='Take it away from people of ada']")
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()
    assert not Grant.objects.exists()

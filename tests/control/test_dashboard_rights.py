"""The pages about rights, people and tokens, as people use and attack them."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.utils import timezone
from wagtail.models import APIToken

from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.authority import authority_of
from wagtail_multihost.control.grants import grant_action
from wagtail_multihost.control.invitations import accept_as_new, invite, signed
from wagtail_multihost.control.models import Grant, GroupAdmin, Invitation, ManagedSite, TokenScope
from wagtail_multihost.control.tokens import authority_of_token, create_token
from wagtail_multihost.exceptions import ConfigurationError

SCRIPT = "<script>alert('xss')</script>\"'><img src=x onerror=alert(1)>"


def browser(user: Any) -> Client:
    client = Client(headers={"host": "control.localhost"})
    client.force_login(user)
    return client


def own_group(name: str) -> Group:
    return Group.objects.get(name=f"people of {name}")


def access(site: ManagedSite, suffix: str = "") -> str:
    return f"/admin/fleet/sites/{site.uid}/access/{suffix}"


def actions(site: ManagedSite) -> dict[str, str]:
    return dict(Grant.objects.filter(site=site).values_list("group__name", "action"))


def test_admin_gives_and_takes_a_right_on_the_tab(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    person = fleet.user("ada", aurora="admin")
    agency = Group.objects.create(name="agency")
    person.groups.add(agency)
    client = browser(person)
    page = client.get(access(site))
    assert "people of ada" in page.text and "agency" in page.text
    answer = client.post(access(site), {"group": agency.pk, "action": "operate"}, follow=True)
    assert "agency may operate aurora." in answer.text
    assert actions(site) == {"people of ada": "admin", "agency": "operate"}
    answer = client.post(access(site, f"{agency.pk}/take/"), follow=True)
    assert answer.redirect_chain[-1][0] == access(site)
    assert actions(site) == {"people of ada": "admin"}
    answer = client.post(access(site, f"{own_group('ada').pk}/take/"))
    assert answer.headers["Location"] == "/admin/"
    assert client.get(access(site)).status_code == 404


def test_foreign_groups_cannot_be_chosen_nor_taken_from(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    client = browser(fleet.user("ada", aurora="admin"))
    fleet.user("bert", aurora="view")
    foreign, hidden = own_group("bert"), Group.objects.create(name="hidden customer")
    page = client.get(access(site))
    assert "people of bert" in page.text, "Who has access to one's own site is no secret."
    assert "hidden customer" not in page.text
    for group in (foreign, hidden):
        answer = client.post(access(site), {"group": group.pk, "action": "admin"})
        assert "Select a valid choice" in answer.text
        assert client.post(access(site, f"{group.pk}/take/")).status_code == 404
    assert actions(site) == {"people of ada": "admin", "people of bert": "view"}


def test_what_a_form_states_beyond_its_fields_counts_not(fleet: Fleet) -> None:
    site, foreign = fleet.add("aurora"), fleet.add("borealis")
    client = browser(fleet.user("ada", aurora="admin"))
    stated = {"site": foreign.uid, "site_id": foreign.uid, "uid": foreign.uid, "id": 1, "pk": 1, "user": 1}
    client.post(access(site), {"group": own_group("ada").pk, "action": "admin", **stated})
    assert actions(foreign) == {}
    stated = {"token": 1, "all_sites": "on", "expires_at": "2999-01-01", "user": 1, "is_operator": "on"}
    client.post("/admin/fleet/tokens/", {"name": "x", "action": "read", "days": 30, "sites": [site.pk], **stated})
    scope = TokenScope.objects.get()
    assert not scope.all_sites and scope.expires_at < timezone.now() + timedelta(days=31)
    assert scope.token.user.username == "ada"


def test_operator_makes_a_customer_and_its_admin(fleet: Fleet) -> None:
    client = browser(fleet.user("olga", operator=True))
    answer = client.post("/admin/fleet/people/", {"name": "ACME", "permissions": [1], "is_superuser": "on"})
    group = Group.objects.get(name="ACME")
    assert answer.headers["Location"] == f"/admin/fleet/people/{group.pk}/"
    assert group.permissions.count() == 1
    person = fleet.user("ada")
    person.groups.add(group)
    page = f"/admin/fleet/people/{group.pk}/"
    client.post(f"{page}{person.pk}/admin/", {"is_admin": "on"})
    assert GroupAdmin.objects.get().user == person
    client.post(f"{page}{person.pk}/admin/")
    assert not GroupAdmin.objects.exists()
    assert "of that name already" in client.post("/admin/fleet/people/", {"name": "ACME"}).text


def test_page_that_makes_an_admin_is_for_operators(fleet: Fleet) -> None:
    person, other = fleet.user("ada"), fleet.user("bert")
    group = own_group("ada")
    GroupAdmin.objects.create(group=group, user=person)
    other.groups.add(group)
    answer = browser(person).post(f"/admin/fleet/people/{group.pk}/{other.pk}/admin/", {"is_admin": "on"})
    assert answer.status_code == 404
    assert "Looks after" in (page := browser(person).get(f"/admin/fleet/people/{group.pk}/")).text
    assert "/admin/fleet/people/{group.pk}/{other.pk}/admin/" not in page.text


def test_admin_invites_and_removes_on_the_page_of_the_group(fleet: Fleet) -> None:
    person, other = fleet.user("ada"), fleet.user("bert")
    group = own_group("ada")
    GroupAdmin.objects.create(group=group, user=person)
    other.groups.add(group)
    client, page = browser(person), f"/admin/fleet/people/{group.pk}/"
    client.post(page, {"email": "new@example.com", "group": own_group("bert").pk, "invited_by": other.pk})
    invitation = Invitation.objects.get()
    assert (invitation.group, invitation.invited_by) == (group, person)
    assert "new@example.com" in client.get(page).text
    client.post(f"{page}{invitation.pk}/withdraw/")
    assert "new@example.com" not in client.get(page).text
    client.post(f"{page}{other.pk}/remove/")
    assert not other.groups.filter(pk=group.pk).exists()
    assert client.post(f"{page}{other.pk}/remove/").status_code == 404
    assert client.post(f"{page}{person.pk}/remove/").headers["Location"] == "/admin/"
    assert client.get(page).status_code == 302, "Who is in no group does not enter the admin."


def test_what_is_of_another_group_is_not_reached_through_ones_own(fleet: Fleet) -> None:
    person, neighbour = fleet.user("ada"), fleet.user("bert")
    for user in (person, neighbour):
        GroupAdmin.objects.create(group=own_group(user.username), user=user)
    invitation = invite(authority_of(neighbour), own_group("bert"), "new@example.com")
    client, page = browser(person), f"/admin/fleet/people/{own_group('ada').pk}/"
    assert client.post(f"{page}{invitation.pk}/withdraw/").status_code == 404
    assert client.post(f"{page}{neighbour.pk}/remove/").status_code == 404
    assert client.post(f"{page}{uuid4()}/withdraw/").status_code == 404
    assert Invitation.objects.get().ended_at is None
    assert neighbour.groups.count() == 1


def test_secret_of_a_token_is_shown_once(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    client = browser(fleet.user("ada", aurora="change"))
    answer = client.post("/admin/fleet/tokens/", {"name": "deploy", "action": "change", "days": 90})
    assert "no-store" in answer.headers["Cache-Control"]
    found = re.search(r"wagtail_\w{30,}", answer.text)
    assert found
    token = APIToken.objects.get()
    assert APIToken.hash_token(found[0]) == token.key_hash
    assert authority_of_token(token).may("change", site.uid)
    assert found[0] not in client.get("/admin/fleet/tokens/").text
    assert client.post(f"/admin/fleet/tokens/{token.pk}/revoke/").status_code == 302
    assert not authority_of_token(APIToken.objects.get()).visible
    assert "deploy" not in client.get("/admin/fleet/tokens/").text.split("Your tokens")[1]


def test_tokens_page_names_no_site_that_one_may_no_longer_see(fleet: Fleet) -> None:
    aurora, _ = fleet.add("aurora"), fleet.add("borealis")
    person = fleet.user("ada", aurora="view", borealis="view")
    create_token(person, "x", "read", [aurora], timezone.now() + timedelta(days=1))
    assert "aurora" in browser(person).get("/admin/fleet/tokens/").text
    Grant.objects.filter(site=aurora).delete()
    page = browser(person).get("/admin/fleet/tokens/").text
    assert "borealis" in page and "aurora" not in page


def test_others_tokens_are_not_revoked(fleet: Fleet) -> None:
    fleet.add("aurora")
    neighbour = fleet.user("bert", aurora="view")
    token = create_token(neighbour, "x", "read", None, timezone.now() + timedelta(days=1)).token
    plain, _ = APIToken.create_token(user=neighbour, name="plain")
    for user in (fleet.user("ada", aurora="admin"), fleet.user("olga", operator=True)):
        for one in (token, plain):
            assert browser(user).post(f"/admin/fleet/tokens/{one.pk}/revoke/").status_code == 404
    assert not APIToken.objects.filter(revoked_at__isnull=False).exists()


def test_names_are_text_and_no_markup(fleet: Fleet) -> None:
    """Of groups, people, tokens and invited addresses, on every page and in every message that has them."""
    site = fleet.add("aurora")
    person = fleet.user("ada", aurora="admin")
    group = own_group("ada")
    Group.objects.filter(pk=group.pk).update(name=SCRIPT)
    get_user_model().objects.filter(pk=person.pk).update(username=SCRIPT, first_name=SCRIPT, last_name=SCRIPT)
    GroupAdmin.objects.create(group=group, user=person)
    create_token(person, SCRIPT, "read", [site], timezone.now() + timedelta(days=1))
    Invitation.objects.create(
        group=group,
        email=SCRIPT,
        invited_by=person,
        expires_at=timezone.now() + timedelta(days=1),
    )
    grant_action(OPERATOR, site, group, "admin")
    client = browser(get_user_model().objects.get(pk=person.pk))
    pages = [
        client.get(access(site)),
        client.post(access(site), {"group": group.pk, "action": "operate"}, follow=True),
        browser(fleet.user("root", superuser=True)).get(access(site)),
        client.get("/admin/fleet/people/"),
        client.get(f"/admin/fleet/people/{group.pk}/"),
        client.get("/admin/fleet/tokens/"),
        client.get(f"/invitations/{signed(Invitation.objects.get())}/"),
    ]
    for page in pages:
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
    assert sum(html.escape(SCRIPT) in page.text for page in pages) >= 5


def test_account_that_appeared_meanwhile_is_not_doubled(fleet: Fleet) -> None:
    person = fleet.user("ada")
    GroupAdmin.objects.create(group=own_group("ada"), user=person)
    invitation = invite(authority_of(person), own_group("ada"), "new@example.com")
    get_user_model().objects.create_user("first", "NEW@example.com")
    with pytest.raises(ConfigurationError, match="account with this address already"):
        accept_as_new(signed(invitation), get_user_model()(username="second"))
    assert not get_user_model().objects.filter(username="second").exists()
    assert Invitation.objects.get().ended_at is None
    assert len(mail.outbox) == 1

"""Invitations: a link by mail, once, for whom it was sent to."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any

import django
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone
from wagtail.models import ModelLogEntry

from tests.control.fleet import Fleet
from wagtail_multihost.control import invitations
from wagtail_multihost.control.authority import Authority, authority_of
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.invitations import accept, accept_as_new, invite, signed, withdraw
from wagtail_multihost.control.models import GroupAdmin, Invitation
from wagtail_multihost.exceptions import ConfigurationError

PASSWORD = "a-long-enough-secret-7"


def own_group(name: str) -> Group:
    return Group.objects.get(name=f"people of {name}")


def admin_of_group(fleet: Fleet, name: str = "ada") -> Authority:
    person = fleet.user(name)
    GroupAdmin.objects.create(group=own_group(name), user=person)
    return authority_of(person)


def browser() -> Client:
    return Client(headers={"host": "control.localhost"})


def link_in(message: Any) -> str:
    found = re.search(r"http://control\.localhost(/invitations/\S+/)", message.body)
    assert found
    return found[1]


def test_new_person_makes_an_account_and_joins_the_one_group(fleet: Fleet) -> None:
    authority = admin_of_group(fleet)
    invite(authority, own_group("ada"), "new@example.com")
    (message,) = mail.outbox
    assert message.to == ["new@example.com"]
    client, link = browser(), link_in(message)
    assert "Make the account and join" in client.get(link).text
    answer = client.post(link, {"username": "newcomer", "password1": PASSWORD, "password2": PASSWORD})
    assert answer.status_code == 302
    person = get_user_model().objects.get(username="newcomer")
    assert (person.email, person.is_superuser, person.is_staff, person.is_active) == (
        "new@example.com",
        False,
        False,
        True,
    )
    assert [group.name for group in person.groups.all()] == ["people of ada"]
    assert person.check_password(PASSWORD)
    assert "_auth_user_id" not in client.session
    assert client.get(link).status_code == 410
    actions = ModelLogEntry.objects.filter(object_id=str(own_group("ada").pk)).values_list("action", flat=True)
    assert set(actions) == {"multihost.group.invited", "multihost.group.joined"}


def test_what_the_form_states_beyond_its_fields_counts_not(fleet: Fleet) -> None:
    authority = admin_of_group(fleet)
    fleet.user("bert")
    invite(authority, own_group("ada"), "new@example.com")
    sent = {
        "username": "newcomer",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "email": "evil@example.com",
        "is_superuser": "on",
        "is_staff": "on",
        "groups": [own_group("bert").pk],
        "user_permissions": [Permission.objects.get(codename="operate_platform").pk],
    }
    assert browser().post(link_in(mail.outbox[0]), sent).status_code == 302
    person = get_user_model().objects.get(username="newcomer")
    assert (person.email, person.is_superuser, person.is_staff) == ("new@example.com", False, False)
    assert [group.name for group in person.groups.all()] == ["people of ada"]
    assert not person.user_permissions.exists()


def test_password_passes_the_projects_validators(fleet: Fleet, settings: Any) -> None:
    validators = ("MinimumLengthValidator", "UserAttributeSimilarityValidator")
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": f"django.contrib.auth.password_validation.{name}"} for name in validators
    ]
    invite(admin_of_group(fleet), own_group("ada"), "newcomer-of-acme@example.com")
    for password in ("short", "newcomer-of-acme"):
        answer = browser().post(
            link_in(mail.outbox[0]), {"username": "somebody", "password1": password, "password2": password}
        )
        assert answer.status_code == 200
        assert "password" in answer.text
    assert not get_user_model().objects.filter(username="somebody").exists()


def test_existing_person_joins_after_they_agreed(fleet: Fleet) -> None:
    authority = admin_of_group(fleet)
    person = fleet.user("bert")
    invite(authority, own_group("ada"), "BERT@example.com")
    link, client = link_in(mail.outbox[0]), browser()
    page = client.get(link)
    assert "/admin/login/?next=/invitations/" in page.text
    assert "Make the account" not in page.text
    sent = {"username": "double", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post(link, sent).headers["Location"].startswith("/admin/login/")
    assert not get_user_model().objects.filter(username="double").exists()
    client.force_login(person)
    assert "Join people of ada?" in client.get(link).text
    assert person.groups.count() == 1
    assert client.post(link).status_code == 302
    assert {group.name for group in person.groups.all()} == {"people of ada", "people of bert"}
    assert client.post(link).status_code == 410


def test_link_is_of_no_use_to_another_account(fleet: Fleet) -> None:
    authority = admin_of_group(fleet)
    fleet.user("bert")
    thief = fleet.user("cleo")
    invite(authority, own_group("ada"), "bert@example.com")
    client, link = browser(), link_in(mail.outbox[0])
    client.force_login(thief)
    assert client.get(link).status_code == 403
    assert client.post(link).status_code == 403
    assert thief.groups.count() == 1
    assert "people of ada" not in client.get(link).text
    assert "bert" not in client.get(link).text


def test_who_invites_is_told_the_same_for_every_address(fleet: Fleet) -> None:
    admin_of_group(fleet)
    fleet.user("bert")
    fleet.user("off", superuser=True)
    get_user_model().objects.filter(username="off").update(is_active=False)
    client = browser()
    client.force_login(get_user_model().objects.get(username="ada"))
    address = f"/admin/fleet/people/{own_group('ada').pk}/"
    answers = {}
    for name in ("bert", "nobody", "off", "ada"):
        page = client.post(address, {"email": f"{name}@example.com"}, follow=True)
        told = [str(message) for message in page.context["messages"]]
        answers[name] = (page.status_code, [text.replace(name, "NAME") for text in told])
        assert mail.outbox[-1].to == [f"{name}@example.com"]
    assert len({str(answer) for answer in answers.values()}) == 1
    bodies = {re.sub(r"/invitations/\S+", "", re.sub(r"until .*", "", message.body)) for message in mail.outbox}
    assert len(bodies) == 1


def test_invitation_ends(fleet: Fleet) -> None:
    authority = admin_of_group(fleet)
    group = own_group("ada")
    first = invite(authority, group, "new@example.com")
    second = invite(authority, group, "NEW@example.com")
    assert browser().get(f"/invitations/{signed(first)}/").status_code == 410
    assert browser().get(f"/invitations/{signed(second)}/").status_code == 200
    Invitation.objects.filter(pk=second.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert browser().get(f"/invitations/{signed(second)}/").status_code == 410
    third = invite(authority, group, "new@example.com")
    assert withdraw(authority, third) and not withdraw(authority, third)
    with pytest.raises(ConfigurationError, match="no longer valid"):
        accept_as_new(signed(third), get_user_model()(username="x"))


@pytest.mark.parametrize("text", ["x", "x:y", "00000000000000000000000000000000:AAAA"])
def test_link_that_was_made_up_says_nothing(fleet: Fleet, text: str) -> None:
    invitation = invite(admin_of_group(fleet), own_group("ada"), "new@example.com")
    assert browser().get(f"/invitations/{text}/").status_code == 410
    signature = signed(invitation).partition(":")[2]
    forged = f"{invitation.pk.hex}:{'B' if signature.startswith('A') else 'A'}{signature[1:]}"
    assert browser().get(f"/invitations/{forged}/").status_code == 410
    assert browser().get(f"/invitations/{invitation.pk.hex}/").status_code == 410


def lose_group(person: Any) -> None:
    GroupAdmin.objects.filter(user=person).delete()


def be_deactivated(person: Any) -> None:
    get_user_model().objects.filter(pk=person.pk).update(is_active=False)


def gain_permission(person: Any) -> None:
    own_group("ada").permissions.add(Permission.objects.get(codename="operate_platform"))


@pytest.mark.parametrize("happen", [lose_group, be_deactivated, gain_permission])
def test_invitation_counts_while_its_sender_may_invite(fleet: Fleet, happen: Any) -> None:
    """Nor does it once the group gives more than it did: an operator's rights are no admin's to give."""
    authority = admin_of_group(fleet)
    person = fleet.user("bert")
    invitation = invite(authority, own_group("ada"), "bert@example.com")
    happen(get_user_model().objects.get(username="ada"))
    with pytest.raises(ConfigurationError, match="no longer valid"):
        accept(signed(invitation), person)
    assert person.groups.count() == 1


def test_nobody_invites_to_a_foreign_group(fleet: Fleet) -> None:
    authority = admin_of_group(fleet)
    fleet.add("aurora")
    fleet.user("bert", aurora="admin")
    for group in (own_group("bert"), Group.objects.create(name="other")):
        with pytest.raises(NotAllowedError, match="no such group"):
            invite(authority, group, "new@example.com")
    with pytest.raises(NotAllowedError):
        invite(fleet.authority("cleo", aurora="admin"), own_group("bert"), "new@example.com")
    with pytest.raises(NotAllowedError):
        withdraw(authority, Invitation(group=own_group("bert"), email="x@example.com"))
    assert not mail.outbox


def test_invitations_are_few(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "BY_PERSON", 4)
    authority, other = admin_of_group(fleet), admin_of_group(fleet, "bert")
    group = own_group("ada")
    for _ in range(3):
        invite(authority, group, "new@example.com")
    with pytest.raises(ConfigurationError, match="tomorrow"):
        invite(authority, group, "New@example.com")
    invite(authority, group, "another@example.com")
    with pytest.raises(ConfigurationError, match="tomorrow"):
        invite(authority, group, "third@example.com")
    for _ in range(2):
        invite(other, own_group("bert"), "new@example.com")
    with pytest.raises(ConfigurationError, match="tomorrow"):
        invite(other, own_group("bert"), "new@example.com")
    assert len(mail.outbox) == Invitation.objects.count() == 6
    Invitation.objects.update(invited_at=timezone.now() - timedelta(days=1, seconds=1))
    invite(authority, group, "new@example.com")


@pytest.mark.parametrize(
    "address", ["", "x", "a@b", "a@example.com\nBcc: b@example.com", "a@example.com, b@example.com"]
)
def test_address_must_be_one(fleet: Fleet, address: str) -> None:
    authority = admin_of_group(fleet)
    with pytest.raises(ConfigurationError, match="no address"):
        invite(authority, own_group("ada"), address)
    assert not Invitation.objects.exists()


def test_mail_that_cannot_be_sent_invites_nobody(fleet: Fleet, settings: Any) -> None:
    backend = "django.core.mail.backends.smtp.EmailBackend"
    if django.VERSION < (6, 1):
        settings.EMAIL_BACKEND = backend
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    else:
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": {"host": "127.0.0.1", "port": 1}}}
    with pytest.raises(ConfigurationError, match="could not be sent"):
        invite(admin_of_group(fleet), own_group("ada"), "new@example.com")
    assert not Invitation.objects.exists()


def test_link_leads_where_the_settings_say(fleet: Fleet, settings: Any) -> None:
    """Not where a visitor's Host header does."""
    settings.ALLOWED_HOSTS = ["*"]
    admin_of_group(fleet)
    client = Client(headers={"host": "evil.example.net"})
    client.force_login(get_user_model().objects.get(username="ada"))
    client.post(f"/admin/fleet/people/{own_group('ada').pk}/", {"email": "new@example.com"})
    assert "http://control.localhost/invitations/" in mail.outbox[0].body
    assert "evil" not in mail.outbox[0].body
    settings.WAGTAILADMIN_BASE_URL = ""
    with pytest.raises(ConfigurationError, match="WAGTAILADMIN_BASE_URL"):
        invite(authority_of(get_user_model().objects.get(username="ada")), own_group("ada"), "x@example.com")


def test_inviters_own_words_are_not_in_the_mail(fleet: Fleet) -> None:
    """Who may invite sends no text of their own through the platform's mail server."""
    authority = admin_of_group(fleet)
    get_user_model().objects.filter(username="ada").update(first_name="Win http://evil.example.net", last_name="now")
    invite(authority, own_group("ada"), "new@example.com")
    assert "evil" not in mail.outbox[0].body + mail.outbox[0].subject


def test_project_without_passwords_offers_to_sign_in_alone(fleet: Fleet, settings: Any) -> None:
    settings.WAGTAILUSERS_PASSWORD_ENABLED = False
    invite(admin_of_group(fleet), own_group("ada"), "new@example.com")
    link = link_in(mail.outbox[0])
    assert "Make the account" not in browser().get(link).text
    sent = {"username": "double", "password1": PASSWORD, "password2": PASSWORD}
    assert browser().post(link, sent).headers["Location"].startswith("/admin/login/")
    assert not get_user_model().objects.filter(username="double").exists()


def test_of_two_who_take_it_up_at_once_one_is_late(live_fleet: Fleet) -> None:
    invitation = invite(admin_of_group(live_fleet), own_group("ada"), "new@example.com")
    start, outcomes = threading.Barrier(2), []

    def take(name: str) -> None:
        start.wait(10)
        try:
            accept_as_new(signed(invitation), get_user_model()(username=name))
            outcomes.append("joined")
        except ConfigurationError:
            outcomes.append("late")
        finally:
            connection.close()

    threads = [threading.Thread(target=take, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["joined", "late"]
    assert get_user_model().objects.filter(email="new@example.com").count() == 1

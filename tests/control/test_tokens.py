"""Tokens: bounded by their user's rights, by their scope and by time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from wagtail.models import APIToken, ModelLogEntry

from tests.control.fleet import Fleet
from wagtail_multihost.control.authority import NOBODY
from wagtail_multihost.control.changes import EditPlatform, EditSite, NotAllowedError, UnknownSiteError
from wagtail_multihost.control.edits import merge_patch, set_value
from wagtail_multihost.control.models import Grant, TokenScope
from wagtail_multihost.control.tokens import authority_of_token, create_token, revoke_token, tokens_of
from wagtail_multihost.exceptions import ConfigurationError


def in_days(days: float) -> datetime:
    return timezone.now() + timedelta(days=days)


def test_token_is_narrower_than_its_user(fleet: Fleet) -> None:
    aurora, borealis = fleet.add("aurora"), fleet.add("borealis")
    person = fleet.user("ada", aurora="admin", borealis="view")
    made = create_token(person, "deploy", "change", [aurora], in_days(30))
    authority = authority_of_token(made.token)
    assert (authority.actor, authority.user) == (f"token:{made.token.pk}", person.pk)
    assert authority.visible == {aurora.uid}
    assert authority.may("change", aurora.uid) and not authority.may("operate", aurora.uid)
    assert not authority.may("view", borealis.uid)
    fleet.apply(EditSite(aurora.uid, set_value(("admins",), ["a@example.com"])), by=authority)
    with pytest.raises(NotAllowedError):
        fleet.apply(EditSite(aurora.uid, set_value(("enabled",), False)), by=authority)
    with pytest.raises(UnknownSiteError):
        fleet.apply(EditSite(borealis.uid, set_value(("admins",), [])), by=authority)


def test_scope_never_adds_a_right(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    person = fleet.user("ada", aurora="view")
    authority = authority_of_token(create_token(person, "x", "operate", None, in_days(1)).token)
    assert authority.may("view", site.uid) and not authority.may("change", site.uid)
    assert not authority.is_operator


def test_right_that_is_taken_is_taken_from_the_token(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    person = fleet.user("ada", aurora="change")
    token = create_token(person, "x", "change", [site], in_days(1)).token
    Grant.objects.all().delete()
    assert authority_of_token(token).visible == frozenset()


def test_operators_token_with_sites_is_confined_to_them(fleet: Fleet) -> None:
    aurora, borealis = fleet.add("aurora"), fleet.add("borealis")
    operator = fleet.user("olga", operator=True)
    confined = authority_of_token(create_token(operator, "x", "operate", [aurora], in_days(1)).token)
    assert confined.visible == {aurora.uid}
    assert not confined.may_operate and not confined.may("view", borealis.uid)
    with pytest.raises(NotAllowedError):
        fleet.apply(EditPlatform(merge_patch({"origin": "http://{hostname}"})), by=confined)
    reader = authority_of_token(create_token(operator, "y", "read", None, in_days(1)).token)
    assert reader.visible is None
    assert not reader.may_operate and not reader.may("change", aurora.uid)


@pytest.mark.parametrize("days", [-1, 0, 366, 36500])
def test_token_ends_within_a_year(fleet: Fleet, days: int) -> None:
    fleet.add("aurora")
    with pytest.raises(ConfigurationError, match="after a year"):
        create_token(fleet.user("ada", aurora="view"), "x", "read", None, in_days(days))
    assert not APIToken.objects.exists()


def test_token_that_ended_may_do_nothing(fleet: Fleet) -> None:
    fleet.add("aurora")
    token = create_token(fleet.user("ada", aurora="admin"), "x", "read", None, in_days(1)).token
    TokenScope.objects.update(expires_at=in_days(-0.001))
    assert authority_of_token(token) == NOBODY


def test_token_without_a_scope_may_do_nothing(fleet: Fleet) -> None:
    """Those that Wagtail makes have none, even a superuser's."""
    fleet.add("aurora")
    token, _ = APIToken.create_token(user=fleet.user("root", superuser=True), name="plain")
    assert authority_of_token(token) == NOBODY


def test_token_of_someone_inactive_may_do_nothing(fleet: Fleet) -> None:
    fleet.add("aurora")
    person = fleet.user("ada", aurora="admin", superuser=True)
    token = create_token(person, "x", "read", None, in_days(1)).token
    person.is_active = False
    person.save()
    assert authority_of_token(APIToken.objects.get(pk=token.pk)) == NOBODY


def test_token_that_was_revoked_may_do_nothing(fleet: Fleet) -> None:
    fleet.add("aurora")
    person, other = fleet.user("ada", aurora="admin"), fleet.user("bert")
    token = create_token(person, "x", "read", None, in_days(1)).token
    assert not revoke_token(other, token)
    assert authority_of_token(token).visible
    assert revoke_token(person, token) and not revoke_token(person, token)
    assert authority_of_token(token) == NOBODY
    assert not tokens_of(person)


def test_foreign_site_cannot_be_in_a_scope(fleet: Fleet) -> None:
    aurora, foreign = fleet.add("aurora"), fleet.add("borealis")
    person = fleet.user("ada", aurora="admin")
    for sites in ([foreign], [aurora, foreign], []):
        with pytest.raises(ConfigurationError, match="one of your sites"):
            create_token(person, "x", "read", sites, in_days(1))


@pytest.mark.parametrize("action", ["admin", "view", "", "all"])
def test_scope_must_be_one(fleet: Fleet, action: str) -> None:
    fleet.add("aurora")
    with pytest.raises(ConfigurationError, match="Accepted: read, change, operate"):
        create_token(fleet.user("ada", aurora="admin"), "x", action, None, in_days(1))


def test_number_of_tokens_is_bounded(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagtail_multihost.control.tokens.MOST", 2)
    fleet.add("aurora")
    person = fleet.user("ada", aurora="view")
    first, _ = (create_token(person, "x", "read", None, in_days(1)) for _ in range(2))
    with pytest.raises(ConfigurationError, match="Revoke one"):
        create_token(person, "x", "read", None, in_days(1))
    revoke_token(person, first.token)
    create_token(person, "x", "read", None, in_days(1))


def test_secret_is_nowhere_afterwards(fleet: Fleet) -> None:
    fleet.add("aurora")
    made = create_token(fleet.user("ada", aurora="view"), "deploy", "read", None, in_days(1))
    entry = ModelLogEntry.objects.get(object_id=str(made.token.pk), action="multihost.token.created")
    assert made.secret not in str((made.token.__dict__, entry.__dict__))
    assert entry.data["may"] == "read"

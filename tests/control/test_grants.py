"""Rights over sites: who gives and takes them, and that the audit log has it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from wagtail.models import ModelLogEntry

from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.authority import Authority, authority_of
from wagtail_multihost.control.changes import NotAllowedError, RetireSite, UnknownSiteError
from wagtail_multihost.control.grants import grant_action, grantable_groups, grants_of, revoke_action
from wagtail_multihost.control.models import Event, Grant, GroupAdmin, ManagedSite
from wagtail_multihost.exceptions import ConfigurationError


def own_group(name: str) -> Group:
    return Group.objects.get(name=f"people of {name}")


def actions(site: ManagedSite) -> dict[str, str]:
    return dict(Grant.objects.filter(site=site).values_list("group__name", "action"))


def test_operator_gives_changes_and_takes_a_right(fleet: Fleet) -> None:
    site, person = fleet.add("aurora"), fleet.user("ada")
    before = (fleet.revision, Event.objects.count())
    assert grant_action(OPERATOR, site, own_group("ada"), "view", reason="a customer")
    assert not grant_action(OPERATOR, site, own_group("ada"), "view")
    assert authority_of(person).may("view", site.uid)
    assert grant_action(OPERATOR, site, own_group("ada"), "operate")
    assert actions(site) == {"people of ada": "operate"}
    assert revoke_action(OPERATOR, site, own_group("ada"))
    assert not revoke_action(OPERATOR, site, own_group("ada"))
    assert authority_of(person).visible == frozenset()
    entries = ModelLogEntry.objects.filter(object_id=str(site.uid), action__startswith="multihost.grant")
    told = [(one.action, one.data["changes"][0]["before"], one.data["changes"][0]["after"]) for one in entries]
    assert told == [
        ("multihost.grant.taken", "operate", None),
        ("multihost.grant.given", "view", "operate"),
        ("multihost.grant.given", None, "view"),
    ]
    assert entries.last().data["reason"] == "a customer"
    assert (fleet.revision, Event.objects.count()) == before


def test_admin_of_a_site_gives_it_to_own_groups_alone(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    person, stranger = fleet.user("ada", aurora="admin"), fleet.user("bert")
    agency = Group.objects.create(name="agency")
    person.groups.add(agency)
    authority = authority_of(person)
    assert {group.name for group in grantable_groups(authority)} == {"people of ada", "agency"}
    assert grant_action(authority, site, agency, "change")
    person.groups.remove(agency)
    GroupAdmin.objects.create(group=agency, user=person)  # left over: Wagtail's page of a user does not take it away
    with pytest.raises(NotAllowedError, match="no such group"):
        grant_action(authority, site, agency, "admin")
    with pytest.raises(NotAllowedError, match="no such group"):
        grant_action(authority, site, own_group("bert"), "view")
    Grant.objects.create(site=site, group=own_group("bert"), action="view")
    with pytest.raises(NotAllowedError, match="no such group"):
        revoke_action(authority, site, own_group("bert"))
    assert authority_of(stranger).may("view", site.uid)


@pytest.mark.parametrize("action", ["view", "change", "operate"])
def test_lower_rights_give_none(fleet: Fleet, action: str) -> None:
    site = fleet.add("aurora")
    authority = fleet.authority("ada", aurora=action)
    for attempt in (
        lambda: grant_action(authority, site, own_group("ada"), "admin"),
        lambda: revoke_action(authority, site, own_group("ada")),
    ):
        with pytest.raises(NotAllowedError, match="administer the site"):
            attempt()
    assert actions(site) == {"people of ada": action}
    assert not grants_of(authority, site)


def test_foreign_site_is_unknown(fleet: Fleet) -> None:
    fleet.add("aurora")
    foreign = fleet.add("borealis")
    authority = fleet.authority("ada", aurora="admin")
    with pytest.raises(UnknownSiteError):
        grant_action(authority, foreign, own_group("ada"), "view")
    with pytest.raises(UnknownSiteError):
        revoke_action(authority, foreign, own_group("ada"))
    assert actions(foreign) == {}


def test_retired_site_has_no_rights_to_give(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    fleet.user("ada")
    fleet.apply(RetireSite(site.uid))
    with pytest.raises(UnknownSiteError):
        grant_action(OPERATOR, ManagedSite.objects.get(uid=site.uid), own_group("ada"), "view")


@pytest.mark.parametrize("action", ["", "owner", "ADMIN", "read"])
def test_action_must_be_one(fleet: Fleet, action: str) -> None:
    site = fleet.add("aurora")
    fleet.user("ada")
    with pytest.raises(ConfigurationError, match="no such right"):
        grant_action(OPERATOR, site, own_group("ada"), action)


@pytest.mark.parametrize("limit", ["view", "change", "operate"])
def test_scope_below_admin_gives_no_rights_over_a_site(fleet: Fleet, limit: str) -> None:
    """A token has no scope ``admin``; one that operates the whole platform is an operator's."""
    site = fleet.add("aurora")
    authority = fleet.authority("ada", aurora="admin").narrowed(limit, None)
    with pytest.raises(NotAllowedError):
        grant_action(authority, site, own_group("ada"), "view")
    narrowed = OPERATOR.narrowed(limit, [site.uid])
    with pytest.raises(NotAllowedError):
        grant_action(narrowed, site, own_group("ada"), "view")


def test_authority_without_a_person_has_no_groups(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    fleet.user("ada")
    authority = Authority("token:9", actions={site.uid: "admin"})
    assert not grantable_groups(authority)
    with pytest.raises(NotAllowedError):
        grant_action(authority, site, own_group("ada"), "view")

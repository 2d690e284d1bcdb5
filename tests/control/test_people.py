"""Groups, and who looks after them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from wagtail.models import Collection, GroupCollectionPermission, ModelLogEntry

from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.authority import authority_of
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.invitations import invite
from wagtail_multihost.control.models import GroupAdmin
from wagtail_multihost.control.people import (
    administered_groups,
    create_group,
    members_of,
    plain_groups,
    remove_person,
    set_admin,
)
from wagtail_multihost.exceptions import ConfigurationError


def own_group(name: str) -> Group:
    return Group.objects.get(name=f"people of {name}")


def join(user: Any, group: Group, *, admin: bool = False) -> None:
    user.groups.add(group)
    if admin:
        GroupAdmin.objects.create(group=group, user=user)


def test_operator_makes_a_group_whose_people_enter_the_admin(fleet: Fleet) -> None:
    group = create_group(OPERATOR, " ACME ")
    assert group.name == "ACME"
    assert [permission.codename for permission in group.permissions.all()] == ["access_admin"]
    assert ModelLogEntry.objects.get(object_id=str(group.pk), action="multihost.group.created").data["actor"]
    with pytest.raises(ConfigurationError, match="of that name already"):
        create_group(OPERATOR, "ACME")
    for name in ("", " ", "x" * 151, "line\nbreak", "a\u202eb"):
        with pytest.raises(ConfigurationError, match="1 to 150"):
            create_group(OPERATOR, name)


def test_others_make_no_group_and_no_admin(fleet: Fleet) -> None:
    fleet.add("aurora")
    person = fleet.user("ada", aurora="admin")
    group = own_group("ada")
    join(person, group, admin=True)
    authority = authority_of(person)
    with pytest.raises(NotAllowedError):
        create_group(authority, "more")
    other = fleet.user("bert")
    join(other, group)
    with pytest.raises(NotAllowedError):
        set_admin(authority, group, other, is_admin=True)
    with pytest.raises(NotAllowedError):
        set_admin(authority, group, person, is_admin=False)
    assert {found.user_id for found in GroupAdmin.objects.all()} == {person.pk}


def test_admin_removes_people_of_own_groups_alone(fleet: Fleet) -> None:
    person, other, stranger = fleet.user("ada"), fleet.user("bert"), fleet.user("cleo")
    group = own_group("ada")
    join(other, group)
    join(person, group, admin=True)
    authority = authority_of(person)
    remove_person(authority, group, other)
    assert list(members_of(group)) == [person]
    assert other.groups.count() == 1
    with pytest.raises(NotAllowedError, match="no such group"):
        remove_person(authority, own_group("cleo"), stranger)
    with pytest.raises(ConfigurationError, match="no such person"):
        remove_person(authority, group, stranger)
    assert stranger.groups.count() == 1


def test_admin_does_not_remove_another_admin_but_may_leave(fleet: Fleet) -> None:
    person, other = fleet.user("ada"), fleet.user("bert")
    group = own_group("ada")
    join(person, group, admin=True)
    join(other, group, admin=True)
    with pytest.raises(NotAllowedError, match="by an operator"):
        remove_person(authority_of(person), group, other)
    remove_person(authority_of(person), group, person)
    assert not GroupAdmin.objects.filter(user=person).exists()
    remove_person(OPERATOR, group, other)
    assert not administered_groups(authority_of(other)).exists()


def test_operator_makes_a_member_admin_and_undoes_it(fleet: Fleet) -> None:
    person, stranger = fleet.user("ada"), fleet.user("bert")
    group = own_group("ada")
    assert set_admin(OPERATOR, group, person, is_admin=True)
    assert not set_admin(OPERATOR, group, person, is_admin=True)
    assert list(administered_groups(authority_of(person))) == [group]
    assert set_admin(OPERATOR, group, person, is_admin=False)
    assert not administered_groups(authority_of(person)).exists()
    with pytest.raises(ConfigurationError, match="no such person"):
        set_admin(OPERATOR, group, stranger, is_admin=True)


def give_permission(group: Group) -> None:
    group.permissions.add(Permission.objects.get(codename="operate_platform"))


def give_user_permission(group: Group) -> None:
    group.permissions.add(Permission.objects.get(content_type__app_label="auth", codename="change_user"))


def give_collection(group: Group) -> None:
    permission = Permission.objects.get(codename="add_image")
    GroupCollectionPermission.objects.create(
        group=group, collection=Collection.get_first_root_node(), permission=permission
    )


@pytest.mark.parametrize("give", [give_permission, give_user_permission, give_collection])
def test_group_that_gives_more_is_nobodys_to_fill(fleet: Fleet, give: Any) -> None:
    """Neither its admin nor an operator adds people to it: whoever is in it could do more than they."""
    person, operator = fleet.user("ada"), fleet.user("olga", operator=True)
    group = own_group("ada")
    join(person, group, admin=True)
    assert group in plain_groups()
    give(group)
    assert group not in plain_groups()
    for someone in (person, operator):
        assert group not in administered_groups(authority_of(someone))
        with pytest.raises(NotAllowedError):
            remove_person(authority_of(someone), group, person)


def test_who_was_taken_out_of_a_group_looks_after_it_no_more(fleet: Fleet) -> None:
    """Also on Wagtail's page of a user, which does not know who looks after a group."""
    person, other = fleet.user("ada"), fleet.user("bert")
    group = own_group("ada")
    join(person, group, admin=True)
    join(other, group)
    assert [found.name for found in administered_groups(authority_of(person))] == ["people of ada"]
    person.groups.remove(group)
    assert not administered_groups(authority_of(person)).exists()
    with pytest.raises(NotAllowedError, match="look after"):
        invite(authority_of(person), group, "again@example.com")
    with pytest.raises(NotAllowedError, match="look after"):
        remove_person(authority_of(person), group, other)

"""
Groups of people, and who looks after them. Everything here is about groups that give nothing but access to the admin:
what more someone may do comes from rights over sites. A group that makes people operators, or lets them change pages or
users, is a superuser's to fill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from wagtail_multihost.control.audit import (
    ADMIN_MADE,
    ADMIN_UNMADE,
    GROUP_CREATED,
    REMOVED,
    change_row,
    log_change,
)
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.models import GroupAdmin
from wagtail_multihost.exceptions import ConfigurationError

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

OPERATORS = "Only an operator of the platform may do it."
NO_GROUP = "There is no such group among those that you look after."
NO_MEMBER = "There is no such person in the group."
LOOKED_AFTER = "Who looks after the group is removed by an operator of the platform."
NAME_TAKEN = "There is a group of that name already."
NO_NAME = "A group's name has 1 to 150 characters, all of them visible."
LONGEST_NAME = 150


def plain_groups() -> QuerySet[Group]:
    """Return the groups that give nothing but access to the admin."""
    more = Permission.objects.exclude(content_type__app_label="wagtailadmin", codename="access_admin")
    holders = Q(permissions__in=more) | Q(page_permissions__isnull=False) | Q(collection_permissions__isnull=False)
    return Group.objects.exclude(pk__in=Group.objects.filter(holders).values("pk")).order_by("name")


def administered_groups(authority: Authority) -> QuerySet[Group]:
    """Return the groups whose people someone looks after: all plain ones for an operator, others must be in them."""
    if authority.may_operate:
        return plain_groups()
    if authority.user is None:
        return Group.objects.none()
    own = GroupAdmin.objects.filter(user=authority.user).values("group")
    # Wagtail's own page of a user takes someone out of a group without asking us.
    joined = Group.objects.filter(user=authority.user)
    return plain_groups().filter(pk__in=own).filter(pk__in=joined.values("pk"))


def members_of(group: Group) -> QuerySet[Any]:
    model = get_user_model()
    return model._default_manager.filter(groups=group).order_by(model.USERNAME_FIELD)


def known_people(authority: Authority) -> QuerySet[Any]:
    """
    Return the people whose names someone is told: all to operators, those with whom they share a group to others. A
    customer learns nobody else's login.
    """
    people = get_user_model()._default_manager.all()
    if authority.is_operator:
        return people
    shared = Group.objects.filter(user=authority.user)
    return people.filter(Q(pk=authority.user) | Q(groups__in=shared)).distinct()


def admins_of(group: Group) -> set[int]:
    """Return the keys of those who look after the group."""
    return set(GroupAdmin.objects.filter(group=group).values_list("user", flat=True))


def create_group(authority: Authority, name: str) -> Group:
    """Return a new group, for a customer. Raises NotAllowedError and ConfigurationError."""
    if not authority.may_operate:
        raise NotAllowedError.because(OPERATORS)
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise ConfigurationError.because(NO_NAME)
    try:
        with transaction.atomic():
            group = Group.objects.create(name=name)
            group.permissions.add(
                Permission.objects.get(content_type__app_label="wagtailadmin", codename="access_admin")
            )
            log_change(authority, group, GROUP_CREATED)
    except IntegrityError:
        raise ConfigurationError.because(NAME_TAKEN) from None
    return group


def set_admin(authority: Authority, group: Group, user: AbstractUser, *, is_admin: bool) -> bool:
    """
    Let one of the group's people look after it, or no more. Return whether that changes anything. Raises
    NotAllowedError and ConfigurationError.
    """
    if not authority.may_operate:
        raise NotAllowedError.because(OPERATORS)
    refuse_group(authority, group)
    refuse_stranger(group, user)
    with transaction.atomic():
        found = GroupAdmin.objects.filter(group=group, user=user.pk)
        if is_admin:
            changed = GroupAdmin.objects.get_or_create(group=group, user_id=user.pk)[1]
        else:
            changed = bool(found.delete()[0])
        if changed:
            log_change(authority, group, ADMIN_MADE if is_admin else ADMIN_UNMADE, [person_row(user, is_admin)])
    return changed


def remove_person(authority: Authority, group: Group, user: AbstractUser) -> None:
    """
    Take someone out of the group, with whatever its rights over sites let them do. Raises NotAllowedError and
    ConfigurationError.
    """
    refuse_group(authority, group)
    refuse_stranger(group, user)
    if not authority.may_operate and user.pk in admins_of(group) and user.pk != authority.user:
        raise NotAllowedError.because(LOOKED_AFTER)
    with transaction.atomic():
        user.groups.remove(group)
        GroupAdmin.objects.filter(group=group, user=user.pk).delete()
        log_change(authority, group, REMOVED, [person_row(user, False)])


def refuse_group(authority: Authority, group: Group) -> None:
    """Raise NotAllowedError for a group that someone does not look after."""
    if not administered_groups(authority).filter(pk=group.pk).exists():
        raise NotAllowedError.because(NO_GROUP)


def refuse_stranger(group: Group, user: AbstractUser) -> None:
    if not members_of(group).filter(pk=user.pk).exists():
        raise ConfigurationError.because(NO_MEMBER)


def person_row(user: AbstractUser, after: bool) -> dict[str, object]:
    return change_row(user.get_username(), not after, after)

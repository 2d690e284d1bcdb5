"""
Who may do what with a model, as Wagtail's own parts ask it: generic views, histories, bulk actions, searches. For the
tables of the control app the answer comes from rights over each site, for users and groups from being a superuser.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, AnonymousUser, Group, Permission
from django.db.models import Model, Q, QuerySet
from wagtail.models import APIToken
from wagtail.permission_policies import BasePermissionPolicy
from wagtail.permissions import register_permission_policy

from wagtail_multihost.control.authority import PERMISSION, Authority, authority_of, includes
from wagtail_multihost.control.models import (
    ACTIONS,
    ADMIN,
    CHANGE,
    OPERATE,
    VIEW,
    Event,
    FormerRecord,
    Grant,
    HealStep,
    Hostname,
    Incident,
    IncidentHostname,
    Job,
    ManagedSite,
    Note,
    Silence,
    TokenScope,
    Verification,
)

User = AbstractUser | AnonymousUser
CACHE = "_multihost_authority"
#: What Wagtail calls an action, and the right over a site that it needs. What is not here is for operators alone.
SITE_ACTIONS: Mapping[str, str] = {"view": VIEW, "change": CHANGE, OPERATE: OPERATE, ADMIN: ADMIN}
#: Rows that people may read with a site. Only modules of the control app write them.
SEEN: Mapping[str, str] = {"view": VIEW}
ADMINISTERED: Mapping[str, str] = {"view": ADMIN, "add": ADMIN, "change": ADMIN, "delete": ADMIN}
WRITTEN: Mapping[str, str] = {"view": VIEW, "add": CHANGE}
#: Tables with rows of sites: which right each action needs, and the field with the uid.
OF_SITES: Mapping[type[Model], tuple[Mapping[str, str], str]] = {
    ManagedSite: (SITE_ACTIONS, "uid"),
    Event: (SEEN, "uid"),
    Hostname: (SEEN, "site_id"),
    FormerRecord: (SEEN, "site_id"),
    Verification: (SEEN, "site_id"),
    Job: (SEEN, "site_id"),
    HealStep: (SEEN, "site_id"),
    Note: (WRITTEN, "site_id"),
    Grant: (ADMINISTERED, "site_id"),
    Incident: (SEEN, "site_id"),
    IncidentHostname: (SEEN, "site_id"),
    Silence: (SEEN, "site_id"),
}


def remembered_authority(user: User) -> Authority:
    """Return what a user may do, asked of the database once for each object of a user: Wagtail asks many times."""
    known = getattr(user, CACHE, None)
    if known is None:
        known = authority_of(user)
        setattr(user, CACHE, known)
    return cast(Authority, known)


def operators() -> QuerySet[Any]:
    """Return the active users who operate the platform."""
    label, codename = PERMISSION.split(".")
    held = Permission.objects.filter(content_type__app_label=label, codename=codename)
    may = Q(is_superuser=True) | Q(user_permissions__in=held) | Q(groups__permissions__in=held)
    return get_user_model()._default_manager.filter(may, is_active=True).distinct()


class RightsPolicy(BasePermissionPolicy):  # type: ignore[misc]
    """
    Answers from rights over sites. ``needs`` says which right each of Wagtail's actions needs, ``field`` has the
    uid of a row's site. Every question ends in :meth:`allowed_sites` and in nothing that asks it back.
    """

    def __init__(self, model: type[Model], needs: Mapping[str, str], field: str) -> None:
        super().__init__(model)
        self.needs, self.field = needs, field

    def rights_for(self, actions: Collection[str]) -> list[str]:
        return [self.needs[action] for action in actions if action in self.needs]

    def allowed_sites(self, user: User, actions: Collection[str]) -> frozenset[UUID] | None:
        """Return the uids of the sites with which a user may do one of ``actions``; None for all."""
        authority = remembered_authority(user)
        if authority.is_operator:
            return None
        rights = self.rights_for(actions)
        return frozenset(uid for uid in authority.actions if any(authority.may(right, uid) for right in rights))

    def user_has_permission(self, user: User, action: str) -> bool:
        return self.user_has_any_permission(user, [action])

    def user_has_any_permission(self, user: User, actions: Collection[str]) -> bool:
        allowed = self.allowed_sites(user, actions)
        return allowed is None or bool(allowed)

    def user_has_permission_for_instance(self, user: User, action: str, instance: Model) -> bool:
        return self.user_has_any_permission_for_instance(user, [action], instance)

    def user_has_any_permission_for_instance(self, user: User, actions: Collection[str], instance: Model) -> bool:
        allowed = self.allowed_sites(user, actions)
        return allowed is None or getattr(instance, self.field) in allowed

    def instances_user_has_any_permission_for(self, user: User, actions: Collection[str]) -> QuerySet[Any]:
        allowed = self.allowed_sites(user, actions)
        every: QuerySet[Any] = self.model._default_manager.all()
        return every if allowed is None else every.filter(**{f"{self.field}__in": allowed})

    def users_with_any_permission(self, actions: Collection[str]) -> QuerySet[Any]:
        return self.granted_users(actions, Grant.objects.all())

    def users_with_any_permission_for_instance(self, actions: Collection[str], instance: Model) -> QuerySet[Any]:
        return self.granted_users(actions, Grant.objects.filter(site=getattr(instance, self.field)))

    def granted_users(self, actions: Collection[str], grants: QuerySet[Grant]) -> QuerySet[Any]:
        """Return the active users whom one of ``grants`` lets do one of ``actions``, and all operators."""
        rights = self.rights_for(actions)
        enough = [action for action in ACTIONS if any(includes(action, right) for right in rights)]
        groups = grants.filter(action__in=enough).values("group")
        may = Q(groups__in=groups) | Q(pk__in=operators().values("pk"))
        return get_user_model()._default_manager.filter(may, is_active=True).distinct()


class OperatorPolicy(BasePermissionPolicy):  # type: ignore[misc]
    """Everything for operators of the platform, nothing for others."""

    def user_has_permission(self, user: User, action: str) -> bool:
        return remembered_authority(user).is_operator

    def users_with_any_permission(self, actions: Collection[str]) -> QuerySet[Any]:
        return operators()


class SuperuserPolicy(BasePermissionPolicy):  # type: ignore[misc]
    """
    Everything for superusers, nothing for others: who may change users could make themselves an operator, and manages
    everyone's tokens, whatever Django's permissions say.
    """

    def user_has_permission(self, user: User, action: str) -> bool:
        return bool(user.is_active and user.is_superuser)

    def users_with_any_permission(self, actions: Collection[str]) -> QuerySet[Any]:
        return get_user_model()._default_manager.filter(is_superuser=True, is_active=True)


def register_policies() -> None:
    """
    Register the policy of every table of the control app, and those of accounts. A table that is not of sites is for
    operators, so that one that is new is open to nobody else.
    """
    for model, (needs, field) in OF_SITES.items():
        register_permission_policy(model, RightsPolicy(model, needs, field))
    registered = {*OF_SITES, TokenScope}
    for one in set(apps.get_app_config("multihost_control").get_models()) - registered:
        register_permission_policy(one, OperatorPolicy(one))
    for account in (TokenScope, APIToken, Group, get_user_model()):
        # An exact one counts before those that wagtail.users registers, whichever app is ready first.
        register_permission_policy(account, SuperuserPolicy(account), exact_class=True)

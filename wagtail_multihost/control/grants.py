"""
Rights over sites: what the people of a group may do with one. No node reads them, so that they have no revision and
make no event; they are in the audit log.
"""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet

from wagtail_multihost.control.audit import GRANTED, REVOKED, change_row, log_change
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError, UnknownSiteError
from wagtail_multihost.control.drafts import NO_SITE
from wagtail_multihost.control.models import ACTIONS, ADMIN, VIEW, Grant, ManagedSite
from wagtail_multihost.exceptions import ConfigurationError

NOT_ALLOWED = "Only who may administer the site can give rights over it."
NO_GROUP = "There is no such group among those that you are in."
NO_ACTION = "There is no such right. Accepted: {actions}."


def may_grant(authority: Authority, site: ManagedSite) -> bool:
    """
    Return whether rights over the site can be given and taken: by its admins, and by operators of the whole platform.
    """
    return authority.may(ADMIN, site.uid) or authority.may_operate


def grantable_groups(authority: Authority) -> QuerySet[Group]:
    """Return the groups that rights can be given to: all to an operator, their own to others."""
    if authority.may_operate:
        return Group.objects.order_by("name")
    if authority.user is None:
        return Group.objects.none()
    # Whoever looks after a group is in it.
    return Group.objects.filter(user=authority.user).order_by("name")


def grants_of(authority: Authority, site: ManagedSite) -> QuerySet[Grant]:
    """Return all rights over the site, for those who may give them; others see none."""
    found = Grant.objects.filter(site=site).select_related("group").order_by("group__name")
    return found if may_grant(authority, site) else found.none()


def grant_action(authority: Authority, site: ManagedSite, group: Group, action: str, *, reason: str = "") -> bool:
    """
    Let the people of ``group`` do ``action`` with the site, and nothing beyond it. Return whether that is new. Raises
    NotAllowedError, UnknownSiteError, and ConfigurationError for an action that is none.
    """
    refuse_grant(authority, site, group)
    if action not in ACTIONS:
        raise ConfigurationError.because(NO_ACTION.format(actions=", ".join(ACTIONS)), site=site.identifier)
    with transaction.atomic():
        former = Grant.objects.select_for_update().filter(site=site, group=group).first()
        before = former.action if former else None
        if before == action:
            return False
        Grant.objects.update_or_create(site=site, group=group, defaults={"action": action})
        log_grant(authority, site, group, before, action, reason)
    return True


def revoke_action(authority: Authority, site: ManagedSite, group: Group, *, reason: str = "") -> bool:
    """Take what the people of ``group`` may do with the site. Return whether there was anything. Raises as above."""
    refuse_grant(authority, site, group)
    with transaction.atomic():
        former = Grant.objects.select_for_update().filter(site=site, group=group).first()
        if former is None:
            return False
        former.delete()
        log_grant(authority, site, group, former.action, None, reason)
    return True


def refuse_grant(authority: Authority, site: ManagedSite, group: Group) -> None:
    """Raise an error if the rights of ``group`` over the site cannot be changed by who asks."""
    if site.retired_at is not None or not authority.may(VIEW, site.uid):
        raise UnknownSiteError(NO_SITE)
    if not may_grant(authority, site):
        raise NotAllowedError.because(NOT_ALLOWED, site=site.identifier)
    if not grantable_groups(authority).filter(pk=group.pk).exists():
        raise NotAllowedError.because(NO_GROUP, site=site.identifier)


def log_grant(
    authority: Authority, site: ManagedSite, group: Group, before: str | None, after: str | None, reason: str
) -> None:
    row = change_row(f"access.{group.name}", before, after)
    log_change(authority, site, GRANTED if after else REVOKED, [row], reason=reason, group=group.pk)

"""
The guard that every view of the control app has. Wagtail's generic views ask for rights over the model alone, and not
over the object (https://github.com/wagtail/wagtail/issues/13314), so that someone with rights over one site could reach
any other.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.views.generic import View

from wagtail_multihost.control.authority import Authority, authority_of
from wagtail_multihost.control.models import VIEW, Event, ManagedSite
from wagtail_multihost.control.people import administered_groups


class GuardedView(View):
    """A view for people who may see at least one site, or operate the platform. Others get 404, as for no such page."""

    authority: Authority

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.authority = authority_of(request.user)
        if not self.is_allowed(**kwargs):
            raise Http404
        super().setup(request, *args, **kwargs)

    def is_allowed(self, **kwargs: Any) -> bool:
        return self.authority.is_operator or bool(self.authority.visible)


class OperatorView(GuardedView):
    """A view for operators of the platform."""

    def is_allowed(self, **kwargs: Any) -> bool:
        return self.authority.may_operate


class SiteView(GuardedView):
    """A view of the site whose uid is in the address as ``uid``, for people who may do the ``action`` with it."""

    action = VIEW
    site: ManagedSite

    def is_allowed(self, **kwargs: Any) -> bool:
        uid: UUID = kwargs["uid"]
        found = ManagedSite.objects.filter(uid=uid, retired_at=None).first()
        if found is None or not self.authority.may(self.action, uid):
            return False
        self.site = found
        return True


class PeopleView(GuardedView):
    """A view for people who look after a group, and for operators of the platform."""

    def is_allowed(self, **kwargs: Any) -> bool:
        return self.authority.may_operate or administered_groups(self.authority).exists()


class GroupView(GuardedView):
    """
    A view of the group whose key is in the address as ``group``, for people who look after it, or with
    ``operators_only`` for operators of the platform.
    """

    operators_only = False
    group: Group

    def is_allowed(self, **kwargs: Any) -> bool:
        found = administered_groups(self.authority).filter(pk=kwargs["group"]).first()
        if found is None or (self.operators_only and not self.authority.may_operate):
            return False
        self.group = found
        return True


def visible_sites(authority: Authority) -> QuerySet[ManagedSite]:
    """Return the sites that may be seen, without those that are retired."""
    sites = ManagedSite.objects.filter(retired_at=None)
    return sites if authority.visible is None else sites.filter(uid__in=authority.visible)


def visible_events(authority: Authority) -> QuerySet[Event]:
    """Return the events of the sites that may be seen, also of retired ones; the platform's for those who see all."""
    events = Event.objects.all()
    return events if authority.visible is None else events.filter(uid__in=authority.visible)

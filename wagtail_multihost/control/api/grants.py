"""Rights over a site: what the people of a group may do with it."""

from __future__ import annotations

from typing import Annotated

from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest
from ninja import Path, Router

from wagtail_multihost.control.api.answers import WITH_BODY, answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.schemas import GrantBody, GrantChanged, GrantList, GrantOut
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import ReasonInQuery, SiteId
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.grants import (
    NO_GROUP,
    NOT_ALLOWED,
    grant_action,
    grantable_groups,
    grants_of,
    may_grant,
    revoke_action,
)
from wagtail_multihost.control.models import Grant, ManagedSite

router = Router(tags=["Rights"])
GroupId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The number of the group.", examples=[4])]


@router.get(
    "/sites/{identifier}/grants",
    operation_id="list_grants",
    summary="List the rights over a site",
    response=answers(GrantList, 404),
)
def list_grants(request: HttpRequest, identifier: SiteId) -> GrantList:
    """For those who may give them."""
    authority = authority_in(request)
    site = get_site(authority, identifier)
    refuse_unless_granting(authority, site)
    found = grants_of(authority, site)
    return GrantList(grants=[GrantOut.model_validate(grant_row(grant)) for grant in found])


@router.put(
    "/sites/{identifier}/grants/{group}",
    operation_id="put_grant",
    summary="Give the people of a group a right over a site",
    response=answers(GrantChanged, 404, *WITH_BODY),
)
def put_grant(request: HttpRequest, identifier: SiteId, group: GroupId, body: GrantBody) -> GrantChanged:
    """It takes the place of the one that they had."""
    authority = authority_in(request)
    site = get_site(authority, identifier)
    found = get_group(authority, site, group)
    changed = grant_action(authority, site, found, body.action, reason=body.reason)
    return grant_changed(changed)


@router.delete(
    "/sites/{identifier}/grants/{group}",
    operation_id="delete_grant",
    summary="Take the right of a group over a site",
    response=answers(GrantChanged, 404),
)
def delete_grant(
    request: HttpRequest,
    identifier: SiteId,
    group: GroupId,
    reason: ReasonInQuery = "",
) -> GrantChanged:
    """A right that they do not have is no error: it is as it was asked for."""
    authority = authority_in(request)
    site = get_site(authority, identifier)
    found = get_group(authority, site, group)
    return grant_changed(revoke_action(authority, site, found, reason=reason))


def grant_row(grant: Grant) -> dict[str, object]:
    return {"group": grant.group.pk, "name": grant.group.name, "action": grant.action}


def refuse_unless_granting(authority: Authority, site: ManagedSite) -> None:
    if not may_grant(authority, site):
        raise NotAllowedError.because(NOT_ALLOWED, site=site.identifier)


def get_group(authority: Authority, site: ManagedSite, group: int) -> Group:
    """Return a group that rights can be given to. Raises Http404 as for one that is not there."""
    refuse_unless_granting(authority, site)
    found = grantable_groups(authority).filter(pk=group).first()
    if found is None:
        raise Http404(NO_GROUP)
    return found


def grant_changed(changed: bool) -> GrantChanged:
    return GrantChanged(revision=current_revision(), changed=changed)

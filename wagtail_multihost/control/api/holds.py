"""Holds: what nodes neither apply, heal nor move for a while."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Path, Router, Status

from wagtail_multihost.control.actors import shown_actor
from wagtail_multihost.control.api.answers import WITH_BODY, answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.schemas import HoldBody, HoldChanged, HoldList, HoldOut
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import ReasonInQuery
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.holds import OPERATORS, hold, release_hold, visible_holds
from wagtail_multihost.control.models import Hold, Node
from wagtail_multihost.exceptions import ConfigurationError

router = Router(tags=["Holds"])
HoldId = Annotated[UUID, Path(description="The id of the hold.")]
ONE_OF = "State the id of a site, or of a node, or that everything is held: one of the three."
NO_NODE = "There is no such node."


@router.get("/holds", operation_id="list_holds", summary="List the holds", response=answers(HoldList))
def list_holds(request: HttpRequest) -> HoldList:
    """Those that have not ended, in the order of their ends; of nodes for operators alone."""
    authority = authority_in(request)
    return HoldList(holds=holds_out(authority, visible_holds(authority)))


@router.post(
    "/holds",
    operation_id="make_hold",
    summary="Hold a site, a node, or everything",
    response=answers(HoldChanged, 404, 409, *WITH_BODY, status=201),
)
def make_hold(request: HttpRequest, body: HoldBody) -> Status[HoldChanged]:
    """It ends by itself. Nodes and everything are held by operators; a site also by who may operate it."""
    authority = authority_in(request)
    if [body.site is not None, body.node is not None, body.everything].count(True) != 1:
        raise ConfigurationError.because(ONE_OF, where="Hold")
    site = get_site(authority, body.site) if body.site is not None else None
    node = get_node(authority, body.node) if body.node is not None else None
    made = hold(authority, site, node, seconds=body.seconds, reason=body.reason)
    return Status(201, hold_changed(authority, made))


@router.delete("/holds/{hold_id}", operation_id="end_hold", summary="End a hold", response=answers(HoldChanged, 404))
def end_hold(request: HttpRequest, hold_id: HoldId, reason: ReasonInQuery = "") -> HoldChanged:
    """Nodes apply what has waited. Holds that operators have made are ended by operators."""
    authority = authority_in(request)
    return hold_changed(authority, release_hold(authority, hold_id, reason=reason))


def hold_changed(authority: Authority, changed: Hold) -> HoldChanged:
    (shown,) = holds_out(authority, [changed])
    return HoldChanged(revision=current_revision(), hold=shown)


def get_node(authority: Authority, identifier: str) -> Node:
    """Return a node; raises Http404. Who is no operator is not told which ones there are."""
    if not authority.may_operate:
        raise NotAllowedError.because(OPERATORS, where="Hold")
    found = Node.objects.filter(pk=identifier).first()
    if found is None:
        raise Http404(NO_NODE)
    return found


def holds_out(authority: Authority, holds: Iterable[Hold]) -> list[HoldOut]:
    """Return holds as the API shows them: why everything is held is for operators."""
    return [
        HoldOut(
            id=one.pk,
            site=one.site.identifier if one.site else None,
            node=one.node.pk if one.node else None,
            reason=one.reason if one.site or authority.sees_all else "",
            actor=shown_actor(authority, one.actor),
            since=one.since,
            until=one.until,
        )
        for one in holds
    ]

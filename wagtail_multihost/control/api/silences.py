"""Silences: what nobody is told of for a while."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Path, Router, Status

from wagtail_multihost.control.actors import shown_actor
from wagtail_multihost.control.api.answers import WITH_BODY, answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.holds import get_node
from wagtail_multihost.control.api.incident_schemas import SilenceBody, SilenceChanged, SilenceList, SilenceOut
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import ReasonInQuery
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.models import Silence
from wagtail_multihost.control.silences import end_silence, silence, visible_silences
from wagtail_multihost.exceptions import ConfigurationError

router = Router(tags=["Silences"])
SilenceId = Annotated[UUID, Path(description="The id of the silence.")]
ONE_OF = "State the id of a site, or of a node, or that everything is silenced: one of the three."


@router.get("/silences", operation_id="list_silences", summary="List the silences", response=answers(SilenceList))
def list_silences(request: HttpRequest) -> SilenceList:
    """Those that have not ended, in the order of their ends; of nodes for operators alone."""
    authority = authority_in(request)
    return SilenceList(silences=silences_out(authority, visible_silences(authority)))


@router.post(
    "/silences",
    operation_id="make_silence",
    summary="Silence a site, a node, or everything",
    response=answers(SilenceChanged, 404, 409, *WITH_BODY, status=201),
)
def make_silence(request: HttpRequest, body: SilenceBody) -> Status[SilenceChanged]:
    """
    Incidents are seen all the same, and what still lasts when the silence ends is told then. Nodes and everything are
    silenced by operators; a site also by who may operate it.
    """
    authority = authority_in(request)
    if [body.site is not None, body.node is not None, body.everything].count(True) != 1:
        raise ConfigurationError.because(ONE_OF, where="Silence")
    site = get_site(authority, body.site) if body.site is not None else None
    node = get_node(authority, body.node) if body.node is not None else None
    made = silence(authority, site, node, seconds=body.seconds, reason=body.reason)
    return Status(201, silence_changed(authority, made))


@router.delete(
    "/silences/{silence_id}", operation_id="end_silence", summary="End a silence", response=answers(SilenceChanged, 404)
)
def remove_silence(request: HttpRequest, silence_id: SilenceId, reason: ReasonInQuery = "") -> SilenceChanged:
    """Those that operators have made are ended by operators."""
    authority = authority_in(request)
    return silence_changed(authority, end_silence(authority, silence_id, reason=reason))


def silence_changed(authority: Authority, changed: Silence) -> SilenceChanged:
    (shown,) = silences_out(authority, [changed])
    return SilenceChanged(revision=current_revision(), silence=shown)


def silences_out(authority: Authority, silences: Iterable[Silence]) -> list[SilenceOut]:
    """Return silences as the API shows them: why everything is silenced is for operators."""
    return [
        SilenceOut(
            id=one.pk,
            site=one.site.identifier if one.site else None,
            node=one.node or None,
            reason=one.reason if one.site or authority.sees_all else "",
            actor=shown_actor(authority, one.actor),
            since=one.since,
            until=one.until,
        )
        for one in silences
    ]

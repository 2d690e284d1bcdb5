"""Incidents: what is wrong, of the sites that who asks may see."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from ninja import Path, Query, Router

from wagtail_multihost.control.api.answers import answers
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.incident_schemas import (
    IncidentDetails,
    IncidentHostnameOut,
    IncidentLineOut,
    IncidentOut,
    IncidentPage,
)
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import NO_NUL, Limit
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.incidents import (
    filter_incidents,
    get_incident,
    is_silenced,
    shown_hostnames,
    shown_lines,
    shown_subject,
    shown_summary,
    visible_incidents,
)
from wagtail_multihost.control.models import Incident, Silence
from wagtail_multihost.control.silences import current_silences
from wagtail_multihost.spec.identifiers import SITE_ID_LENGTH

router = Router(tags=["Incidents"])
MOST_HOSTNAMES = 500
#: Where an incident stands among all: when it began, and its id.
PLACE = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}\+00:00/[0-9a-f-]{36})?$"
IncidentId = Annotated[UUID, Path(description="The id of the incident.")]
IsOpen = Annotated[bool | None, Query(alias="open", description="Those that last, or those that are over.")]
OfSite = Annotated[str, Query(max_length=SITE_ID_LENGTH, pattern=NO_NUL, description="Those that concern a site.")]
OfKind = Annotated[str, Query(max_length=20, pattern=NO_NUL, description="Those of a kind.")]
BeforeIncident = Annotated[
    str, Query(pattern=PLACE, max_length=80, description="The `next` that the page before ended with.")
]


@router.get("/incidents", operation_id="list_incidents", summary="List incidents", response=answers(IncidentPage, 404))
def list_incidents(
    request: HttpRequest,
    is_open: IsOpen = None,
    site: OfSite = "",
    kind: OfKind = "",
    before: BeforeIncident = "",
    limit: Limit = 100,
) -> IncidentPage:
    """
    The latest come first. Everybody is told of what concerns their own sites; operators of nodes and processes too.
    """
    authority = authority_in(request)
    found = filter_incidents(
        visible_incidents(authority), is_open=is_open, site=get_site(authority, site) if site else None, kind=kind
    )
    if before:
        since, identifier = place_in(before)
        found = found.filter(Q(since__lt=since) | Q(since=since, pk__lt=identifier))
    page, silences = [*found[: limit + 1]], [*current_silences()]
    return IncidentPage(
        incidents=[IncidentOut(**fields_of(authority, one, silences)) for one in page[:limit]],
        next=text_of(page[limit - 1]) if len(page) > limit else None,
    )


@router.get(
    "/incidents/{incident}",
    operation_id="get_incident",
    summary="Read an incident",
    response=answers(IncidentDetails, 404),
)
def read_incident(request: HttpRequest, incident: IncidentId) -> IncidentDetails:
    """
    With the hostnames that it concerns and what has happened. Of an incident that sites share, others than operators
    see their own hostnames alone.
    """
    authority = authority_in(request)
    found = get_incident(authority, incident)
    return IncidentDetails(
        **fields_of(authority, found, [*current_silences()]),
        hostnames=[IncidentHostnameOut(**one._asdict()) for one in shown_hostnames(authority, found, MOST_HOSTNAMES)],
        lines=[IncidentLineOut.from_orm(one) for one in shown_lines(authority, found)],
    )


def fields_of(authority: Authority, incident: Incident, silences: list[Silence]) -> dict[str, Any]:
    is_whole = authority.sees_all or incident.site_id is not None
    return {
        "id": incident.pk,
        "kind": incident.kind,
        "cause": incident.cause,
        "subject": shown_subject(authority, incident),
        "site": incident.site.identifier if incident.site else None,
        "since": incident.since,
        "till": incident.till,
        "summary": shown_summary(authority, incident),
        "count": incident.count if is_whole else 0,
        "is_silenced": is_silenced(incident, silences),
    }


def text_of(incident: Incident) -> str:
    return f"{incident.since.isoformat()}/{incident.pk}"


def place_in(text: str) -> tuple[datetime, UUID]:
    """Return the place that a text of the form of :data:`PLACE` names."""
    since, _, identifier = text.partition("/")
    return datetime.fromisoformat(since), UUID(identifier)

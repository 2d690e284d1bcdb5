"""
Incidents as people may see them: everything for those who see all sites, and for others what concerns their own sites,
without the names of others', of servers and of nodes. Nobody here changes one: the operator process and the courier do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import UnknownSiteError
from wagtail_multihost.control.models import Incident, IncidentHostname, IncidentLine, ManagedSite, Silence
from wagtail_multihost.nodeapi.incident_words import CAUSES, KINDS, OF_SITE
from wagtail_multihost.nodeapi.probe_states import OUTSIDE

NO_INCIDENT = "There is no such incident."
#: What stands for a node's id where that is not told.
INSIDE = "inside"


class ShownHostname(NamedTuple):
    """A hostname that an incident concerns, as someone may see it."""

    hostname: str
    site: str
    place: str
    state: str
    reason: str
    code: int | None
    is_over: bool


def visible_incidents(authority: Authority) -> QuerySet[Incident]:
    """Return the incidents that someone may see, the latest first."""
    found = Incident.objects.select_related("site").order_by("-since", "-pk")
    if authority.sees_all:
        return found
    concerned = IncidentHostname.objects.filter(site__in=authority.visible or ()).values("incident")
    return found.filter(pk__in=concerned)


def filter_incidents(
    found: QuerySet[Incident], *, is_open: bool | None = None, site: ManagedSite | None = None, kind: str = ""
) -> QuerySet[Incident]:
    """Return those of them that are open or over, of a site, of a kind."""
    if is_open is not None:
        found = found.filter(till__isnull=is_open)
    if site is not None:
        found = found.filter(Q(site=site) | Q(pk__in=IncidentHostname.objects.filter(site=site).values("incident")))
    return found.filter(kind=kind) if kind else found


def get_incident(authority: Authority, identifier: UUID) -> Incident:
    """Return an incident that may be seen; raises UnknownSiteError."""
    found = visible_incidents(authority).filter(pk=identifier).first()
    if found is None:
        raise UnknownSiteError(NO_INCIDENT)
    return found


def shown_summary(authority: Authority, incident: Incident) -> str:
    """Return the sentence of an incident; of a cause that sites share, others than operators learn no name."""
    if authority.sees_all or incident.cause == OF_SITE:
        return incident.summary
    return f"{KINDS.get(incident.kind, '')} The cause: {CAUSES.get(incident.cause, '')}.".strip()


def shown_subject(authority: Authority, incident: Incident) -> str:
    return incident.subject if authority.sees_all or incident.cause == OF_SITE else ""


def shown_hostnames(authority: Authority, incident: Incident, most: int) -> list[ShownHostname]:
    """Return at most so many of the hostnames that an incident concerns, those that are bad first."""
    rows = IncidentHostname.objects.filter(incident=incident).select_related("site")
    if authority.visible is not None:
        rows = rows.filter(site__in=authority.visible)
    return [
        ShownHostname(
            one.hostname,
            one.site.identifier,
            one.place if authority.sees_all or one.place == OUTSIDE else INSIDE,
            one.state,
            one.reason,
            one.code,
            one.till is not None,
        )
        for one in rows.order_by("-till", "hostname", "place")[:most]
    ]


def shown_lines(authority: Authority, incident: Incident) -> Iterable[IncidentLine]:
    """Return what has happened in an incident; of one that sites share, to those who see all of them."""
    if not authority.sees_all and incident.cause != OF_SITE:
        return []
    return incident.lines.order_by("at", "pk")


def is_silenced(incident: Incident, silences: Iterable[Silence]) -> bool:
    """Return whether one of some silences is of the incident's own site, of its node, or of everything."""
    return any(
        (one.site_id is None and not one.node)
        or (one.site_id is not None and one.site_id == incident.site_id)
        or (one.node and one.node == incident.subject)
        for one in silences
    )

"""How people see incidents: what happened to what, since when, and what was done, as far as that is theirs to know."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.core.validators import slug_re
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import Now, RowNumber

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.dashboard.addresses import node_address, page_address, site_address
from wagtail_multihost.control.dashboard.availability_words import (
    length_in_words,
    places_in_words,
    reason_in_words,
    state_in_words,
)
from wagtail_multihost.control.dashboard.foreign_text import line_of
from wagtail_multihost.control.dashboard.incident_words import cause_in_words, line_in_words, title_of_kind
from wagtail_multihost.control.dashboard.tabs import AVAILABILITY
from wagtail_multihost.control.incidents import filter_incidents, shown_summary, visible_incidents
from wagtail_multihost.control.models import Incident, IncidentHostname, IncidentLine, ManagedSite
from wagtail_multihost.nodeapi.incident_words import DISK, NODE, OF_SITE, SUMMARY_LENGTH

#: Of a site's incidents, and of the lines of each, so many are on the site's tab.
INCIDENTS_OF_SITE, LINES_OF_CARD = 10, 20
#: So many open ones are counted.
MOST_OPEN = 100
#: Of the hostnames of an incident so many are shown.
MOST_HOSTNAMES = 100
NAME_LENGTH = 80


class ShownLine(NamedTuple):
    """Something that happened in an incident: when, what kind of thing, and its words."""

    at: datetime
    kind: str
    text: str


class ShownIncident(NamedTuple):
    """
    An incident as someone sees it. ``subject`` is what it is of, and ``subject_url`` its page; ``lasted`` how long it
    was, or is now. Who does not know all of it is told what it is, since when, and when something was done.
    """

    incident: Incident
    title: str
    summary: str
    url: str
    subject: str
    subject_url: str
    lasted: str
    lines: list[ShownLine]
    has_more: bool
    knows_all: bool


class ShownHostname(NamedTuple):
    """A hostname that an incident concerns, as it was seen from a place."""

    hostname: str
    site: str
    url: str
    place: str
    state: str
    why: str
    since: datetime
    till: datetime | None


def concerned_sites() -> Q:
    """Return what lets sites through that an open incident concerns."""
    shared = IncidentHostname.objects.filter(site=OuterRef("pk"), till=None, incident__till=None)
    return Q(Exists(Incident.objects.filter(site=OuterRef("pk"), till=None))) | Q(Exists(shared))


def knows_all_of(authority: Authority, incident: Incident) -> bool:
    """
    Return whether someone who may see an incident may know all of it: of what sites share, the words name servers,
    nodes and sites of others.
    """
    return authority.sees_all or incident.cause == OF_SITE


def in_order(incidents: QuerySet[Incident]) -> QuerySet[Incident]:
    """Return them with the open ones first, and the latest of each first."""
    return incidents.order_by(F("till").desc(nulls_first=True), "-since", "pk")


def open_incidents(authority: Authority) -> list[Incident]:
    """Return the incidents that are not over, the latest first; those that another has taken in are told by that."""
    found = visible_incidents(authority).filter(till=None, folded=None).annotate(now=Now())
    return list(found.order_by("-since", "pk")[:MOST_OPEN])


def incidents_of_site(authority: Authority, site: ManagedSite) -> list[ShownIncident]:
    """Return the latest incidents of a site, each with its first lines."""
    found = in_order(filter_incidents(visible_incidents(authority), site=site)).annotate(now=Now())
    return show_incidents(authority, found[:INCIDENTS_OF_SITE], LINES_OF_CARD)


def show_incidents(authority: Authority, incidents: Iterable[Incident], most_lines: int = 0) -> list[ShownIncident]:
    """
    Return incidents that may be seen as someone sees them, with so many lines each, in one query for all. Each has the
    database's time as ``now``.
    """
    found = list(incidents)
    lines: dict[UUID, list[IncidentLine]] = {one.pk: [] for one in found}
    if most_lines:
        place = Window(RowNumber(), partition_by="incident", order_by=["at", "pk"])
        placed = IncidentLine.objects.filter(incident__in=list(lines)).annotate(place=place)
        for line in placed.filter(place__lte=most_lines + 1).order_by("at", "pk"):
            lines[line.incident_id].append(line)
    return [show_incident(authority, one, lines[one.pk], most_lines) for one in found]


def show_incident(authority: Authority, incident: Any, lines: list[IncidentLine], most_lines: int) -> ShownIncident:
    knows_all = knows_all_of(authority, incident)
    subject, subject_url = subject_of(incident) if knows_all else (cause_in_words(incident.cause), "")
    return ShownIncident(
        incident,
        title_of_kind(incident.kind),
        line_of(shown_summary(authority, incident), SUMMARY_LENGTH),
        page_address("incident", incident=incident.pk),
        subject,
        subject_url,
        length_in_words((incident.till or incident.now) - incident.since),
        [
            ShownLine(line.at, line_in_words(line.kind), line_of(line.text) if knows_all else "")
            for line in lines[:most_lines]
        ],
        len(lines) > most_lines,
        knows_all,
    )


def hostnames_of(authority: Authority, incident: Incident) -> list[ShownHostname]:
    """Return the hostnames that an incident concerns, of the sites that someone may see; one more than are shown."""
    found = IncidentHostname.objects.filter(incident=incident).select_related("site")
    if authority.visible is not None:
        found = found.filter(site__in=authority.visible)
    return [
        ShownHostname(
            row.hostname,
            str(row.site),
            site_address(row.site.uid, AVAILABILITY) if row.site.retired_at is None else "",
            places_in_words([row.place]),
            state_in_words(row.state),
            reason_in_words(row.reason, row.code),
            row.since,
            row.till,
        )
        for row in found.defer("site__record", "site__labels").order_by("hostname", "place")[: MOST_HOSTNAMES + 1]
    ]


def subject_of(incident: Incident) -> tuple[str, str]:
    """Return what an incident is of, and the address of its page; blank where it has none."""
    site = incident.site
    if site is not None:
        return str(site), site_address(site.uid, AVAILABILITY) if site.retired_at is None else ""
    name = line_of(incident.subject, NAME_LENGTH)
    is_node = incident.cause in (NODE, DISK) and slug_re.match(incident.subject)
    return name or cause_in_words(incident.cause), node_address(incident.subject) if is_node else ""

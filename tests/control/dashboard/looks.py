"""What monitors have concluded of sites, as a test writes it: when somebody looked, what was seen, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import timezone

from tests.control.history import set_age
from wagtail_multihost.control.models import (
    Incident,
    IncidentHostname,
    IncidentLine,
    ManagedSite,
    Monitor,
    ProbeCoverage,
    ProbeHour,
    ProbeLatest,
    ProbePeriod,
)
from wagtail_multihost.nodeapi.incident_words import OF_SITE, OPENED, SITE_DOWN
from wagtail_multihost.nodeapi.probe_states import BUCKETS, OUTSIDE, UP, bucket_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: So old are sites and hostnames that tests have aged.
OLD = 400 * DAY


def age(*sites: ManagedSite, by: timedelta = OLD) -> None:
    """Make sites and their hostnames older, which registration never does."""
    with transaction.atomic():
        for site in sites:
            set_age(site, timezone.now() - by)


def look(now: datetime, *spans: tuple[timedelta, timedelta], place: str = OUTSIDE) -> None:
    """
    Let a place have looked in spans that began and ended so long ago, the last one last. Without any all the time, and
    while the test lasts.
    """
    found = spans or ((OLD, -HOUR),)
    for begin, end in found:
        ProbeCoverage.objects.create(place=place, during=DateTimeTZRange(now - begin, now - end))
    values = {"boot": uuid4(), "seen_at": now - max(found[-1][1], timedelta()), "version": "0.2"}
    Monitor.objects.update_or_create(place=place, defaults=values)


def see(
    site: ManagedSite,
    now: datetime,
    state: str = UP,
    reason: str = "",
    code: int = 0,
    *,
    ago: timedelta = OLD,
    place: str = OUTSIDE,
    hostname: str = "",
    **values: Any,
) -> None:
    """Let a hostname of a site, or its canonical one, be seen in a state since so long ago, and before that up."""
    name = hostname or site.record["hostnames"][0]
    since = now - ago
    said = {"site": site, "state": state, "reason": reason, "code": code, "since": since, "first_at": now - OLD}
    said |= {"allowance": 1.0, "noted_at": now, **values}
    ProbeLatest.objects.update_or_create(hostname=name, place=place, defaults=said)
    if state != UP:
        suffer(site, since, None, state, reason, code, place=place, hostname=name)


def suffer(
    site: ManagedSite,
    since: datetime,
    till: datetime | None,
    state: str,
    reason: str = "",
    code: int = 0,
    *,
    place: str = OUTSIDE,
    hostname: str = "",
) -> None:
    """Let a hostname of a site, or its canonical one, have been in a state for a while."""
    name = hostname or site.record["hostnames"][0]
    ProbePeriod.objects.create(
        site=site, hostname=name, place=place, state=state, reason=reason, code=code, since=since, till=till
    )


def measure(site: ManagedSite, hour: datetime, *milliseconds: float, place: str = OUTSIDE) -> None:
    """Let answers of a site have been counted in an hour."""
    counts = [0] * BUCKETS
    for one in milliseconds:
        counts[bucket_of(one)] += 1
    name = site.record["hostnames"][0]
    begin = hour.replace(minute=0, second=0, microsecond=0)
    ProbeHour.objects.create(hostname=name, place=place, hour=begin, histogram=counts)


def fall(
    now: datetime,
    site: ManagedSite | None = None,
    *,
    ago: timedelta = HOUR,
    lasted: timedelta | None = None,
    lines: Sequence[tuple[str, str]] = ((OPENED, "It was seen."),),
    **values: Any,
) -> Incident:
    """Let there be an incident, of a site's canonical hostname or of something else, with lines a minute apart."""
    since = now - ago
    stated = {
        "kind": SITE_DOWN,
        "cause": OF_SITE,
        "subject": site.identifier if site else "",
        "site": site,
        "since": since,
        "till": since + lasted if lasted is not None else None,
        "summary": "It did not answer.",
        "count": 1,
        "told_at": since,
    }
    incident = Incident.objects.create(**{**stated, **values})
    for number, (kind, text) in enumerate(lines):
        IncidentLine.objects.create(incident=incident, at=since + number * timedelta(minutes=1), kind=kind, text=text)
    if site is not None:
        concern(incident, site)
    return incident


def concern(incident: Incident, site: ManagedSite, state: str = "down", reason: str = "timeout", **values: Any) -> None:
    """Let an incident concern the canonical hostname of a site."""
    stated: dict[str, Any] = {"place": OUTSIDE, "since": incident.since, "till": incident.till, **values}
    name = site.record["hostnames"][0]
    IncidentHostname.objects.update_or_create(
        incident=incident,
        hostname=name,
        place=stated.pop("place"),
        defaults={"site": site, "state": state, "reason": reason, **stated},
    )

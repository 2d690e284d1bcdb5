"""What monitors would have said, written as rows at any time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from wagtail_multihost.control.availability import Availability, measure_spans
from wagtail_multihost.control.models import Maintenance, ManagedSite, ProbeCoverage, ProbeLatest, ProbePeriod
from wagtail_multihost.nodeapi.probe_states import OUTSIDE, UNKNOWN, UP

#: A Monday at noon.
NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
HOUR = 3600.0
LONG_AGO = NOW - timedelta(days=1000)


def at(hours: float) -> datetime:
    """Return a time so many hours before NOW; after it, if they are negative."""
    return NOW - timedelta(hours=hours)


def set_age(site: ManagedSite, created: datetime, added: datetime | None = None) -> None:
    """Let a site have been made at a time, and its hostnames added then or later. The triggers would refuse it."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET session_replication_role = replica")
        cursor.execute("UPDATE control_site SET created = %s WHERE uid = %s", [created, site.uid])
        cursor.execute("UPDATE control_hostname SET added_at = %s WHERE site_id = %s", [added or created, site.uid])
        cursor.execute("RESET session_replication_role; SET CONSTRAINTS ALL DEFERRED")


class Seen:
    """What was seen of a site's canonical hostname, which is an old one unless something else is said."""

    def __init__(self, site: ManagedSite) -> None:
        self.site = site
        self.hostname = str(site.hostnames.get(is_canonical=True).name)
        set_age(site, LONG_AGO)

    def look(self, *spans: tuple[datetime, datetime], place: str = OUTSIDE, first: datetime = LONG_AGO) -> None:
        """Let the monitor at a place have looked in some spans, and at this hostname since it ``first`` did."""
        for since, till in spans:
            ProbeCoverage.objects.create(place=place, during=DateTimeTZRange(since, till))
        values = {"state": UP, "since": first, "first_at": first, "allowance": 60, "noted_at": first}
        ProbeLatest.objects.create(hostname=self.hostname, place=place, site=self.site, **values)

    def was(self, state: str, since: datetime, till: datetime | None, place: str = OUTSIDE, hostname: str = "") -> None:
        ProbePeriod.objects.create(
            hostname=hostname or self.hostname, place=place, site=self.site, state=state, since=since, till=till
        )

    def maintained(self, since: datetime, till: datetime | None, *, everywhere: bool = False, **more: object) -> None:
        site = None if everywhere else self.site
        Maintenance.objects.create(site=site, since=since, till=till, reason="x", **more)

    def measure(self, *spans: tuple[datetime, datetime]) -> list[Availability]:
        return measure_spans([self.site.uid], spans)[self.site.uid]

    def last(self, hours: float) -> Availability:
        """Return the availability of the last hours."""
        (found,) = self.measure((at(hours), NOW))
        return found


def of(up: float = 0, down: float = 0, maintenance: float = 0, unknown: float = 0, by: str = OUTSIDE) -> Availability:
    """Return what is expected, in hours."""
    return Availability(up * HOUR, down * HOUR, maintenance * HOUR, unknown * HOUR, by)


def skipped(seen: Seen, spans: Iterable[tuple[datetime, datetime]]) -> None:
    """Let the monitor say that it did not look at the hostname."""
    for since, till in spans:
        seen.was(UNKNOWN, since, till)

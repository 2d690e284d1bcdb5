"""
How long sites were up: exact, weighted by time, and with what nobody observed as a share of its own.

A site is its canonical hostname. It counts as seen from outside, where the monitor there has looked at it within the
time in question; else as seen from the nodes, of which all that look must say that it is down. Times of maintenance are
left out of the share, and shown. A hostname that is younger than the time in question counts from when it was added.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.text import capfirst

from wagtail_multihost.control.availability_sql import LATENCIES, MEASURE, PERIODS
from wagtail_multihost.nodeapi.probe_states import find_quantile

#: A span of time: its begin and its end.
Span = tuple[datetime, datetime]
MOST_DAYS = 400
MOST_PERIODS = 1_000
NOT_OBSERVED = "not observed"


@dataclass(frozen=True)
class Availability:
    """
    Seconds in which a site was up, down, in maintenance, and not observed; together they are the time in question, as
    far as there was the site. ``seen_from`` is ``outside`` or ``inside``; blank where nobody has looked.
    """

    up: float
    down: float
    maintenance: float
    unknown: float
    seen_from: str = ""

    @property
    def share(self) -> float | None:
        """The share of the observed time in which it was up, without maintenance; None if there was no such time."""
        observed = self.up + self.down
        return self.up / observed if observed else None

    @property
    def whole(self) -> float:
        """The seconds of the time in question."""
        return self.up + self.down + self.maintenance + self.unknown


@dataclass(frozen=True)
class Day:
    """A day of a calendar, of 23 to 25 hours, as far as it is over."""

    date: date
    availability: Availability


@dataclass(frozen=True)
class LatencyPoint:
    """How many answers were counted in the hour that began ``at``, and the milliseconds within which they came."""

    at: datetime
    count: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True)
class Period:
    """A time in which a hostname was in a state that is not up, as seen from a place; no end: it still is."""

    hostname: str
    place: str
    state: str
    code: int
    reason: str
    since: datetime
    till: datetime | None


NOTHING = Availability(0.0, 0.0, 0.0, 0.0)


def measure_availability(
    uids: Collection[UUID], windows: Sequence[timedelta], now: datetime
) -> dict[UUID, dict[timedelta, Availability]]:
    """Return the availability of each site in each of the windows up to now; of what is no site, nothing was seen."""
    found = measure_spans(uids, [(now - window, now) for window in windows])
    return {uid: dict(zip(windows, measured, strict=True)) for uid, measured in found.items()}


def measure_spans(uids: Collection[UUID], spans: Sequence[Span]) -> dict[UUID, list[Availability]]:
    """Return the availability of each site in each of the spans, in their order."""
    found = {uid: [NOTHING] * len(spans) for uid in uids}
    if not found or not spans:
        return found
    values: dict[str, Any] = {
        "uids": list(found),
        "since": [since for since, _ in spans],
        "till": [till for _, till in spans],
    }
    with connection.cursor() as cursor:
        cursor.execute(MEASURE, values)
        for uid, number, *measured in cursor.fetchall():
            found[uid][number - 1] = Availability(*measured)
    return found


def list_days(uid: UUID, days: int, zone: tzinfo, now: datetime) -> list[Day]:
    """Return the last ``days`` days of a place's calendar, the oldest first; the last one is today, up to now."""
    dates = last_dates(days, zone, now)
    measured = measure_spans([uid], [day_span(day, zone, now) for day in dates])[uid]
    return [Day(day, availability) for day, availability in zip(dates, measured, strict=True)]


def last_dates(days: int, zone: tzinfo, now: datetime) -> list[date]:
    today = now.astimezone(zone).date()
    return [today - timedelta(days=ago) for ago in reversed(range(min(days, MOST_DAYS)))]


def day_span(day: date, zone: tzinfo, now: datetime) -> Span:
    """Return when a day began and ended, or now if it still lasts: its midnights, whatever clocks did between."""
    since, till = (datetime.combine(one, time(), zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return since, min(till, now.astimezone(UTC))


def list_latencies(uid: UUID, window: timedelta, now: datetime) -> list[LatencyPoint]:
    """Return the hours of a window in which latencies of a site were counted, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(LATENCIES, {"uid": uid, "since": now - window, "till": now})
        rows = cursor.fetchall()
    return [
        LatencyPoint(at, sum(counts), *(find_quantile(counts, share) for share in (0.5, 0.95, 0.99)))
        for at, counts in rows
    ]


def list_periods(uid: UUID, window: timedelta, now: datetime) -> list[Period]:
    """Return what the hostnames of a site were but up in a window, the latest first; at most so many."""
    with connection.cursor() as cursor:
        cursor.execute(PERIODS, {"uid": uid, "since": now - window, "till": now, "most": MOST_PERIODS})
        return [Period(*row) for row in cursor.fetchall()]


def describe_share(availability: Availability) -> str:
    """
    Return the share in words, such as ``99.98 %, 2.1 % not observed``. It is never rounded up: 100 % is said only
    where the whole time was observed, and all of it up.
    """
    parts = [describe_observed(availability)] if availability.share is not None else []
    for seconds, what in ((availability.unknown, NOT_OBSERVED), (availability.maintenance, "maintenance")):
        if seconds:
            parts.append(describe_part(seconds, availability.whole, what))
    return ", ".join(parts)


def share_in_words(availability: Availability) -> str:
    """Return the share as the beginning of a sentence; ``Not observed`` where nobody has looked."""
    return capfirst(describe_share(availability) or NOT_OBSERVED)


def describe_observed(availability: Availability) -> str:
    if availability.down:
        return f"{percents(availability.up, availability.up + availability.down, 2)} %"
    return "no outage seen" if availability.unknown else "100 %"


def describe_part(seconds: float, whole: float, what: str) -> str:
    if seconds == whole:
        return what
    least = percents(seconds, whole, 1)
    return f"{least} % {what}" if least != "0" else f"less than 0.1 % {what}"


def percents(part: float, whole: float, digits: int) -> str:
    """Return how many per cent a part is, cut off after so many digits, and without zeros at the end."""
    share = Decimal(part) / Decimal(whole) * 100
    cut = share.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_FLOOR)
    return f"{cut:f}".rstrip("0").rstrip(".")

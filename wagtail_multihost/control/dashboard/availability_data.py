"""
What the pages about availability read: how each site was seen last, from where, and which are in trouble. All of
it is one number of queries, however many sites there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import (
    Case,
    CharField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest, Least

from wagtail_multihost.control.availability import Availability, measure_availability
from wagtail_multihost.control.dashboard.availability_words import (
    places_in_words,
    reason_in_words,
    state_in_words,
)
from wagtail_multihost.control.dashboard.status import DISABLED
from wagtail_multihost.control.models import Hostname, Maintenance, ManagedSite, Monitor, ProbeLatest, ProbePeriod
from wagtail_multihost.nodeapi.observations_v1 import LONGEST_GAP
from wagtail_multihost.nodeapi.probe_states import BAD, DOWN, MAINTENANCE, OUTSIDE, SUSPENDED, UNKNOWN, UP

WINDOWS = (timedelta(hours=24), timedelta(days=7), timedelta(days=30))
#: From where a site is seen, of what is decided: from outside, or by the nodes that have it.
FROM_OUTSIDE, FROM_INSIDE = "outside", "inside"
#: So many hostnames of a site are shown, each from each place.
MOST_LOOKS = 100
#: The order of trouble: what is bad first, then what is not known.
TROUBLE = {**dict.fromkeys(sorted(BAD), 0), UNKNOWN: 1}
NO_TROUBLE = 2


@dataclass(frozen=True)
class Watch:
    """Which places look at sites ``now``, and when each looked last; who was silent for too long does not look."""

    now: datetime
    looked: Mapping[str, datetime]

    @property
    def watching(self) -> list[str]:
        oldest = self.now - timedelta(seconds=LONGEST_GAP)
        return sorted(place for place, at in self.looked.items() if at >= oldest)

    @property
    def nodes(self) -> list[str]:
        """The nodes that look from inside."""
        return [place for place in self.watching if place != OUTSIDE]


class Seen(NamedTuple):
    """
    How a site was seen last: the ``state`` with its ``words``, ``since`` when it is so and ``why``; ``places`` from
    where, and when that was, at the latest. A site that nobody looks at is not known since somebody looked.
    """

    state: str
    words: str
    since: datetime | None
    why: str
    places: str
    seen_at: datetime | None

    @property
    def is_bad(self) -> bool:
        return self.state in BAD


class Look(NamedTuple):
    """How a hostname was seen last from one place: in words, since when and why, and when that was."""

    hostname: str
    place: str
    state: str
    since: datetime | None
    why: str
    seen_at: datetime | None
    certificate_until: datetime | None


def watch_now(now: datetime) -> Watch:
    """Return who looks at sites now."""
    looked = Monitor.objects.values_list("place", "seen_at")
    return Watch(now, {place: at for place, at in looked if at is not None})


def with_state(sites: QuerySet[ManagedSite], watch: Watch) -> QuerySet[Any]:
    """
    Return the sites, each with its ``seen_state``: of its canonical hostname, as it is seen from outside; where nobody
    looks from there, as the nodes see it that look, of which one is enough for it to be up. ``seen_from`` says which.
    """
    names = Hostname.objects.filter(site=OuterRef("pk"), is_canonical=True).values("name")[:1]
    latest = ProbeLatest.objects.filter(hostname=OuterRef("canonical_name"), site=OuterRef("pk"))
    outside = latest.filter(place=OUTSIDE) if OUTSIDE in watch.watching else latest.none()
    inside = latest.filter(place__in=watch.nodes)
    open_now = Maintenance.objects.filter(Q(site=OuterRef("pk")) | Q(site=None), since__lte=watch.now)
    is_maintained = Exists(open_now.filter(Q(till=None) | Q(till__gt=watch.now)))
    word = CharField()
    return sites.annotate(
        canonical_name=Subquery(names),
        seen_outside=Subquery(outside.values("state")[:1], output_field=word),
        seen_from=Case(
            When(seen_outside__isnull=False, then=Value(FROM_OUTSIDE)),
            When(Exists(inside), then=Value(FROM_INSIDE)),
            default=Value(""),
            output_field=word,
        ),
        seen_state=Case(
            When(enabled=False, then=Value(DISABLED)),
            When(state=SUSPENDED, then=Value(SUSPENDED)),
            When(is_maintained, then=Value(MAINTENANCE)),
            When(seen_outside__isnull=False, then=F("seen_outside")),
            *(
                When(Exists(inside.filter(state__in=states)), then=Value(state))
                for states, state in (
                    ((UP,), UP),
                    ((MAINTENANCE,), MAINTENANCE),
                    ((SUSPENDED,), SUSPENDED),
                    (BAD, DOWN),
                )
            ),
            default=Value(UNKNOWN),
            output_field=word,
        ),
    )


def with_trouble(sites: QuerySet[ManagedSite], watch: Watch) -> QuerySet[Any]:
    """
    Return the same sites with their ``trouble``, the worst with the lowest number, and for how long each was seen down
    within the longest window, as ``lost``.
    """
    start = watch.now - WINDOWS[-1]
    till, since = Least(Coalesce("till", watch.now), watch.now), Greatest("since", start)
    length = ExpressionWrapper(till - since, output_field=DurationField())
    bad = ProbePeriod.objects.filter(
        Q(till=None) | Q(till__gt=start), site=OuterRef("pk"), hostname=OuterRef("canonical_name"), state__in=BAD
    )
    # Where nobody looks from outside, of the place from which it was seen down for longest.
    seen = bad.filter(place=OUTSIDE) if OUTSIDE in watch.looked else bad
    lost = seen.order_by().values("place").annotate(lost=Sum(length)).order_by("-lost").values("lost")[:1]
    found: QuerySet[Any] = with_state(sites, watch).annotate(
        trouble=Case(
            *(When(seen_state=state, then=Value(rank)) for state, rank in TROUBLE.items()),
            default=Value(NO_TROUBLE),
            output_field=IntegerField(),
        ),
        lost=Coalesce(Subquery(lost, output_field=DurationField()), timedelta()),
    )
    return found


def last_seen(sites: Collection[Any], watch: Watch) -> dict[UUID, Seen]:
    """Return how each of the sites was seen last, which :func:`with_state` has given states; in one query."""
    names = [site.canonical_name for site in sites if site.canonical_name]
    rows: dict[UUID, list[ProbeLatest]] = {site.pk: [] for site in sites}
    for row in ProbeLatest.objects.filter(hostname__in=names, site__in=rows).order_by("place"):
        rows[row.site_id].append(row)
    return {site.pk: describe_seen(site, rows[site.pk], watch) for site in sites}


def describe_seen(site: Any, rows: Iterable[ProbeLatest], watch: Watch) -> Seen:
    """Return how a site was seen last: only those places count that have said what is said of it."""
    state, words = site.seen_state, state_in_words(site.seen_state)
    known = [row for row in rows if row.place in watch.looked]
    if site.seen_from == FROM_OUTSIDE:
        known = [row for row in known if row.place == OUTSIDE]
    elif site.seen_from == FROM_INSIDE:
        known = [row for row in known if row.place in watch.nodes]
    seen_at = max((watch.looked[row.place] for row in known), default=None)
    places = places_in_words(row.place for row in known)
    # Down is what all say, of whatever kind, and so since the last of them does; up is what one says.
    said = [row for row in known if row.state == state or {row.state, state} <= BAD]
    if site.seen_from and said:
        row = (max if state in BAD else min)(said, key=lambda one: one.since)
        return Seen(state, words, row.since, reason_in_words(row.reason, row.code), places, seen_at)
    if state == UNKNOWN:
        return Seen(state, words, seen_at, "", places, seen_at)
    told = "; ".join(dict.fromkeys(state_in_words(row.state) for row in known))
    return Seen(state, words, None, f"What was seen: {told}." if told else "", places, seen_at)


def looks_at(site: ManagedSite, watch: Watch) -> list[Look]:
    """Return how each of a site's hostnames was seen last from each place."""
    rows = ProbeLatest.objects.filter(site=site, hostname__in=Hostname.objects.filter(site=site).values("name"))
    return [
        Look(
            row.hostname,
            places_in_words([row.place]),
            state_in_words(row.state if row.place in watch.watching else UNKNOWN),
            row.since if row.place in watch.watching else watch.looked.get(row.place),
            reason_in_words(row.reason, row.code) if row.place in watch.watching else "",
            watch.looked.get(row.place),
            row.certificate_until,
        )
        for row in rows.order_by("hostname", "place")[:MOST_LOOKS]
    ]


def measure_sites(uids: Collection[UUID], now: datetime) -> dict[UUID, dict[timedelta, Availability]]:
    """Return how much of each window each site was up."""
    return measure_availability(list(uids), WINDOWS, now)

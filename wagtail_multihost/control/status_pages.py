"""
Which sites show the public how they are: none, unless somebody has said so. A page has nothing but the site's own
hostname and how it was; no node, no reason and no address of a server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from wagtail_multihost.control.audit import STATUS_PAGE_HIDDEN, STATUS_PAGE_SHOWN, log_change
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.availability import (
    NOTHING,
    Availability,
    Day,
    list_days,
    measure_availability,
    share_in_words,
)
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.drafts import SUSPENDED
from wagtail_multihost.control.models import CHANGE, ManagedSite, Platform, StatusPage

NOT_ALLOWED = "Whether the public sees how it is, is not for you to say."
DAYS = 90
WINDOWS = {"24 hours": timedelta(hours=24), "7 days": timedelta(days=7), "30 days": timedelta(days=30)}
LATEST, LONGEST = timedelta(minutes=3), WINDOWS["30 days"]
#: So many sites are on the platform's page.
MOST_SITES = 500
UP, DOWN, MAINTENANCE, UNKNOWN = "Up", "Down", "Maintenance", "Not observed"
#: Of two that were as long, the earlier counts.
STATES = ((DOWN, "down"), (MAINTENANCE, "maintenance"), (UP, "up"), (UNKNOWN, "unknown"))


class ShownDay(NamedTuple):
    """A day in the bar: its ``date``, the ``state`` that its colour stands for, and what it says in words."""

    date: str
    state: str
    words: str


class ShownStatus(NamedTuple):
    """A site as the public sees it."""

    hostname: str
    state: str
    shares: Sequence[tuple[str, str]]
    days: Sequence[ShownDay] = ()
    address: str = ""


# Who shows it


def public_sites() -> QuerySet[ManagedSite]:
    """Return the sites that have such a page. One that is disabled or suspended has none: that is nobody's business."""
    shown = ManagedSite.objects.filter(retired_at=None, enabled=True, status_page__isnull=False)
    return shown.exclude(state=SUSPENDED).order_by("identifier")


def is_platform_public() -> bool:
    return StatusPage.objects.filter(site=None).exists()


def may_show(authority: Authority, site: ManagedSite | None) -> bool:
    return authority.may_operate if site is None else authority.may(CHANGE, site.uid)


def show_status(authority: Authority, site: ManagedSite | None, *, shown: bool) -> bool:
    """
    Show the public how a site (None: all sites that do) is, or do so no more; return whether that is new. Raises
    NotAllowedError.
    """
    if not may_show(authority, site):
        raise NotAllowedError.because(NOT_ALLOWED, where=str(site or "The platform"))
    with transaction.atomic():
        if shown:
            is_new = StatusPage.objects.get_or_create(site=site)[1]
        else:
            is_new = StatusPage.objects.filter(site=site).delete()[0] > 0
        if is_new:
            subject = site or Platform.objects.get(pk=1)
            log_change(authority, subject, STATUS_PAGE_SHOWN if shown else STATUS_PAGE_HIDDEN)
    return is_new


# What it shows


def status_of_site(site: ManagedSite, zone: tzinfo, now: datetime) -> ShownStatus:
    """Return how a site is and was."""
    seen = measure_availability([site.uid], [LATEST, *WINDOWS.values()], now).get(site.uid, {})
    days = list_days(site.uid, DAYS, zone, now)
    return ShownStatus(
        hostname_of(site),
        state_in(seen.get(LATEST, NOTHING)),
        [(words, share_in_words(seen.get(window, NOTHING))) for words, window in WINDOWS.items()],
        [*show_days(days)],
    )


def status_of_all(sites: Iterable[ManagedSite], now: datetime, addresses: dict[str, str]) -> list[ShownStatus]:
    """Return how all of the sites are; ``addresses`` are those of their own pages, by their ids."""
    listed = [*sites][:MOST_SITES]
    seen = measure_availability([site.uid for site in listed], [LATEST, LONGEST], now) if listed else {}
    return [
        ShownStatus(
            hostname_of(site),
            state_in(seen.get(site.uid, {}).get(LATEST, NOTHING)),
            [("30 days", share_in_words(seen.get(site.uid, {}).get(LONGEST, NOTHING)))],
            address=addresses.get(site.identifier, ""),
        )
        for site in listed
    ]


def hostname_of(site: ManagedSite) -> str:
    """Return the hostname that a site's visitors are led to."""
    return str((site.record.get("hostnames") or [""])[0])


def state_in(seen: Availability) -> str:
    """Return how a site was for the longest part of a time."""
    if not seen.whole:
        return UNKNOWN
    return max(STATES, key=lambda state: getattr(seen, state[1]))[0]


def show_days(days: Iterable[Day]) -> Iterator[ShownDay]:
    for day in days:
        words = day_in_words(day.availability)
        yield ShownDay(f"{day.date.day} {day.date:%B %Y}", state_of_day(day.availability), words)


def state_of_day(seen: Availability) -> str:
    """Return what a day is shown as: any outage counts, however short."""
    if seen.down:
        return DOWN
    if not seen.up and not seen.maintenance:
        return UNKNOWN
    return UP if seen.up else MAINTENANCE


def day_in_words(seen: Availability) -> str:
    if not seen.whole:
        return "not there yet"
    parts = [("unavailable", seen.down), ("in maintenance", seen.maintenance), ("not observed", seen.unknown)]
    said = [f"{words} for {length_in_words(seconds)}" for words, seconds in parts if seconds >= 1]
    return ", ".join(said) or "no outage seen"


def length_in_words(seconds: float) -> str:
    """Return a length of time in the two units that tell most of it."""
    whole = int(seconds)
    units = [("hour", whole // 3600), ("minute", whole // 60 % 60), ("second", whole % 60)]
    told = [f"{number} {unit}{'' if number == 1 else 's'}" for unit, number in units if number]
    return " ".join(told[:2])

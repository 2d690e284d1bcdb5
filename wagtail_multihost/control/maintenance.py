"""
Maintenance windows: times, stated before, in which a site or all sites need not answer. They are left out of how long a
site was up, and shown.

Like holds they are no part of the registry: they take no revision and make no event, and are in the audit log. What is
over stays as it was.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from wagtail_multihost.control.audit import (
    MAINTENANCE_CHANGED,
    MAINTENANCE_ENDED,
    MAINTENANCE_PLANNED,
    change_row,
    log_change,
)
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import REASON_LENGTH, NotAllowedError, NotNowError, UnknownSiteError
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.drafts import NO_SITE
from wagtail_multihost.control.maintenance_sql import END_MAINTENANCE, SAVE_MAINTENANCE
from wagtail_multihost.control.models import OPERATE, VIEW, Maintenance, ManagedSite, Platform
from wagtail_multihost.control.texts import refuse_text
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.spec.time_lengths import DAY

#: Days: how long one of an operator lasts at most, one of the people of a site, and how long before it is planned.
LONGEST, LONGEST_OF_SITE, FARTHEST = 30, 7, 400
#: Of one site, or of all sites, that are not over.
MOST = 50
TOO_MANY = f"There are {MOST} already that are not over. End one of these first."
#: Minutes by which a clock that somebody plans with may be behind the database's.
LATE = 5
OPERATORS = "Only an operator of the platform may plan maintenance of all sites."
NEEDS_OPERATE = "Only who may operate the site can plan maintenance of it."
OF_OPERATORS = "An operator of the platform planned it, and only operators change or end it."
NO_WINDOW = "There is no such maintenance window, or it is over."
NO_REASON = "It is missing: whoever sees the site's history must know why."
IS_PAST = "It must not be in the past: what is over stays as it was."
HAS_BEGUN = "It has begun, and keeps when it did."


class Times(NamedTuple):
    """From when to when."""

    since: datetime
    till: datetime


def plan_maintenance(authority: Authority, site: ManagedSite | None, times: Times, *, reason: str) -> Maintenance:
    """
    Plan maintenance of a site, or without one of all sites; return it. Raises NotAllowedError, UnknownSiteError,
    NotNowError and ConfigurationError.
    """
    refuse_target(authority, site)
    if site is not None and site.retired_at is not None:
        raise UnknownSiteError(NO_SITE)
    now = database_time()
    refuse_times(authority, site, times, now)
    refuse_reason(site, reason)
    with transaction.atomic():
        # Locked, so that several at once do not count the same ones.
        lock_target(site)
        if not_over().filter(site=site).count() >= MOST:
            raise NotNowError.because(TOO_MANY, where="Maintenance", site=name_of(site))
        new = Maintenance(id=uuid4(), site=site, actor=authority.actor, is_of_operator=authority.may_operate)
        planned = write_window(new, times, reason)
        log_window(authority, planned, MAINTENANCE_PLANNED, None, shown_times(planned), reason)
    return planned


def change_maintenance(
    authority: Authority, identifier: UUID, *, since: datetime | None, till: datetime | None, reason: str | None
) -> Maintenance:
    """Change what is planned; None leaves something as it is. One that has begun keeps when. Raises as above."""
    with transaction.atomic():
        found = get_window(authority, identifier)
        now = database_time()
        if since is not None and since != found.since and found.since <= now:
            raise ConfigurationError.because(HAS_BEGUN, where="Since", site=name_of(found.site))
        former = shown_times(found)
        times = Times(since or found.since, till or end_of(found))
        refuse_times(authority, found.site, times, now, has_begun=found.since <= now)
        refuse_reason(found.site, found.reason if reason is None else reason)
        changed = write_window(found, times, found.reason if reason is None else reason)
        log_window(authority, changed, MAINTENANCE_CHANGED, former, shown_times(changed), changed.reason)
    return changed


def end_maintenance(authority: Authority, identifier: UUID, *, reason: str = "") -> Maintenance:
    """End maintenance now, or take back what has not begun; return it as it was. Raises as above."""
    refuse_text(reason, "Reason")
    with transaction.atomic():
        found = get_window(authority, identifier)
        with connection.cursor() as cursor:
            cursor.execute(END_MAINTENANCE, [found.pk])
        log_window(authority, found, MAINTENANCE_ENDED, shown_times(found), None, reason)
    return found


def get_window(authority: Authority, identifier: UUID) -> Maintenance:
    """Return maintenance that is not over, and that someone may change; raises UnknownSiteError and NotAllowedError."""
    found = visible_windows(authority).filter(pk=identifier).first()
    if found is None or found.of_record:
        raise UnknownSiteError(NO_WINDOW)
    refuse_target(authority, found.site)
    if found.is_of_operator and not authority.may_operate:
        raise NotAllowedError.because(OF_OPERATORS, where="Maintenance", site=name_of(found.site))
    return found


def not_over() -> QuerySet[Maintenance]:
    """Return what is planned or lasts, in the order in which it begins, with the sites; not what records say."""
    return Maintenance.objects.filter(till__gt=Now(), of_record=False).select_related("site").order_by("since", "id")


def visible_windows(authority: Authority) -> QuerySet[Maintenance]:
    """Return those of them that concern what may be seen."""
    if authority.sees_all:
        return not_over()
    return not_over().filter(Q(site=None) | Q(site__in=authority.visible or ()))


def windows_within(site: UUID, times: Times) -> QuerySet[Maintenance]:
    """Return the maintenance of a site within some time, its record's and that of all sites too, the latest first."""
    found = Maintenance.objects.filter(Q(site=site) | Q(site=None), since__lt=times.till)
    return found.filter(Q(till=None) | Q(till__gt=times.since)).order_by("-since", "id")


def lock_target(site: ManagedSite | None) -> None:
    if site is None:
        Platform.objects.select_for_update().get(pk=1)
    else:
        ManagedSite.objects.select_for_update().get(pk=site.pk)


def refuse_target(authority: Authority, site: ManagedSite | None) -> None:
    """Raise an error if who asks may not plan this."""
    if site is None:
        if not authority.may_operate:
            raise NotAllowedError.because(OPERATORS, where="Maintenance")
        return
    if not authority.may(VIEW, site.uid):
        raise UnknownSiteError(NO_SITE)
    if not authority.may(OPERATE, site.uid):
        raise NotAllowedError.because(NEEDS_OPERATE, site=site.identifier)


def refuse_times(
    authority: Authority, site: ManagedSite | None, times: Times, now: datetime, *, has_begun: bool = False
) -> None:
    """Raise ConfigurationError for times that are not accepted, with all problems."""
    name = name_of(site)
    problems: list[Problem] = []
    longest = LONGEST if authority.may_operate else LONGEST_OF_SITE
    if not has_begun and times.since < now - timedelta(minutes=LATE):
        problems.append(Problem("Since", IS_PAST, name))
    if times.since > now + timedelta(days=FARTHEST):
        problems.append(Problem("Since", f"It must begin within {FARTHEST} days.", name))
    if times.till <= max(times.since, now):
        problems.append(Problem("Till", "It must be later than now, and than when it begins.", name))
    elif (times.till - times.since).total_seconds() > longest * DAY:
        problems.append(Problem("Till", f"It must last at most {longest} days.", name))
    if problems:
        raise ConfigurationError(problems)


def refuse_reason(site: ManagedSite | None, reason: str) -> None:
    """Raise ConfigurationError for a reason that is not accepted."""
    if not reason.strip():
        raise ConfigurationError.because(NO_REASON, where="Reason", site=name_of(site))
    if len(reason) > REASON_LENGTH:
        message = f"It has {len(reason)} characters; at most {REASON_LENGTH} are accepted."
        raise ConfigurationError.because(message, where="Reason", site=name_of(site))
    refuse_text(reason, "Reason")


def write_window(window: Maintenance, times: Times, reason: str) -> Maintenance:
    with connection.cursor() as cursor:
        values = [window.pk, window.site_id, times.since, times.till, reason, window.actor, window.is_of_operator]
        cursor.execute(SAVE_MAINTENANCE, values)
        if not cursor.fetchone()[0]:
            raise UnknownSiteError(NO_WINDOW)
    return Maintenance.objects.select_related("site").get(pk=window.pk)


def end_of(window: Maintenance) -> datetime:
    """Return when a window ends; raises ValueError for one of a record, of which nobody knows it."""
    if window.till is None:
        raise ValueError(window.pk)
    return window.till


def name_of(site: ManagedSite | None) -> str:
    return site.identifier if site else ""


def shown_times(window: Maintenance) -> str:
    since, till = (one.isoformat(timespec="seconds") for one in (window.since, end_of(window)))
    return f"{since} to {till}"


def log_window(
    authority: Authority, window: Maintenance, action: str, before: str | None, after: str | None, reason: str
) -> None:
    subject = window.site or Platform.objects.get(pk=1)
    log_change(
        authority,
        subject,
        action,
        [change_row("maintenance", before, after)],
        reason=reason,
        maintenance=str(window.pk),
    )

"""What sites have used in a month, summed over their nodes: for whoever bills them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Max, QuerySet, Sum

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.models import ManagedSite, SiteSize, Usage
from wagtail_multihost.spec.identifiers import shown

MONTH = r"20[0-9]{2}-(0[1-9]|1[0-2])"
NO_MONTH = "{given} is no month, such as 2026-11."


class SiteUsage(NamedTuple):
    """
    What a site has used: ``requests`` of visitors and ``bytes`` of the bodies of answers; the bytes of its ``database``
    and its ``storage``, as measured last; ``cpu_seconds`` and the most ``memory`` in bytes that its processes had on a
    node at a time. None: nobody counts it.
    """

    site: str
    uid: UUID
    requests: int
    bytes: int
    database: int | None
    storage: int | None
    cpu_seconds: float | None
    memory: int | None
    seen_at: datetime | None


def parse_month(text: str) -> date:
    """Return the first day of a month; raises ValueError."""
    if not re.fullmatch(MONTH, text):
        raise ValueError(NO_MONTH.format(given=shown(text)))
    return date.fromisoformat(f"{text}-01")


def sites_used(authority: Authority, month: date) -> QuerySet[ManagedSite]:
    """
    Return the sites that may be seen and of which something is known in a month, in the order of their uids; those that
    are retired too, which have used something before that.
    """
    sites = (
        ManagedSite.objects.all()
        if authority.visible is None
        else ManagedSite.objects.filter(uid__in=authority.visible)
    )
    counted = Usage.objects.filter(month=month).values("site")
    measured = SiteSize.objects.filter(month=month).values("site")
    return (sites.filter(uid__in=counted) | sites.filter(uid__in=measured)).order_by("uid").defer("record")


def read_usage(sites: QuerySet[ManagedSite], month: date) -> Iterator[SiteUsage]:
    """Yield what each of the sites has used in a month, in the order of the sites."""
    listed = [*sites]
    uids = [site.uid for site in listed]
    counted: dict[UUID, Any] = {
        row["site"]: row
        for row in Usage.objects.filter(month=month, site__in=uids)
        .order_by()
        .values("site")
        .annotate(
            all_requests=Sum("requests"),
            all_bytes=Sum("bytes"),
            all_cpu=Sum("cpu_seconds"),
            most_memory=Max("memory"),
            latest=Max("seen_at"),
        )
    }
    sizes = {row.site_id: row for row in SiteSize.objects.filter(month=month, site__in=uids)}
    for site in listed:
        row, size = counted.get(site.uid, {}), sizes.get(site.uid)
        yield SiteUsage(
            site.identifier,
            site.uid,
            int(row.get("all_requests") or 0),
            int(row.get("all_bytes") or 0),
            size.database if size else None,
            size.storage if size else None,
            row.get("all_cpu"),
            row.get("most_memory"),
            row.get("latest"),
        )

"""What sites have used in a month."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from wagtail_multihost.control.api.answers import answers
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.schemas import UID, WHEN
from wagtail_multihost.control.api.texts import Limit
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.usage import MONTH, parse_month, read_usage, sites_used

router = Router(tags=["Usage"])
Month = Annotated[
    str,
    Query(pattern=rf"^({MONTH})?$", description="A month in UTC; this one if none is stated.", examples=["2026-11"]),
]
AfterUid = Annotated[UUID | None, Query(description="The uid that the page before ended with.")]


class UsageOut(Schema):
    """What a site has used, summed over its nodes; null: nobody counts it."""

    site: str = Field(description="The id of the site, which may be retired.", examples=["aurora"])
    uid: UUID = Field(examples=[UID])
    requests: int = Field(description="Of visitors, as the access logs have them.")
    bytes: int = Field(description="Of the bodies of the answers.")
    database: int | None = Field(description="The size of its database in bytes, as measured last in the month.")
    storage: int | None = Field(description="The size of its files in bytes, as measured last in the month.")
    cpu_seconds: float | None = Field(description="Of its processes, where they have systemd units of their own.")
    memory: int | None = Field(description="The most that its processes had on a node at a time, in bytes.")
    seen_at: datetime | None = Field(description="When a node told of it last.", examples=[WHEN])


class UsagePage(Schema):
    """What sites have used in a month, in the order of their uids."""

    month: str = Field(examples=["2026-11"])
    sites: list[UsageOut]
    next: UUID | None = Field(description="Give it as `after` for the next page; null on the last.")


@router.get("/usage", operation_id="list_usage", summary="List what sites have used", response=answers(UsagePage))
def list_usage(request: HttpRequest, month: Month = "", after: AfterUid = None, limit: Limit = 100) -> UsagePage:
    """Of each site of which something is known in that month, also of those that were retired since."""
    stated = month or f"{database_time():%Y-%m}"
    day = parse_month(stated)
    sites = sites_used(authority_in(request), day)
    if after is not None:
        sites = sites.filter(uid__gt=after)
    rows = [*read_usage(sites[: limit + 1], day)]
    return UsagePage(
        month=stated,
        sites=[UsageOut(**row._asdict()) for row in rows[:limit]],
        next=rows[limit - 1].uid if len(rows) > limit else None,
    )

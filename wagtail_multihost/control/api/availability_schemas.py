"""What goes in and out about availability and maintenance, as the OpenAPI document states it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from wagtail_multihost.control.api.schemas import UID, WHEN, WHO, Body, Revision
from wagtail_multihost.control.api.texts import IdText
from wagtail_multihost.control.changes import REASON_LENGTH

#: As those of ``nodeapi.probe_states`` are but up, which a test compares.
PeriodState = Literal["down", "wrong-site", "maintenance", "suspended", "unknown"]
Why = Annotated[
    str, Field(min_length=1, max_length=REASON_LENGTH, description="Why, for those who see the site's history.")
]
#: A body is strict, and JSON has no type for points in time.
Moment = Annotated[datetime, Field(strict=False, examples=[WHEN])]


class WindowOut(Schema):
    """How long a site was up in a window of time, in seconds."""

    window: str = Field(description="Its length, as it was asked for.", examples=["30d"])
    since: datetime = Field(description="When it begins.", examples=[WHEN])
    up: float
    down: float
    maintenance: float = Field(description="Left out of the share.")
    unknown: float = Field(description="Nobody observed it then.")
    share: float | None = Field(
        description="up / (up + down); null if it was not observed. It says nothing of the unknown time.",
        examples=[0.9998],
    )
    text: str = Field(description="The share in words, never rounded up.", examples=["99.98 %, 2.1 % not observed"])
    seen_from: Literal["outside", "inside", ""] = Field(
        description="Who looked: the monitor outside, or the nodes; blank if nobody did."
    )


class AvailabilityOut(Schema):
    """How long a site was up: its canonical hostname, since it has that."""

    at: datetime = Field(description="The time of this answer, by the database's clock.", examples=[WHEN])
    windows: list[WindowOut]


class PeriodOut(Schema):
    """A time in which a hostname was not up, as seen from a place."""

    hostname: str = Field(examples=["www.aurora.example"])
    place: str = Field(description="outside, or the id of a node.", examples=["outside"])
    state: PeriodState
    code: int = Field(description="The status of the answer; 0 if there was none.", examples=[502])
    reason: str = Field(description="A word of a closed list.", examples=["status"])
    since: datetime = Field(examples=[WHEN])
    till: datetime | None = Field(description="null: it still lasts.", examples=[WHEN])


class MaintenanceOut(Schema):
    """A time in which a site, or without one every site, need not answer."""

    id: UUID = Field(examples=[UID])
    site: str | None = Field(examples=["aurora"])
    since: datetime = Field(examples=[WHEN])
    till: datetime | None = Field(description="null while a record says so.", examples=[WHEN])
    reason: str = Field(description="Of a record: maintenance, suspended or disabled.", examples=["new hardware"])
    actor: str = Field(description=WHO, examples=["user:17"])
    of_record: bool = Field(description="Whether the site's own record said so.")


class PeriodList(Schema):
    """What the hostnames of a site were but up, and its maintenance, the latest first."""

    at: datetime = Field(description="The time of this answer, by the database's clock.", examples=[WHEN])
    periods: list[PeriodOut]
    maintenance: list[MaintenanceOut]


class MaintenanceList(Schema):
    """The maintenance that is not over, in the order in which it begins."""

    maintenance: list[MaintenanceOut]


class MaintenanceBody(Body):
    """From when to when a site, or without one every site, need not answer, and why."""

    site: IdText | None = None
    since: Moment | None = Field(None, description="Now, if it is left out.")
    till: Moment
    reason: Why


class MaintenancePatch(Body):
    """What changes of maintenance: what is left out stays as it is."""

    since: Moment | None = None
    till: Moment | None = None
    reason: Why | None = None


class MaintenanceChanged(Schema):
    """Maintenance as it is now, or was. It is no part of the registry: its revision stays."""

    revision: Revision
    maintenance: MaintenanceOut

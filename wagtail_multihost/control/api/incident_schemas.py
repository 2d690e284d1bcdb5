"""What goes in and out about incidents, silences and recipients, as the OpenAPI document states it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from ninja import Schema
from pydantic import Field

from wagtail_multihost.control.api.schemas import UID, WHEN, WHO, Body, Revision
from wagtail_multihost.control.api.texts import IdText, Reason
from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.control.recipients import MOST_SITES
from wagtail_multihost.control.silences import LONGEST
from wagtail_multihost.nodeapi.incident_words import KINDS
from wagtail_multihost.spec.identifiers import SITE_ID_LENGTH

Kind = Annotated[str, Field(description=f"One of {', '.join(KINDS)}.", examples=["site-down"])]


class IncidentOut(Schema):
    """Something that is, or was, wrong."""

    id: UUID = Field(examples=[UID])
    kind: Kind
    cause: str = Field(description="What is wrong: the site, or what sites share.", examples=["database"])
    subject: str = Field(description="Which server, node or site it is; blank where that is for operators.")
    site: str | None = Field(description="The site, of an incident of one alone.", examples=["aurora"])
    since: datetime = Field(examples=[WHEN])
    till: datetime | None = Field(description="When it was over; null while it lasts.")
    summary: str = Field(examples=["aurora is down. The connection was refused."])
    count: int = Field(description="So many sites were concerned at most; for operators.", examples=[1])
    is_silenced: bool = Field(description="Whether the site, the node or everything is silenced now.")


class IncidentHostnameOut(Schema):
    """A hostname that an incident concerns."""

    hostname: str = Field(examples=["www.aurora.example"])
    site: str = Field(examples=["aurora"])
    place: str = Field(description="Where it was seen from: outside, inside, or for operators a node.")
    state: str = Field(examples=["down"])
    reason: str = Field(examples=["timeout"])
    code: int | None = Field(description="The status of the answer, if there was one.")
    is_over: bool = Field(description="Whether it is good again.")


class IncidentLineOut(Schema):
    """What has happened in an incident, or was done about it."""

    at: datetime = Field(examples=[WHEN])
    kind: str = Field(examples=["healed"])
    text: str


class IncidentDetails(IncidentOut):
    """An incident with what it concerns, and what has happened."""

    hostnames: list[IncidentHostnameOut] = Field(description="At most 500, those that are bad first.")
    lines: list[IncidentLineOut]


class IncidentPage(Schema):
    """Incidents, the latest first."""

    incidents: list[IncidentOut]
    next: str | None = Field(description="What to state as `before` for those before; null if there are none.")


class SilenceBody(Body):
    """What is silenced, for how many seconds, and why: a site, a node, or everything."""

    site: IdText | None = None
    node: Annotated[str, Field(max_length=SITE_ID_LENGTH, description="The id of a node.")] | None = None
    everything: bool = False
    seconds: Annotated[int, Field(ge=1, le=LONGEST, description="From now; at most a week, if no operator.")]
    reason: Annotated[
        str, Field(min_length=1, max_length=REASON_LENGTH, description="Why, for those who find it silenced.")
    ]


class SilenceOut(Schema):
    """A silence; without a site and a node, of everything."""

    id: UUID
    site: str | None = Field(examples=["aurora"])
    node: str | None = Field(examples=["web1"])
    reason: str
    actor: str = Field(description=WHO, examples=["user:17"])
    since: datetime = Field(examples=[WHEN])
    until: datetime = Field(examples=[WHEN])


class SilenceChanged(Schema):
    """A silence that was made or ended. It is no part of the registry: its revision stays."""

    revision: Revision
    silence: SilenceOut


class SilenceList(Schema):
    """The silences that have not ended."""

    silences: list[SilenceOut]


class RecipientBody(Body):
    """Who is told of what."""

    sites: Annotated[list[IdText], Field(min_length=1, max_length=MOST_SITES)] | None = Field(
        None, description="The ids of the sites; null for all, and for nodes and processes too."
    )
    kinds: Annotated[list[Kind], Field(max_length=len(KINDS))] = Field(
        default_factory=list, description="Kinds of incidents; of all kinds if there is none."
    )
    is_active: bool = Field(True, description="Whether it is told.")
    reason: Reason = ""


class RecipientOut(Schema):
    """Someone who is told of incidents."""

    label: str = Field(description="By which the courier's file has the addresses.", examples=["on-call"])
    sites: list[str] | None = Field(description="The ids of the sites; null for all.", examples=[["aurora"]])
    kinds: list[str] = Field(examples=[["site-down"]])
    is_active: bool
    generation: int = Field(description="The number of its changes; the ETag.", examples=[3])
    made_at: datetime = Field(examples=[WHEN])
    known_at: datetime | None = Field(description="When the courier last had the label in its file; null for never.")
    waiting: int = Field(description="So many alerts wait to be sent.")
    sent_at: datetime | None = Field(description="When the last alert was sent.")
    problem: str = Field(description="Why the last alert did not arrive.")


class RecipientList(Schema):
    """All recipients."""

    recipients: list[RecipientOut]


class RecipientChanged(Schema):
    """A recipient as it is now. It is no part of the registry: its revision stays."""

    revision: Revision
    recipient: RecipientOut


class RecipientDeleted(Schema):
    """A recipient is gone. It was no part of the registry: its revision stays."""

    revision: Revision


class AlertOut(Schema):
    """A message to a recipient."""

    id: UUID = Field(examples=[UID])
    incident: UUID | None = Field(description="The incident; null of a test.", examples=[UID])
    word: str = Field(description="What was told: opened, changed, closed or test.", examples=["opened"])
    made_at: datetime = Field(examples=[WHEN])
    attempts: int
    due_at: datetime = Field(description="When it is sent, or was tried last.")
    sent_at: datetime | None
    ended_at: datetime | None = Field(description="When it was sent, or given up.")
    problem: str = Field(description="Why the last attempt failed.")


class AlertList(Schema):
    """The latest messages to a recipient first."""

    alerts: list[AlertOut]

"""What goes in and out, as the OpenAPI document states it. What goes in has no further keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from wagtail_multihost.control.api.texts import MOST, IdText, Reason
from wagtail_multihost.control.models import NOTE_LENGTH

SITE_RECORD = {"hostnames": ["www.aurora.example"], "aliases": ["aurora.example"], "labels": {"customer": "north"}}
UID = "6f1c2f0e-0b0e-4c59-9a5e-0d7c3f6f0001"
WHEN = "2026-11-28T22:04:11.203Z"
Record = Annotated[
    dict[str, Any],
    Field(
        description="The same table as [sites.ID] of a registry file, without the keys of nodes.",
        examples=[SITE_RECORD],
    ),
]
Patch = Annotated[
    dict[str, Any],
    Field(
        description="What changes of the record; null removes a key (RFC 7396).",
        examples=[{"admins": ["a@example.org"], "aliases": None}],
    ),
]
Revision = Annotated[int, Field(description="The revision that the registry has now.", examples=[4127])]
Generation = Annotated[int, Field(description="The number of changes of this record; the ETag.", examples=[3])]
Labels = Annotated[dict[str, Any], Field(examples=[{"customer": "north"}])]
WHO = "Who made it: a user, a token, or an operator of the machine, whose account only operators are told."
Role = Literal["hostname", "alias"]
#: As ACTIONS are, which a test compares.
Action = Literal["view", "change", "operate", "admin"]


class Body(Schema):
    # Strict: otherwise 0 would count as false, and true as 1.
    model_config = ConfigDict(extra="forbid", strict=True)


class RecordBody(Body):
    """A whole record."""

    record: Record
    reason: Reason = ""


class PatchBody(Body):
    """What changes of a record."""

    record: Patch
    reason: Reason = ""


class HostnameBody(Body):
    """
    What a name is for: a hostname redirects to the canonical one, which is the first; an alias is served as it is.
    """

    role: Role = "hostname"
    canonical: bool = Field(False, description="Make it the one that the other hostnames redirect to.")
    reason: Reason = ""


class CreateItem(Body):
    """A new site."""

    action: Literal["create"]
    id: IdText
    record: Record


Expected = Annotated[
    int | Literal["*"],
    Field(description="The generation that was read, or * for any.", examples=[3]),
]


class ReplaceItem(Body):
    """A new record of a site."""

    action: Literal["replace"]
    id: IdText
    generation: Expected
    record: Record


class PatchItem(Body):
    """A change of a site's record."""

    action: Literal["patch"]
    id: IdText
    generation: Expected
    record: Patch


class RetireItem(Body):
    """The end of a site."""

    action: Literal["retire"]
    id: IdText
    generation: Expected


class BatchBody(Body):
    """Changes that are made all, or none."""

    changes: list[Annotated[CreateItem | ReplaceItem | PatchItem | RetireItem, Field(discriminator="action")]] = Field(
        min_length=1,
        max_length=MOST,
        examples=[[{"action": "patch", "id": "aurora", "generation": "*", "record": {"labels": {"wave": "first"}}}]],
    )
    reason: Reason = ""
    confirmed: int | None = Field(
        None, ge=0, le=2**31 - 1, description="The number of sites that stop, where the answer asked for it."
    )


class GrantBody(Body):
    """What the people of a group may do; each action includes the ones before it."""

    action: Action
    reason: Reason = ""


class NoteBody(Body):
    """A note about a site."""

    text: Annotated[str, Field(min_length=1, max_length=NOTE_LENGTH, examples=["Moves in March."])]


class ProblemOut(Schema):
    """One problem."""

    site: str = Field(description="The id of the site; blank for what concerns none.", examples=["aurora"])
    key: str = Field(description="The key as people see it.", examples=["Site aurora: hostnames"])
    message: str = Field(examples=["It is missing: a site needs at least one hostname."])


class ProblemDetails(Schema):
    """Problem details (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["What was sent cannot be accepted; the errors say why."])
    errors: list[ProblemOut]


class HostnameOut(Schema):
    """A name that a site answers to."""

    name: str = Field(examples=["www.aurora.example"])
    role: Role
    verified_at: datetime | None = Field(description="When it was proven to belong to the site's people.")
    problem: str


class SiteSummary(Schema):
    """A site, without its record."""

    id: str = Field(examples=["aurora"])
    uid: UUID = Field(examples=[UID])
    enabled: bool
    state: str = Field(examples=["active"])
    generation: Generation
    labels: Labels
    created: datetime = Field(examples=[WHEN])
    hostnames: list[HostnameOut]


class SiteOut(SiteSummary):
    """A site."""

    record: dict[str, Any] = Field(
        description="Its record. What refers to a secret is masked for those who do not operate the platform; a mask "
        "that is sent back leaves the value as it is.",
        examples=[SITE_RECORD],
    )


class SitePage(Schema):
    """A page of the sites that may be seen."""

    sites: list[SiteSummary]
    next: str | None = Field(
        description="Give it as `after` for the next page; null on the last.", examples=["borealis"]
    )


class DifferenceOut(Schema):
    """A key before and after; null where it was not stated."""

    key: str = Field(examples=["hostnames"])
    before: Any = None
    after: Any = None


class ChangeOut(Schema):
    """What changed of a site, or (blank `id`) of the platform."""

    type: str = Field(examples=["site.changed"])
    id: str = Field(examples=["aurora"])
    uid: UUID | None = Field(examples=[UID])
    generation: Generation
    revision: int = Field(examples=[4127])
    differences: list[DifferenceOut]


class Changed(Schema):
    """What came of a change: no `changes` if it was so before."""

    revision: Revision
    dry_run: bool = Field(description="Whether nothing was written.")
    changes: list[ChangeOut]


class SiteChanged(Changed):
    """What came of a change of one site, and the site as it is now; null if it is retired, or not there yet."""

    site: SiteOut | None


class PlatformOut(Schema):
    """What all sites share."""

    generation: Generation
    record: dict[str, Any] = Field(description="The same table as [platform] of a registry file.")


class PlatformChanged(Changed):
    """What came of a change of the platform, and the platform as it is now."""

    platform: PlatformOut


class ChallengeOut(Schema):
    """What proves that a hostname belongs to the people of a site: the record, or the file."""

    record_name: str = Field(
        description="Blank if the hostname is too long for one.", examples=["_multihost-challenge.www.aurora.example"]
    )
    record_type: Literal["TXT"] = "TXT"
    record_value: str
    file_url: str = Field(examples=[f"http://www.aurora.example/.well-known/multihost-challenge/{UID}"])
    file_content: str
    requested_at: datetime
    wanted_at: datetime | None = Field(description="Since when a check is awaited; null if none is.")
    checked_at: datetime | None
    proven_at: datetime | None
    method: str
    problem: str


class HostnameState(Schema):
    """A hostname as a site has it, or wants it."""

    name: str = Field(examples=["www.aurora.example"])
    role: Role | None = Field(description="null if the site does not have it yet.")
    canonical: bool
    verified_at: datetime | None
    challenge: ChallengeOut | None = Field(
        description="For those who may change the site, where a proof was asked for."
    )


class EventOut(Schema):
    """A change that was made."""

    revision: int = Field(examples=[4127])
    type: str = Field(examples=["site.changed"])
    at: datetime = Field(examples=[WHEN])
    site: str | None = Field(description="The id that the site had; null for the platform.", examples=["aurora"])
    uid: UUID | None = Field(examples=[UID])
    generation: int | None = Field(examples=[3])
    actor: str = Field(description=WHO, examples=["user:17"])
    request: UUID
    metadata: dict[str, Any] = Field(examples=[{"changed": ["hostnames"], "reason": "a new name"}])


class EventPage(Schema):
    """Changes in their order, of what may be seen."""

    incarnation: UUID = Field(description="If it is another one, the database was restored: read everything again.")
    revision: Revision
    oldest: int = Field(description="The revision of the oldest event that is kept.")
    events: list[EventOut]
    next: int = Field(description="Give it as `after` the next time.", examples=[4127])


class GrantOut(Schema):
    """What the people of a group may do with a site."""

    group: int = Field(examples=[4])
    name: str = Field(examples=["People of the north"])
    action: Action


class GrantList(Schema):
    """All rights over a site."""

    grants: list[GrantOut]


class GrantChanged(Schema):
    """What came of it. Rights are no part of the registry: its revision stays."""

    revision: Revision
    changed: bool


class NoteOut(Schema):
    """A note about a site."""

    id: int
    author: str = Field(
        description="Who wrote it, as far as you may know; blank if they are not there any more.", examples=["ada"]
    )
    text: str = Field(examples=["Moves in March."])
    at: datetime = Field(examples=[WHEN])


class NotePage(Schema):
    """Notes, the latest first."""

    notes: list[NoteOut]
    next: int | None = Field(description="Give it as `before` for the next page; null on the last.")


class NoteAdded(NoteOut):
    """A note that was written. Notes are no part of the registry: its revision stays."""

    revision: Revision


class AuditOut(Schema):
    """An entry of the audit log."""

    id: int
    action: str = Field(examples=["site.changed"])
    at: datetime = Field(examples=[WHEN])
    label: str = Field(examples=["aurora"])
    uid: UUID | None = Field(examples=[UID])
    actor: str = Field(description=WHO, examples=["user:17"])
    revision: int | None
    reason: str
    changes: list[DifferenceOut]


class AuditPage(Schema):
    """Entries, the latest first."""

    entries: list[AuditOut]
    next: int | None = Field(description="Give it as `before` for the next page; null on the last.")

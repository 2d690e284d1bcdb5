"""What goes in and out, as the OpenAPI document states it. What goes in has no further keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from wagtail_multihost.control.api.texts import MOST, IdText, Reason
from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.control.holds import LONGEST
from wagtail_multihost.control.models import NOTE_LENGTH
from wagtail_multihost.spec.identifiers import SITE_ID_LENGTH

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


class JobBody(Body):
    """A wish that something is done for a site."""

    kind: Annotated[str, Field(max_length=40, description="One of the kinds.", examples=["reload-site"])]
    parameters: Annotated[dict[str, str], Field(max_length=20, examples=[{}])] = Field(default_factory=dict)
    node: IdText | None = Field(None, description="One node that has the site; without it, all of them.")
    reason: Reason = ""


class WebhookBody(Body):
    """An address that is told of events."""

    url: Annotated[str, Field(min_length=1, max_length=500, examples=["https://hooks.example.org/multihost"])]
    types: Annotated[list[Annotated[str, Field(min_length=1, max_length=40)]], Field(max_length=50)] = Field(
        default_factory=list,
        description="Of these types alone; of all events if there is none.",
        examples=[["site.changed"]],
    )
    is_active: bool = Field(True, description="Whether it is told. What happens while it is paused, it is told later.")
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
    wave: UUID | None = Field(
        None, description="The wave in which it goes to the nodes, one after the other; null if it goes to all at once."
    )
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


class ConditionOut(Schema):
    """What a node says of itself."""

    type: str = Field(examples=["Applied"])
    status: str = Field(examples=["False"])
    reason: str
    message: str
    since: str = Field(description="By the node's clock.", examples=[WHEN])
    revision: int


class NodeSyncOut(Schema):
    """Whether a node has the revision that was asked for."""

    id: str = Field(examples=["web1"])
    group: str = Field(examples=["web"])
    state: str = Field(examples=["active"])
    asked: bool = Field(description="Whether it counts: a node that joins, or drains, does not.")
    applied: int = Field(description="The revision that it has applied.", examples=[4127])
    seen_at: datetime | None = Field(description="When it said so; null if it never spoke.", examples=[WHEN])
    has_it: bool
    why: str = Field(description="Why it does not have it; blank if it does.")
    held_back: UUID | None = Field(description="The wave that has not reached it.")


class SyncOut(Schema):
    """Which nodes have a revision."""

    revision: int = Field(description="The one that was asked for.", examples=[4127])
    head: Revision
    at: datetime = Field(description="The time of this answer, by the database's clock.", examples=[WHEN])
    synced: bool = Field(
        description="Whether all active nodes have applied it, and were seen within 90 seconds; false if there is none."
    )
    nodes: list[NodeSyncOut]


class SiteOnNodeOut(NodeSyncOut):
    """A site on a node."""

    since: str = Field(
        description="Since when it is so, by the node's clock; blank if the node has not said.", examples=[WHEN]
    )
    refused: str = Field(
        description="Why the node does not accept the site's newest record, in its own words; for operators alone, as "
        "it may name other sites."
    )
    conditions: list[ConditionOut] = Field(description="What is wrong with the node; for operators alone.")


class SiteStatusOut(Schema):
    """A site on the nodes that have it."""

    revision: int = Field(description="The one that was asked for, or that of the site's last change.", examples=[4127])
    head: Revision
    at: datetime = Field(description="The time of this answer, by the database's clock.", examples=[WHEN])
    synced: bool = Field(description="Whether all active nodes that have the site have that revision of it.")
    nodes: list[SiteOnNodeOut]


class WaveOut(Schema):
    """A change that nodes get one after the other."""

    id: UUID = Field(examples=[UID])
    revision: int = Field(description="That of the change.", examples=[4127])
    actor: str = Field(description=WHO, examples=["user:17"])
    changed_at: datetime | None = Field(examples=[WHEN])
    state: str = Field(description="running, stopped or done.", examples=["stopped"])
    stage: int = Field(description="0: one node, 1: a tenth of them, 2: the rest.", examples=[0])
    stage_at: datetime = Field(examples=[WHEN])
    bake_seconds: int = Field(description="How long a stage lasts once its nodes have applied the change.")
    reason: str = Field(description="Why it stopped, or how it was ended.", examples=["web1: aurora"])
    platform: bool = Field(description="Whether it holds the platform's record back, or did.")
    sites: list[str] = Field(description="The sites whose records it holds back, or did until it was done.")
    admitted: list[str] = Field(description="The nodes whose turn has come.")


class WaveList(Schema):
    """The last waves, the latest first."""

    waves: list[WaveOut]


class WaveBody(Body):
    """Why."""

    reason: Reason = ""


class WaveChanged(Schema):
    """What became of a wave."""

    revision: Revision
    waves: list[WaveOut]


class ParameterOut(Schema):
    """What a kind of job needs to know."""

    name: str = Field(examples=["email"])
    meaning: str


class JobKindOut(Schema):
    """Something that can be asked for."""

    name: str = Field(examples=["reload-site"])
    meaning: str
    runner: Literal["node", "operator", "courier"]
    right: Action
    for_operators: bool
    on_each: bool = Field(description="Whether it is done on each node that has the site, or by one of them.")
    seconds: int = Field(description="How long it may take from the wish on.")
    parameters: list[ParameterOut]


class JobKindList(Schema):
    """All kinds of jobs."""

    kinds: list[JobKindOut]


class JobOut(Schema):
    """A job: who asked for what, and how it goes."""

    id: UUID = Field(examples=[UID])
    request: UUID = Field(description="The same for all jobs of one wish.", examples=[UID])
    kind: str = Field(examples=["reload-site"])
    site: str | None = Field(examples=["aurora"])
    node: str | None = Field(description="null where any node that has the site may do it.", examples=["web1"])
    parameters: dict[str, str] | None = Field(description="null for those who could not ask for the job.")
    actor: str = Field(description=WHO, examples=["user:17"])
    wanted_at: datetime = Field(examples=[WHEN])
    deadline: datetime = Field(examples=[WHEN])
    state: Literal["waiting", "taken", "ended", "failed", "cancelled"]
    holder: str = Field(description="Who has taken it, a machine and a process; for operators alone.")
    attempts: int = Field(description="How often it was taken.")
    progress: str
    log: str | None = Field(description="null for those who could not ask for the job, and in lists.")
    problem: str = Field(description="Why it failed.")
    ended_at: datetime | None


class JobPage(Schema):
    """Jobs, the latest first."""

    jobs: list[JobOut]
    next: UUID | None = Field(description="Give it as `before` for the next page; null on the last.")


class JobsWanted(Schema):
    """What came of a wish: the jobs that carry it out. They are no part of the registry: its revision stays."""

    revision: Revision
    changed: bool = Field(description="Whether any of the jobs is new.")
    jobs: list[JobOut]


class JobChanged(Schema):
    """A job that was cancelled."""

    revision: Revision
    job: JobOut


class WebhookOut(Schema):
    """An address that is told of events."""

    id: UUID = Field(examples=[UID])
    url: str = Field(examples=["https://hooks.example.org/multihost"])
    types: list[str] = Field(examples=[["site.changed"]])
    is_active: bool
    generation: int = Field(description="The number of its changes; the ETag.", examples=[3])
    problem: str = Field(description="Why nothing is sent any more, or what was never sent.")
    made_at: datetime = Field(examples=[WHEN])
    queued: int = Field(description="Events up to this revision were looked at.", examples=[4127])
    waiting: int = Field(description="So many events wait to be sent.")
    arrived_at: datetime | None = Field(description="When the last message arrived.")


class WebhookList(Schema):
    """All webhooks."""

    webhooks: list[WebhookOut]


class WebhookKeyOut(Schema):
    """A public key that a courier signs messages to webhooks with."""

    public_key: str = Field(examples=["whpk_PcCTE1aDHTpXfXKKyUDS3i7xTnEmWYWh3vSV8O2NNv4="])
    seen_at: datetime = Field(description="When a courier said that last.", examples=[WHEN])


class WebhookKeyList(Schema):
    """The public keys of couriers, the one of the latest first."""

    keys: list[WebhookKeyOut]


class WebhookChanged(Schema):
    """A webhook as it is now. It is no part of the registry: its revision stays."""

    revision: Revision
    webhook: WebhookOut


class WebhookDeleted(Schema):
    """A webhook is gone. It was no part of the registry: its revision stays."""

    revision: Revision


class DeliveryOut(Schema):
    """A message to a webhook."""

    id: UUID = Field(description="The `webhook-id` of the message.", examples=[UID])
    revision: int = Field(description="That of the event; 0 for a test.", examples=[4127])
    attempts: int
    due_at: datetime = Field(description="When it is sent, or was tried last.")
    delivered_at: datetime | None
    problem: str = Field(description="Why the last attempt failed.")


class DeliveryPage(Schema):
    """Messages, the latest events first."""

    deliveries: list[DeliveryOut]
    next: int | None = Field(description="Give it as `before` for the next page; null on the last.")


class TestSent(Schema):
    """A test that the courier sends."""

    revision: Revision
    delivery: DeliveryOut


class HoldBody(Body):
    """What is held, for how many seconds, and why: a site, a node, or everything."""

    site: IdText | None = None
    node: Annotated[str, Field(max_length=SITE_ID_LENGTH, description="The id of a node.")] | None = None
    everything: bool = False
    seconds: Annotated[int, Field(ge=1, le=LONGEST, description="From now; of a site, at most a day, if no operator.")]
    reason: Annotated[
        str, Field(min_length=1, max_length=REASON_LENGTH, description="Why, for those who find it held.")
    ]


class HoldOut(Schema):
    """A hold; without a site and a node, of everything."""

    id: UUID
    site: str | None = Field(examples=["aurora"])
    node: str | None = Field(examples=["web1"])
    reason: str
    actor: str = Field(description=WHO, examples=["user:17"])
    since: datetime = Field(examples=[WHEN])
    until: datetime = Field(examples=[WHEN])


class HoldChanged(Schema):
    """A hold that was made or ended. It is no part of the registry: its revision stays."""

    revision: Revision
    hold: HoldOut


class HoldList(Schema):
    """The holds that have not ended."""

    holds: list[HoldOut]

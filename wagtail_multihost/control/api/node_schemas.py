"""What goes in and out about nodes, groups, placements, plans and findings, as the OpenAPI document states it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from wagtail_multihost.control.api.schemas import UID, WHEN, Body, Revision
from wagtail_multihost.control.api.texts import Reason
from wagtail_multihost.control.node_rules import MOST_WEIGHT
from wagtail_multihost.control.placing.plans import AT_ONCE, MOST_AT_ONCE
from wagtail_multihost.control.placing.proposals import MOST_MOVES
from wagtail_multihost.spec.identifiers import NODE_LENGTH
from wagtail_multihost.spec.site import MOST_REPLICAS

Holds = Literal["all", "placed", "front"]
NodeState = Literal["joining", "active", "draining", "away"]
PlanKind = Literal["fill", "rebalance", "drain"]
PlanState = Literal["proposed", "running", "stopped", "done", "cancelled"]
MoveState = Literal["waiting", "placing", "switching", "removing", "done", "skipped"]
Severity = Literal["critical", "warning", "notice"]
Subject = Literal["site", "node", "group", "fleet"]
MOST_LIMIT = 100_000
Group = Annotated[str, Field(max_length=NODE_LENGTH, description="The id of its group.", examples=["web"])]
Address = Annotated[
    str,
    Field(
        max_length=270,
        description="Where front servers ask it; blank if clients do, or it is a front server.",
        examples=["10.0.0.5:8080"],
    ),
]
Zone = Annotated[str, Field(max_length=NODE_LENGTH, description="Replicas are spread over zones.", examples=["north"])]
Weight = Annotated[int, Field(ge=0, le=MOST_WEIGHT, description="Its share of the sites; 0: no new ones.")]
Replicas = Annotated[int, Field(ge=1, le=MOST_REPLICAS, description="On how many nodes a placed site is.")]
IsDefault = Annotated[bool, Field(description="Whether sites that name no group are placed in it.")]
HoldsText = Annotated[
    Holds, Field(description="What each node has: all sites, those placed on it, or none, as a front server.")
]


class NodeBody(Body):
    """A node, or what changes of it: what is left out stays as it is."""

    group: Group | None = None
    address: Address | None = None
    zone: Zone | None = None
    weight: Weight | None = None
    state: NodeState | None = None
    reason: Reason = ""


class GroupBody(Body):
    """A group of nodes, or what changes of it: what is left out stays as it is."""

    holds: HoldsText | None = None
    replicas: Replicas | None = None
    is_default: IsDefault | None = None
    reason: Reason = ""


class PlanBody(Body):
    """What is to be proposed."""

    kind: Annotated[PlanKind, Field(description="fill: missing replicas; rebalance: by weight; drain: empty a node.")]
    node: Annotated[str, Field(max_length=NODE_LENGTH, description="The node to drain.", examples=[""])] = ""
    limit: Annotated[
        int | None,
        Field(ge=1, le=MOST_LIMIT, description=f"So many moves at most; null: {MOST_MOVES} of a rebalance, else all."),
    ] = None
    most_at_once: Annotated[int, Field(ge=1, le=MOST_AT_ONCE, description="So many moves at a time.")] = AT_ONCE
    reason: Reason = ""


class GroupOut(Schema):
    """A group of nodes."""

    id: str = Field(examples=["web"])
    holds: Holds
    replicas: int
    is_default: bool
    revision: int = Field(description="That of its last change; the ETag.", examples=[4127])


class GroupList(Schema):
    """All groups."""

    groups: list[GroupOut]


class GroupChanged(Schema):
    """A group as it is now."""

    revision: Revision
    group: GroupOut


class ReportOut(Schema):
    """What a node said last."""

    applied: int = Field(description="The revision that it has applied.", examples=[4127])
    seen_at: datetime = Field(examples=[WHEN])
    version: str
    conditions: list[Any]
    sites: dict[str, Any] = Field(description="Why it does not serve the newest record of some sites.")


class NodeOut(Schema):
    """A node, and what it said last; null if it has said nothing yet."""

    id: str = Field(examples=["web1"])
    group: str = Field(examples=["web"])
    address: str
    zone: str
    weight: int
    state: NodeState
    is_transient: bool = Field(description="Whether it is forgotten once it has left.")
    joined_at: datetime = Field(examples=[WHEN])
    sites: int | None = Field(description="How many sites are placed on it; null if it holds all of them, or none.")
    revision: int = Field(description="That of its last change; the ETag.", examples=[4127])
    report: ReportOut | None


class NodeList(Schema):
    """All nodes."""

    nodes: list[NodeOut]


class NodeChanged(Schema):
    """A node as it is now."""

    revision: Revision
    node: NodeOut


class Removed(Schema):
    """It is removed."""

    revision: Revision


class Placed(Schema):
    """It is so now."""

    revision: Revision


class PlacementOut(Schema):
    """A site on a node."""

    site: str = Field(examples=["aurora"])
    uid: UUID = Field(examples=[UID])
    node: str = Field(examples=["web1"])
    is_serving: bool = Field(description="Whether the node has said that it serves it.")
    is_leaving: bool = Field(description="Whether it is asked no longer, although it still serves it.")
    is_gone: bool = Field(description="Whether the node is to remove it, and has not said that it has.")
    revision: int


class PlacementPage(Schema):
    """A page of placements, in the order of their sites."""

    placements: list[PlacementOut]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last.")


class MoveOut(Schema):
    """A move of a plan; a blank source or target adds a replica, or takes one away."""

    site: str = Field(examples=["aurora"])
    source: str
    target: str
    why: str
    state: MoveState
    at: datetime | None


class LeftOut(Schema):
    """A site that is not moved, and why."""

    site: str
    why: str


class PlanSummary(Schema):
    """A plan, without its moves."""

    id: UUID = Field(examples=[UID])
    kind: PlanKind
    node: str
    state: PlanState
    problem: str = Field(description="Why it has stopped.")
    actor: str
    reason: str
    made_at: datetime = Field(examples=[WHEN])
    based_on: int
    most_at_once: int
    applied_at: datetime | None
    ended_at: datetime | None


class PlanOut(PlanSummary):
    """A plan."""

    moves: list[MoveOut]
    left: list[LeftOut]


class PlanList(Schema):
    """Plans, the latest first."""

    plans: list[PlanSummary]


class PlanChanged(Schema):
    """A plan as it is now."""

    revision: Revision
    plan: PlanOut


class RepairOut(Schema):
    """What repairs it: a command for an operator, or a kind of job with its parameters; blank if neither does."""

    command: str
    job: str
    parameters: dict[str, str]


class FindingOut(Schema):
    """Something that is not as it should be."""

    subject: Subject
    name: str = Field(examples=["aurora"])
    uid: UUID | None
    kind: str = Field(examples=["one_replica"])
    severity: Severity
    reason: str
    since: datetime | None
    repair: RepairOut
    node: str
    seen_at: datetime | None = Field(description="When that was heard.")
    revision: int | None = Field(description="What the node had applied then, or what the site has.")


class FindingPage(Schema):
    """A page of the findings that may be seen, the worst first."""

    revision: Revision
    findings: list[FindingOut]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last.")

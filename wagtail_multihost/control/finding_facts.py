"""What findings are made from: rows, and what nodes have reported, which is believed of nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import F

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.models import Event, Hold, Node, NodeGroup, Placement, Plan, Platform, Wave
from wagtail_multihost.control.placing.wishes import Wish, read_wishes
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, AWAY, FRONT, PLAN_STOPPED, SILENT_AFTER, STOPPED, TRUE
from wagtail_multihost.spec.printing import escape_unprintable

#: Seconds that a change may take before it is a finding that it is not there.
GRACE = 30
MESSAGE_LENGTH = 300


class Condition(NamedTuple):
    """What a node says of itself; whatever it sends, these are texts of a bounded length, and a time or none."""

    is_true: bool
    message: str
    since: datetime | None


class NodeFacts(NamedTuple):
    """A node, what it has said, and whether it is heard; ``refused`` are its reasons by the ids of sites."""

    id: str
    group: str
    holds: str
    state: str
    is_heard: bool
    applied: int
    seen_at: datetime | None
    conditions: Mapping[str, Condition]
    refused: Mapping[str, str]
    duplicate_at: datetime | None
    unconfirmed: str

    @property
    def serves(self) -> bool:
        """Whether it is asked, and heard."""
        return self.state == ACTIVE and self.is_heard


class SiteFacts(NamedTuple):
    """A site, the revision of its last change, and whether it is to be served."""

    uid: UUID
    id: str
    revision: int
    enabled: bool


class PlacementFacts(NamedTuple):
    """Where a site is placed, whether it is served there, and the revision that the node must have applied for that."""

    node: str
    is_serving: bool
    revision: int


class Facts(NamedTuple):
    """Everything, of the sites that may be seen."""

    now: datetime
    sees_all: bool
    sites: list[SiteFacts]
    wishes: Mapping[UUID, Wish]
    nodes: Mapping[str, NodeFacts]
    groups: list[NodeGroup]
    placed: Mapping[UUID, list[PlacementFacts]]
    platform: int
    at: Mapping[int, datetime]
    holds: list[Hold]
    waves: list[Wave]
    plans: list[Plan]

    def is_late(self, revision: int) -> bool:
        """Return whether a change is so old that it should be everywhere; one whose event is pruned is."""
        return revision not in self.at or self.at[revision] < self.now - timedelta(seconds=GRACE)

    def has_site(self, node: NodeFacts, site: UUID) -> bool:
        """Return whether a node is to have a site."""
        return node.holds == ALL or any(one.node == node.id for one in self.placed.get(site, ()))

    @property
    def whole(self) -> list[NodeFacts]:
        """The nodes that hold all sites."""
        return [node for node in self.nodes.values() if node.holds == ALL and node.state != AWAY]


def read_facts(authority: Authority) -> Facts:
    """Return what is known of the sites that ``authority`` may see, and of the fleet."""
    with transaction.atomic():
        now = database_time()
        rows = visible_sites(authority).order_by("identifier")
        sites = [SiteFacts(*row) for row in rows.values_list("uid", "identifier", "revision", "enabled")]
        uids = [site.uid for site in sites]
        nodes = [node_facts(node, now) for node in Node.objects.select_related("group", "report", "identity")]
        # Each statement sees what was committed before it: of a node that has come since, the next look tells.
        placements = Placement.objects.filter(
            is_gone=False, site__in=uids, node__in=[node.id for node in nodes]
        ).values_list("site_id", "node_id", "is_serving", "revision")
        placed: dict[UUID, list[PlacementFacts]] = {}
        for uid, node, is_serving, revision in placements:
            placed.setdefault(uid, []).append(PlacementFacts(node, is_serving, revision))
        platform = Platform.objects.values_list("revision", flat=True).get(pk=1)
        revisions = missing_revisions(sites, nodes, placed, platform)
        return Facts(
            now,
            authority.sees_all,
            sites,
            {wish.uid: wish for wish in read_wishes(None if authority.sees_all else uids)},
            {node.id: node for node in nodes},
            list(NodeGroup.objects.all()),
            placed,
            platform,
            dict(Event.objects.filter(revision__in=revisions).values_list("revision", "at")),
            list(Hold.objects.filter(until__gt=now).select_related("site").order_by(F("until"))),
            list(Wave.objects.filter(state=STOPPED)),
            list(Plan.objects.filter(state=PLAN_STOPPED)),
        )


def missing_revisions(
    sites: Iterable[SiteFacts],
    nodes: Iterable[NodeFacts],
    placed: Mapping[UUID, list[PlacementFacts]],
    platform: int,
) -> set[int]:
    """Return the revisions that some node that is heard has not applied: of these it matters when they were."""
    applied = [node.applied for node in nodes if node.is_heard]
    least = min(applied, default=0)
    found = {site.revision for site in sites if site.revision > least}
    found |= {one.revision for rows in placed.values() for one in rows if one.revision > least or not one.is_serving}
    return found | {platform}


def node_facts(node: Node, now: datetime) -> NodeFacts:
    report, identity = getattr(node, "report", None), getattr(node, "identity", None)
    heard_at = report.seen_at if report else node.joined_at
    is_known = identity is None or identity.public_key is None or identity.proof or identity.confirmed_at
    return NodeFacts(
        node.pk,
        node.group_id,
        node.group.holds,
        node.state,
        heard_at > now - timedelta(seconds=SILENT_AFTER),
        report.applied if report else 0,
        report.seen_at if report else None,
        conditions_of(report.conditions) if report else {},
        refusals_of(report.sites) if report else {},
        report.duplicate_at if report else None,
        "" if is_known or identity is None else identity.fingerprint,
    )


def conditions_of(rows: Any) -> dict[str, Condition]:
    found = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("type"), str):
            found[row["type"]] = Condition(
                row.get("status") == TRUE, said(row.get("message")), time_of(row.get("since"))
            )
    return found


def refusals_of(sites: Any) -> dict[str, str]:
    return {site: said(why) for site, why in sites.items()} if isinstance(sites, dict) else {}


def said(text: object) -> str:
    return escape_unprintable(text)[:MESSAGE_LENGTH] if isinstance(text, str) else ""


def time_of(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def is_asked(node: NodeFacts) -> bool:
    """Return whether a node has sites, as front servers have not, and has not left."""
    return node.holds != FRONT and node.state != AWAY

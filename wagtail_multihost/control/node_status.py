"""
What nodes have, as they say themselves: which revision each has applied, when it said so, and what is wrong. A node's
words about other sites are for operators alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from wagtail_multihost.control.models import Head, ManagedSite, Node, Placement, Wave, WaveItem
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    ALL,
    APPLIED,
    AWAY,
    DONE,
    FRONT,
    PLACED,
    REST,
    SILENT_AFTER,
    SITE_REFUSED,
    TRUE,
)
from wagtail_multihost.spec.platform import HIGHEST_REVISION

#: Which conditions say that something is wrong, and when they do.
WRONG_UNLESS_TRUE = frozenset({APPLIED})
NEVER_SEEN = "It has never reported."
IS_SILENT = "It has said nothing for more than {seconds} seconds."
IS_BEHIND = "It has applied {applied}."
IS_HELD_BACK = "A wave has not reached it yet."
COULD_NOT_APPLY = "It could not apply the last change."
IS_REFUSED = "It does not accept the site's newest record, and keeps what it had."
NO_NODE = "No node that is active has it."
TEXT_KEYS = ("type", "status", "reason", "message", "since")


class NodeRow(NamedTuple):
    """
    A node. ``sites`` is how many are placed on it, None for those that hold all or none; ``conditions`` are what it
    says of itself (``wrong`` those that say that something is wrong); ``refused`` is why it does not accept some sites;
    ``held_back`` the wave that has not reached it. All that the node said was true at ``seen_at``, by the database's
    clock.
    """

    id: str
    group: str
    holds: str
    zone: str
    address: str
    weight: int
    state: str
    sites: int | None
    applied: int
    seen_at: datetime | None
    is_silent: bool
    version: str
    conditions: tuple[Mapping[str, Any], ...]
    refused: Mapping[str, str]
    is_duplicate: bool
    held_back: UUID | None

    @property
    def wrong(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(one for one in self.conditions if is_wrong(one))

    @property
    def is_asked(self) -> bool:
        """Whether it has to have a change before that is everywhere."""
        return self.state == ACTIVE


class NodeSync(NamedTuple):
    """Whether a node has what was asked for; ``why`` not."""

    node: NodeRow
    has_it: bool
    why: str = ""


class SyncStatus(NamedTuple):
    """
    Whether all active nodes have applied a ``revision``, and were seen lately. ``head`` is the registry's revision of
    that moment, ``at`` the time of the database.
    """

    revision: int
    head: int
    at: datetime
    synced: bool
    nodes: tuple[NodeSync, ...]


class SiteOnNode(NamedTuple):
    """
    A site on a node: ``applied`` is the node's revision, which it said at ``seen_at``; ``since`` when the site is as it
    is there. ``refused`` is the node's own word, which may name other sites.
    """

    node: NodeRow
    has_it: bool
    why: str
    since: str
    refused: str
    is_serving: bool


class SiteStatus(NamedTuple):
    """A site on the nodes that have it. It is ``synced`` once all active ones have its ``revision``."""

    site: ManagedSite
    revision: int
    head: int
    at: datetime
    synced: bool
    nodes: tuple[SiteOnNode, ...]


class WaveState(NamedTuple):
    """The wave that is not done, as far as a node's status needs it."""

    id: UUID
    admitted: Mapping[str, int]
    is_last_stage: bool
    first: int
    #: The placed sites that it holds back, and whether it is of all nodes.
    sites: frozenset[UUID]
    of_platform: bool

    def holds_back(self, node: Node, placed: frozenset[UUID]) -> bool:
        """Return whether a node has a former record; ``placed`` are the wave's sites that are placed on it."""
        if self.is_last_stage or node.pk in self.admitted or node.group.holds == FRONT:
            return False
        return self.of_platform or (bool(self.sites) if node.group.holds == ALL else bool(placed))

    def concerns(self, site: UUID) -> bool:
        return self.of_platform or site in self.sites

    def keeps_from(self, node: str, revision: int) -> bool:
        """Return whether a node that holds sites has not had its turn, of a change that ``revision`` has."""
        return not self.is_last_stage and node not in self.admitted and self.first <= revision


def node_rows() -> list[NodeRow]:
    """Return all nodes, in the order of their ids, by a number of queries that does not grow with them."""
    return rows_of_nodes(all_nodes(), open_wave())


def all_nodes() -> QuerySet[Node]:
    """Return all nodes with their groups and reports, the database's time, and what :func:`sites_on` counts."""
    return (
        Node.objects.select_related("group", "report")
        .annotate(
            asked_at=Now(),
            site_count=Count("placements", filter=Q(placements__is_gone=False, placements__site__retired_at=None)),
        )
        .order_by("pk")
    )


def sites_on(node: Any) -> int | None:
    """Return how many sites are placed on a node of ``all_nodes``; None for those that hold all or none."""
    return node.site_count if node.group.holds == PLACED else None


def open_wave() -> WaveState | None:
    wave = Wave.objects.exclude(state=DONE).first()
    if wave is None:
        return None
    items = list(WaveItem.objects.filter(wave=wave, is_current=True).values_list("site_id", "revision"))
    return WaveState(
        wave.pk,
        wave.admitted,
        wave.stage >= REST,
        min((revision for _, revision in items), default=wave.revision),
        frozenset(site for site, _ in items if site is not None),
        any(site is None for site, _ in items),
    )


def rows_of_nodes(nodes: Iterable[Any], wave: WaveState | None) -> list[NodeRow]:
    placed: dict[str, set[UUID]] = {}
    if wave is not None and wave.sites:
        found = Placement.objects.filter(site__in=wave.sites, is_gone=False).values_list("node_id", "site_id")
        for node, site in found:
            placed.setdefault(node, set()).add(site)
    return [row_of_node(node, wave, frozenset(placed.get(node.pk, ()))) for node in nodes]


def row_of_node(node: Any, wave: WaveState | None, placed: frozenset[UUID]) -> NodeRow:
    report = getattr(node, "report", None)
    seconds = (node.asked_at - report.seen_at).total_seconds() if report else None
    duplicate_at = report.duplicate_at if report else None
    is_duplicate = duplicate_at is not None and (node.asked_at - duplicate_at).total_seconds() < SILENT_AFTER
    return NodeRow(
        id=node.pk,
        group=node.group_id,
        holds=node.group.holds,
        zone=node.zone,
        address=node.address,
        weight=node.weight,
        state=node.state,
        sites=sites_on(node),
        applied=report.applied if report else 0,
        seen_at=report.seen_at if report else None,
        is_silent=seconds is None or seconds > SILENT_AFTER,
        version=report.version if report else "",
        conditions=tuple(conditions_in(report)),
        refused=refusals_in(report),
        is_duplicate=is_duplicate,
        held_back=wave.id if wave and wave.holds_back(node, placed) else None,
    )


def conditions_in(report: Any) -> list[dict[str, Any]]:
    """Return what a node says of itself; it may have written anything."""
    stated = report.conditions if report and isinstance(report.conditions, list) else []
    rows = [one for one in stated if isinstance(one, dict) and isinstance(one.get("type"), str)]
    return [{**{key: str(one.get(key) or "") for key in TEXT_KEYS}, "revision": revision_in(one)} for one in rows]


def revision_in(condition: Mapping[str, Any]) -> int:
    stated = condition.get("revision")
    return stated if isinstance(stated, int) and 0 <= stated <= HIGHEST_REVISION else 0


def refusals_in(report: Any) -> dict[str, str]:
    stated = report.sites if report and isinstance(report.sites, dict) else {}
    return {site: str(why) for site, why in stated.items()}


def is_wrong(condition: Mapping[str, Any]) -> bool:
    is_true = bool(condition["status"] == TRUE)
    return not is_true if condition["type"] in WRONG_UNLESS_TRUE else is_true


def sync_status(revision: int | None = None) -> SyncStatus:
    """Return which nodes have a revision, None for the registry's own."""
    head = Head.objects.annotate(asked_at=Now()).get(pk=1)
    wanted = head.revision if revision is None else revision
    wave, turns = open_wave(), turns_after(wanted)
    rows = [row for row in rows_of_nodes(all_nodes(), wave) if row.state != AWAY]
    nodes = tuple(sync_of_node(row, wanted, wave, turns) for row in rows)
    asked = [one for one in nodes if one.node.is_asked]
    return SyncStatus(wanted, head.revision, head.asked_at, bool(asked) and all(one.has_it for one in asked), nodes)


def turns_after(revision: int, site: UUID | None = None) -> dict[str, int]:
    """
    Return for nodes whose turn in a wave came after ``revision``, which was a part of it, the revision at which it did:
    what they applied before is the former record. With a ``site``, of waves that have it, or the platform.
    """
    waves = Wave.objects.filter(stage_revision__gt=revision)
    if site is None:
        waves = waves.filter(items__revision__lte=revision)
    else:
        waves = waves.filter(Q(items__site=site) | Q(items__site=None), items__revision__lte=revision)
    turns: dict[str, int] = {}
    for admitted in waves.distinct().values_list("admitted", flat=True):
        for node, turn in admitted.items():
            turns[node] = max(turn, turns.get(node, 0))
    return turns


def sync_of_node(row: NodeRow, revision: int, wave: WaveState | None, turns: Mapping[str, int]) -> NodeSync:
    is_held = wave is not None and row.held_back is not None and wave.first <= revision
    why = "; ".join(reasons_of(row, max(revision, turns.get(row.id, 0)), is_held=is_held))
    return NodeSync(row, not why, why)


def reasons_of(row: NodeRow, revision: int, *, is_held: bool) -> Iterable[str]:
    """Yield why a node does not have a revision; nothing if it has."""
    if row.seen_at is None:
        yield NEVER_SEEN
        return
    if row.is_silent:
        yield IS_SILENT.format(seconds=SILENT_AFTER)
    if row.applied < revision:
        yield IS_BEHIND.format(applied=row.applied)
        if any(one["type"] == APPLIED for one in row.wrong):
            yield COULD_NOT_APPLY
    elif is_held:
        yield IS_HELD_BACK


def site_status(site: ManagedSite, revision: int | None = None) -> SiteStatus:
    """Return how a site is on its nodes, and whether they have a ``revision``, None for that of its last change."""
    head = Head.objects.annotate(asked_at=Now()).get(pk=1)
    wanted = site.revision if revision is None else revision
    serving = dict(Placement.objects.filter(site=site, is_gone=False).values_list("node_id", "is_serving"))
    held = Q(group__holds=ALL) | Q(group__holds=PLACED, pk__in=list(serving))
    wave, turns = open_wave(), turns_after(wanted, site.uid)
    of_site = wave if wave and wave.concerns(site.uid) else None
    rows = rows_of_nodes(all_nodes().filter(held).exclude(state=AWAY), None)
    nodes = tuple(site_on_node(site, row, wanted, of_site, turns, serving) for row in rows)
    asked = [one for one in nodes if one.node.is_asked]
    synced = bool(asked) and all(one.has_it for one in asked)
    return SiteStatus(site, wanted, head.revision, head.asked_at, synced, nodes)


def site_on_node(
    site: ManagedSite,
    row: NodeRow,
    revision: int,
    wave: WaveState | None,
    turns: Mapping[str, int],
    serving: Mapping[str, bool],
) -> SiteOnNode:
    is_held = wave is not None and wave.keeps_from(row.id, revision)
    reasons = [*reasons_of(row, max(revision, turns.get(row.id, 0)), is_held=is_held)]
    refused = row.refused.get(site.identifier, "")
    if refused:
        reasons.append(IS_REFUSED)
    row = row._replace(held_back=wave.id if wave is not None and is_held else None)
    is_serving = serving.get(row.id, row.is_asked)
    return SiteOnNode(row, not reasons, "; ".join(reasons), since_of(row, bool(refused)), refused, is_serving)


def since_of(row: NodeRow, is_refused: bool) -> str:
    """Return since when the site is as it is on a node, as far as the node says."""
    wanted = SITE_REFUSED if is_refused else APPLIED
    return next((str(one["since"]) for one in row.conditions if one["type"] == wanted), "")

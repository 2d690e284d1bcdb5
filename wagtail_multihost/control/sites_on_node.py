"""The sites that one node has, and how each is there, in a number of queries that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from wagtail_multihost.control.models import ManagedSite, Node, Placement, Wave
from wagtail_multihost.control.node_status import IS_REFUSED, NodeRow, WaveState, reasons_of
from wagtail_multihost.nodeapi.node_states import ALL, PLACED


class Turn(NamedTuple):
    """
    When a node got a change of ``site`` in a wave, None for the platform: what it had applied before ``at`` was the
    former record. The change was made at ``revision``, and the wave's last stage began at ``stage_revision``.
    """

    at: int
    stage_revision: int
    site: UUID | None
    revision: int

    def counts_for(self, site: ManagedSite) -> bool:
        return self.site in (None, site.uid) and self.revision <= site.revision < self.stage_revision


class SiteHere(NamedTuple):
    """
    A site that a node has: ``why`` it does not have the site's newest record is blank if it has, and ``refused`` is the
    node's own word. ``placement`` is None where the node holds all sites.
    """

    site: ManagedSite
    why: str
    refused: str
    placement: Placement | None


def sites_of_node(node: Node) -> QuerySet[ManagedSite]:
    """Return the sites that a node has, in the order of their ids, also those that it is to remove."""
    sites = ManagedSite.objects.filter(retired_at=None).defer("record").order_by("identifier")
    if node.group.holds == ALL:
        return sites
    return sites.filter(placements__node=node) if node.group.holds == PLACED else sites.none()


def sites_here(row: NodeRow, sites: Sequence[ManagedSite], wave: WaveState | None) -> list[SiteHere]:
    """Return how ``sites`` are on a node; ``wave`` is the one that is not done."""
    placements = {one.site_id: one for one in Placement.objects.filter(node=row.id, site__in=sites)}
    turns = turns_of_node(row.id, sites)
    return [site_here(row, site, wave, turns, placements.get(site.uid)) for site in sites]


def site_here(
    row: NodeRow, site: ManagedSite, wave: WaveState | None, turns: Iterable[Turn], placement: Placement | None
) -> SiteHere:
    is_held = wave is not None and wave.concerns(site.uid) and wave.keeps_from(row.id, site.revision)
    wanted = max([site.revision, *(turn.at for turn in turns if turn.counts_for(site))])
    reasons = list(reasons_of(row, wanted, is_held=is_held))
    refused = row.refused.get(site.identifier, "")
    if refused:
        reasons.append(IS_REFUSED)
    return SiteHere(site, "; ".join(reasons), refused, placement)


def turns_of_node(node: str, sites: Sequence[ManagedSite]) -> list[Turn]:
    """Return the turns of a node in waves that had one of ``sites``, or the platform."""
    oldest = min((site.revision for site in sites), default=0)
    waves = Wave.objects.filter(
        Q(items__site__in=sites) | Q(items__site=None),
        items__isnull=False,
        stage_revision__gt=oldest,
        admitted__has_key=node,
    )
    rows = waves.values_list("admitted", "stage_revision", "items__site", "items__revision")
    return [Turn(admitted[node], stage, site, revision) for admitted, stage, site, revision in rows]

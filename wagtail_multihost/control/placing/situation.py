"""What placement is decided from, read at one moment: sites' wishes, nodes, what is placed, and holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from wagtail_multihost.control.models import Head, Hold, Node, NodeGroup, Placement
from wagtail_multihost.control.placing.wishes import Wish, read_candidates, read_wishes
from wagtail_multihost.nodeapi.node_states import AWAY
from wagtail_multihost.nodeapi.rendezvous import Candidate


class Situation(NamedTuple):
    """
    The ``nodes`` by id with the ``groups`` of each, the ``candidates`` for more sites by group, and by site the nodes
    that it is ``placed`` on; one that is away counts no more. ``held`` says whom holds are of: sites, nodes, all.
    """

    revision: int
    wishes: list[Wish]
    nodes: Mapping[str, Candidate]
    groups: Mapping[str, str]
    candidates: Mapping[str, list[Candidate]]
    placed: Mapping[UUID, tuple[str, ...]]
    away: Mapping[UUID, tuple[str, ...]]
    held: tuple[tuple[UUID | None, str | None], ...]

    def is_held(self, site: UUID, *nodes: str) -> bool:
        """Return whether a hold is of a site, of one of the nodes, or of everything."""
        return any(one in (None, site) and (node is None or node in nodes) for one, node in self.held)


def read_situation(now: datetime) -> Situation:
    """Return it in a constant number of queries; ``now`` is the database's time."""
    with transaction.atomic():
        revision = Head.objects.get(pk=1).revision
        rows = list(Node.objects.all())
        placed: dict[UUID, list[str]] = {}
        away: dict[UUID, list[str]] = {}
        gone = {row.pk for row in rows if row.state == AWAY}
        found = Placement.objects.filter(is_gone=False, site__retired_at=None).order_by("node")
        for node, site in found.values_list("node_id", "site_id"):
            (away if node in gone else placed).setdefault(site, []).append(node)
        holds = Hold.objects.filter(until__gt=now).values_list("site_id", "node_id")
        return Situation(
            revision,
            read_wishes(),
            {row.pk: Candidate(row.pk, row.zone, row.weight) for row in rows},
            {row.pk: row.group_id for row in rows},
            read_candidates(),
            {site: tuple(nodes) for site, nodes in placed.items()},
            {site: tuple(nodes) for site, nodes in away.items()},
            tuple(holds),
        )


def has_changed_since(revision: int) -> bool:
    """Return whether a node, a group or a placement was changed after a revision."""
    return any(model.objects.filter(revision__gt=revision).exists() for model in (Node, NodeGroup, Placement))

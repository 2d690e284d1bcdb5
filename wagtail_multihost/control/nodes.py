"""
Writing nodes, their groups and what is placed on them: part of the registry, so the head is locked first and each
change has an event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import connection, transaction

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.models import ManagedSite, Node, NodeGroup, Placement
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.node_states import ALL

OPERATORS = "Only an operator of the platform may change nodes, and what is placed on them."
GROUP_CHANGED, NODE_CHANGED, PLACEMENT_CHANGED = "group.changed", "node.changed", "placement.changed"


def refuse_others(authority: Authority) -> None:
    if not authority.may_operate:
        raise ConfigurationError.because(OPERATORS, where="Nodes")


def record_event(
    authority: Authority, kind: str, metadata: Mapping[str, object], site: str = "", uid: UUID | None = None
) -> int:
    """Write an event for the next revision, in the transaction that has locked the head; return the revision."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT control_record_event(%s, %s, %s, %s, %s)",
            [kind, site, uid, authority.actor, json.dumps(metadata)],
        )
        return int(cursor.fetchone()[0])


def save_group(authority: Authority, identifier: str, holds: str = ALL, replicas: int = 2) -> NodeGroup:
    """Make a group of nodes, or change it."""
    refuse_others(authority)
    with transaction.atomic():
        lock_head()
        record_event(authority, GROUP_CHANGED, {"group": identifier})
        group, _ = NodeGroup.objects.update_or_create(pk=identifier, defaults={"holds": holds, "replicas": replicas})
    return group


def save_node(authority: Authority, identifier: str, group: str, **values: object) -> Node:
    """Make a node, or change what ``values`` states of it: address, zone, weight, state."""
    refuse_others(authority)
    with transaction.atomic():
        lock = lock_head()
        revision = record_event(authority, NODE_CHANGED, {"node": identifier, "group": group})
        node, _ = Node.objects.update_or_create(
            pk=identifier,
            defaults={**values, "group_id": group, "revision": revision},
            create_defaults={**values, "group_id": group, "revision": revision, "joined_at": lock.now},
        )
    return node


def place_sites(authority: Authority, node: str, sites: Iterable[ManagedSite]) -> None:
    """Place sites on a node of a group that holds placed ones."""
    refuse_others(authority)
    with transaction.atomic():
        lock_head()
        for site in sites:
            revision = record_event(authority, PLACEMENT_CHANGED, {"node": node}, site.identifier, site.uid)
            Placement.objects.update_or_create(
                node_id=node, site=site, defaults={"revision": revision, "is_gone": False, "is_serving": False}
            )


def displace_sites(authority: Authority, node: str, sites: Iterable[ManagedSite]) -> None:
    """Take sites from a node. Their placements stay, as what tells the node to remove its files, until it has."""
    refuse_others(authority)
    with transaction.atomic():
        lock_head()
        for site in sites:
            revision = record_event(
                authority, PLACEMENT_CHANGED, {"node": node, "gone": True}, site.identifier, site.uid
            )
            Placement.objects.filter(node_id=node, site=site).update(revision=revision, is_gone=True, is_serving=False)

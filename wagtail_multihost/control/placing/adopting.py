"""
One step from a registry file's ``nodes`` to nodes and placements of the fleet. Records keep their own ``nodes``:
readers that are not managed nodes go by these, as before, and managed nodes never look at them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import transaction

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.models import ManagedSite, Node, NodeGroup, Placement, Platform
from wagtail_multihost.control.nodes import place_sites, refuse_others, save_group, save_node
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.node_states import ALL, PLACED

NO_NODES = "The platform's record has no nodes."


def adoption_hints(platform: Mapping[str, Any]) -> list[str]:
    """Return what to say of an imported platform that has nodes which the fleet does not have yet."""
    known = set(Node.objects.values_list("pk", flat=True))
    missing = sorted(set(platform.get("nodes", {})) - known)
    if not missing:
        return []
    return [
        f"The file states {len(missing)} nodes that the fleet does not have. Readers that no fleet manages go by the "
        "records, as before. For managed nodes, after the import: manage.py multihost_place adopt GROUP"
    ]


class Adopted(NamedTuple):
    """What was made of the records: the ``group``, and how many nodes and placements are new."""

    group: str
    nodes: int
    placements: int


def adopt_records(authority: Authority, group: str) -> Adopted:
    """
    Make the nodes that the platform's record states, in one ``group``, and place each site on those that its record
    states. Where every site is on all of them, the group holds all sites, and nothing has to be placed. What is there
    already stays as it is, so that the same again makes nothing. Raises ConfigurationError and NotAllowedError.
    """
    refuse_others(authority)
    with transaction.atomic():
        lock_head()
        addresses: dict[str, str] = Platform.objects.get(pk=1).record.get("nodes", {})
        if not addresses:
            raise ConfigurationError.because(NO_NODES, where="Platform: nodes")
        sites = list(ManagedSite.objects.filter(retired_at=None).order_by("identifier"))
        wanted = {site: tuple(site.record.get("nodes") or addresses) for site in sites}
        counts = Counter(len(nodes) for nodes in wanted.values())
        is_placed = any(set(nodes) != set(addresses) for nodes in wanted.values())
        known = NodeGroup.objects.filter(pk=group).first()
        if known is None:
            # Of a group that holds all sites the number says nothing.
            replicas = counts.most_common(1)[0][0] if is_placed else None
            known = save_group(authority, group, PLACED if is_placed else ALL, replicas)
        there = set(Node.objects.values_list("pk", flat=True))
        new = [node for node in addresses if node not in there]
        for node in new:
            save_node(authority, node, group, address=addresses[node])
        placed = set(Placement.objects.values_list("node_id", "site_id"))
        count = 0
        for node in addresses if known.holds == PLACED else ():
            chosen = [site for site in sites if node in wanted[site] and (node, site.uid) not in placed]
            place_sites(authority, node, chosen)
            count += len(chosen)
    return Adopted(group, len(new), count)

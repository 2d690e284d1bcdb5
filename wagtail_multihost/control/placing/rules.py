"""What a record may say of its site's placement. The readers of records know nothing of a fleet's groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wagtail_multihost.control.models import NodeGroup
from wagtail_multihost.exceptions import Problem
from wagtail_multihost.nodeapi.node_states import PLACED
from wagtail_multihost.registry.nodes import local_parts
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec


def replica_problems(site: SiteSpec) -> Iterator[Problem]:
    """Yield a problem for each part that a site of two or more replicas would have on each node separately."""
    if site.replicas is None or site.replicas < 2:
        return
    for key, found, accepted in local_parts(site.database, site.cache, site.storage):
        yield Problem(
            f"Site {site.id}: {key}",
            f"The site is to be on {site.replicas} nodes, and each would have {found} of its own; accepted: "
            f"{accepted}, or 1 as its replicas.",
            site.id,
        )


def unknown_group_problems(changed: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> list[Problem]:
    """
    Return a problem for each site (its id, its record before and after) that names no group of placed sites. Before
    there is such a group any may be named: a registry is imported first.
    """
    named = {
        identifier: str(after["node_group"])
        for identifier, before, after in changed
        if after.get("node_group") and after["node_group"] != before.get("node_group")
    }
    if not named:
        return []
    known = list(NodeGroup.objects.filter(holds=PLACED).values_list("pk", flat=True))
    if not known:
        return []
    return [
        Problem(
            f"Site {identifier}: node_group",
            f"There is no group {shown(group)} of nodes that holds placed sites; accepted: {', '.join(known)}.",
            identifier,
        )
        for identifier, group in named.items()
        if group not in known
    ]

"""What nodes and their groups must be: every problem of one, under the name that people know it by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from wagtail_multihost.control.models import Node, NodeGroup, Placement
from wagtail_multihost.exceptions import Problem
from wagtail_multihost.nodeapi.node_states import ACTIVE, HOLDS, PLACED, SILENT_AFTER, STATES
from wagtail_multihost.spec.identifiers import NODE_LENGTH, parse_node_group, parse_slug, shown
from wagtail_multihost.spec.platform import parse_node_address
from wagtail_multihost.spec.site import MOST_REPLICAS

MOST_WEIGHT = 1000
MOST_NAMED = 5


def parse_node(value: str) -> str:
    """Return the id of a node; raises ValueError with a sentence."""
    return parse_slug(value, what="The node", length=NODE_LENGTH)


def parse_zone(value: str) -> str:
    return parse_slug(value, what="The zone", length=NODE_LENGTH) if value else ""


def parse_address(value: str) -> str:
    return parse_node_address(value) if value else ""


def parse_weight(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_WEIGHT:
        raise ValueError(f"The weight {shown(value)} is not accepted: it must be 0 to {MOST_WEIGHT}.")
    return value


def parse_replicas(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_REPLICAS:
        raise ValueError(f"The number of replicas {shown(value)} is not accepted: it must be 1 to {MOST_REPLICAS}.")
    return value


def parse_word(words: tuple[str, ...]) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"The word {shown(value)} is not accepted: it must be one of {', '.join(words)}.")
        return value

    return parse


NODE_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "address": parse_address,
    "zone": parse_zone,
    "weight": parse_weight,
    "state": parse_word(STATES),
}
GROUP_FIELDS: Mapping[str, Callable[[Any], Any]] = {"holds": parse_word(HOLDS), "replicas": parse_replicas}


def value_problems(where: str, fields: Mapping[str, Callable[[Any], Any]], values: Mapping[str, Any]) -> list[Problem]:
    """Return the problems of values that can be judged by themselves."""
    found = []
    for name, value in values.items():
        try:
            fields[name](value)
        except ValueError as error:
            found.append(Problem(f"{where}: {name}", str(error)))
        except KeyError:
            found.append(Problem(f"{where}: {name}", f"It is not known; accepted: {', '.join(fields)}."))
    return found


def id_problems(where: str, parse: Callable[[str], str], identifier: str) -> list[Problem]:
    try:
        parse(identifier)
    except ValueError as error:
        return [Problem(where, str(error))]
    return []


def node_problems(
    identifier: str, group: str | None, values: Mapping[str, Any], before: Node | None, *, is_silent: bool
) -> list[Problem]:
    """
    Return all problems of a node that is to have the ``values``, and to be in the ``group``. What a silent node serves
    nobody knows, so that it can be given up.
    """
    where = f"Node {identifier}"
    found = id_problems("Nodes", parse_node, identifier) + value_problems(where, NODE_FIELDS, values)
    if group is None and before is None:
        found.append(Problem(f"{where}: group", "It is missing: a new node needs a group."))
    elif group is not None and not NodeGroup.objects.filter(pk=group).exists():
        known = ", ".join(NodeGroup.objects.values_list("pk", flat=True)) or "there is none yet"
        found.append(Problem(f"{where}: group", f"There is no group {shown(group)}; known: {known}."))
    elif group is not None and before is not None and group != before.group_id and placed_on(before).exists():
        found.append(Problem(f"{where}: group", "It cannot change while sites are placed on the node: drain it first."))
    address = values.get("address")
    others = Node.objects.exclude(pk=before.pk) if before else Node.objects.all()
    other = others.filter(address=address).first() if address else None
    if other is not None:
        found.append(Problem(f"{where}: address", f"The address {shown(address)} is that of the node {other}."))
    if before is not None and before.state == ACTIVE and values.get("state", ACTIVE) != ACTIVE and not is_silent:
        found += sole_problems(before)
    return found


def placed_on(node: Node) -> Any:
    """Return the placements on a node of sites that there still are."""
    return Placement.objects.filter(node=node, is_gone=False, site__retired_at=None)


def asked_placements() -> QuerySet[Placement]:
    """Return the placements that front servers go by: of nodes that are active and heard, serve, and do not leave."""
    heard = Now() - timedelta(seconds=SILENT_AFTER)
    return Placement.objects.filter(
        is_serving=True, is_leaving=False, is_gone=False, node__state=ACTIVE, node__report__seen_at__gt=heard
    )


def sole_problems(node: Node) -> Iterator[Problem]:
    """Yield a problem where sites would be served by no node once this one is asked no longer."""
    if node.group.holds != PLACED:
        return
    beside = asked_placements().filter(site=OuterRef("site")).exclude(node=node)
    sites = placed_on(node).filter(~Exists(beside)).order_by("site__identifier")
    names = list(sites.values_list("site__identifier", flat=True))
    if names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        yield Problem(
            f"Node {node}: state",
            f"No other node serves {', '.join(names[:MOST_NAMED])}{more}. Move them first, which ends with the node "
            f"draining: manage.py multihost_place drain {node} --apply",
        )


def group_problems(identifier: str, values: Mapping[str, Any], before: NodeGroup | None) -> list[Problem]:
    """Return all problems of a group that is to have the ``values``."""
    where = f"Group {identifier}"
    is_default = values.get("is_default")
    stated = {name: value for name, value in values.items() if name != "is_default"}
    found = id_problems("Groups", parse_node_group, identifier) + value_problems(where, GROUP_FIELDS, stated)
    holds = stated.get("holds", before.holds if before else None)
    if before is not None and holds != before.holds:
        live = Placement.objects.filter(node__group=before, is_gone=False, site__retired_at=None)
        if live.exists():
            message = f"It cannot change while sites are placed on its nodes; it is {before.holds}. Drain them first."
            found.append(Problem(f"{where}: holds", message))
    if is_default and holds != PLACED:
        found.append(Problem(f"{where}: is_default", f"Only a group that holds {PLACED} sites can be the default."))
    if is_default is False and before is not None and before.is_default and holds == PLACED:
        found.append(Problem(f"{where}: is_default", "Make another group the default instead."))
    return found

"""
Writing nodes, their groups and what is placed on them: part of the registry, so the head is locked first and each
change has an event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Model

from wagtail_multihost.control import audit
from wagtail_multihost.control.audit import change_row, log_change
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError, NotNowError, StaleNodeError
from wagtail_multihost.control.models import ManagedSite, Node, NodeGroup, Report
from wagtail_multihost.control.node_rules import group_problems, node_problems, placed_on
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.control.texts import refuse_text
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.nodeapi.event_types import GROUP_CHANGED, NODE_CHANGED, NODE_DRAINING
from wagtail_multihost.nodeapi.node_states import ALL, AWAY, DRAINING, JOINING, PLACED, SILENT_AFTER
from wagtail_multihost.nodeapi.placements_v1 import CHANGE_PLACEMENT, PLACE, REMOVE, REMOVE_GROUP, REMOVE_NODE
from wagtail_multihost.spec.identifiers import is_slug, shown

OPERATORS = "Only an operator of the platform may change nodes, and what is placed on them."
NO_NODE = "There is no node {node}."
SPEAKS = f"It still reports. Stop its agent, and try again {SILENT_AFTER} seconds later."
GROUP_FIELDS = ("holds", "replicas", "is_default")
NODE_FIELDS = ("group_id", "address", "zone", "weight", "state")


def refuse_others(authority: Authority) -> None:
    """Raise NotAllowedError unless who asks operates the platform."""
    if not authority.may_operate:
        raise NotAllowedError([Problem("Nodes", OPERATORS)])


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


def refuse_stale(before: Node | NodeGroup | None, expected: int | None) -> None:
    """Raise StaleNodeError unless what there is has the ``expected`` revision, which is 0 where there is to be none."""
    found = before.revision if before is not None else 0
    if expected is not None and found != expected:
        raise StaleNodeError(found, expected)


def save_group(
    authority: Authority,
    identifier: str,
    holds: str | None = None,
    replicas: int | None = None,
    *,
    is_default: bool | None = None,
    expected: int | None = None,
    reason: str = "",
) -> NodeGroup:
    """
    Make a group of nodes, or change what is stated of it: what each node ``holds``, how many ``replicas`` of a placed
    site there are, and whether sites that name no group are placed in it. The first one that holds placed sites is the
    default. It must have the ``expected`` revision (0: there must be none). What changes nothing makes no event.

    Raises ConfigurationError with all problems, NotAllowedError and StaleNodeError.
    """
    refuse_others(authority)
    refuse_text(reason, "Reason")
    stated = {"holds": holds, "replicas": replicas, "is_default": is_default}
    values: dict[str, Any] = {name: value for name, value in stated.items() if value is not None}
    with transaction.atomic():
        lock_head()
        before = NodeGroup.objects.filter(pk=identifier).first() if is_slug(identifier) else None
        refuse_stale(before, expected)
        if problems := group_problems(identifier, values if before else {"holds": ALL, **values}, before):
            raise ConfigurationError(problems)
        group = before or NodeGroup(pk=identifier, holds=ALL)
        rows = change_values(group, values, GROUP_FIELDS, is_new=before is None)
        others = NodeGroup.objects.exclude(pk=identifier).filter(is_default=True)
        if group.holds != PLACED:
            group.is_default = False
        elif before is None and not others.exists():
            group.is_default = True
        if before is not None and not rows:
            return group
        group.revision = record_event(authority, GROUP_CHANGED, event_metadata({"group": identifier}, reason))
        if group.is_default:
            others.update(is_default=False, revision=group.revision)
        group.save(force_insert=before is None)
        log_change(authority, group, audit.NODE_GROUP_CHANGED, rows, revision=group.revision, reason=reason)
    return group


def remove_group(authority: Authority, identifier: str, *, expected: int | None = None, reason: str = "") -> None:
    """Remove a group without nodes that no site names. Raises NotNowError, and as ``save_group`` does."""
    refuse_others(authority)
    refuse_text(reason, "Reason")
    with transaction.atomic():
        lock_head()
        group = NodeGroup.objects.filter(pk=identifier).first()
        refuse_stale(group, expected)
        if group is None:
            raise ConfigurationError.because(f"There is no group {shown(identifier)}.", where="Groups")
        where = f"Group {identifier}"
        named = ManagedSite.objects.filter(retired_at=None, record__node_group=identifier)
        if group.nodes.exists():
            raise NotNowError.because("It has nodes. Remove them first.", where=where)
        if (count := named.count()) > 0:
            raise NotNowError.because(f"{count} sites name it as their node_group.", where=where)
        log_change(authority, group, audit.NODE_GROUP_REMOVED, reason=reason)
        call(REMOVE_GROUP, identifier, authority.actor)


def save_node(
    authority: Authority,
    identifier: str,
    group: str | None = None,
    *,
    expected: int | None = None,
    reason: str = "",
    **values: Any,
) -> Node:
    """
    Make a node of a ``group``, or change what ``values`` states of it: address, zone, weight (0 to 1000; one of weight
    0 gets no new site), state. It must have the ``expected`` revision (0: there must be none). What changes nothing
    makes no event.

    Raises ConfigurationError with all problems, NotAllowedError and StaleNodeError.
    """
    refuse_others(authority)
    refuse_text(reason, "Reason")
    with transaction.atomic():
        lock = lock_head()
        found = (
            Node.objects.select_related("group").filter(pk=identifier) if is_slug(identifier) else Node.objects.none()
        )
        before = found.first()
        refuse_stale(before, expected)
        unheard = before is None or is_silent(identifier, lock.now)
        problems = node_problems(identifier, group, values, before, is_silent=unheard)
        if problems:
            raise ConfigurationError(problems)
        node = before or Node(pk=identifier, state=JOINING, joined_at=lock.now)
        stated = values if group is None else {**values, "group_id": group}
        rows = change_values(node, stated, NODE_FIELDS, is_new=before is None)
        if before is not None and not rows:
            return node
        if any(row["key"] == "state" for row in rows):
            node.has_left = False
        is_drained = before is not None and any(row["key"] == "state" and row["after"] == DRAINING for row in rows)
        metadata = event_metadata({"node": identifier, "group": node.group_id}, reason)
        node.revision = record_event(authority, NODE_DRAINING if is_drained else NODE_CHANGED, metadata)
        node.save(force_insert=before is None)
        log_change(authority, node, audit.NODE_CHANGED, rows, revision=node.revision, reason=reason)
    return node


def change_values(
    row: Model, values: Mapping[str, Any], fields: Iterable[str], *, is_new: bool
) -> list[dict[str, Any]]:
    """Give a row its new values; return what changes, as the audit log has it."""
    rows = []
    for name in fields:
        before = None if is_new else getattr(row, name)
        if name in values:
            setattr(row, name, values[name])
        after = getattr(row, name)
        if before != after:
            rows.append(change_row(name.removesuffix("_id"), before, after))
    return rows


def event_metadata(metadata: Mapping[str, object], reason: str) -> dict[str, object]:
    return {**metadata, "reason": reason} if reason else dict(metadata)


def is_silent(node: str, now: datetime) -> bool:
    """Return whether a node has not reported for so long that nobody knows how it is."""
    return not Report.objects.filter(pk=node, seen_at__gt=now - timedelta(seconds=SILENT_AFTER)).exists()


def remove_node(authority: Authority, identifier: str, *, expected: int | None = None, reason: str = "") -> None:
    """
    Remove a node that is away, silent and has no sites, with its role and all that was kept of it. Raises NotNowError,
    ConfigurationError, NotAllowedError and StaleNodeError.
    """
    refuse_others(authority)
    refuse_text(reason, "Reason")
    with transaction.atomic():
        lock = lock_head()
        node = Node.objects.filter(pk=identifier).first()
        refuse_stale(node, expected)
        if node is None:
            raise ConfigurationError.because(NO_NODE.format(node=shown(identifier)), where="Nodes")
        problems = []
        if node.state != AWAY:
            message = f"It is {node.state}. Only a node that is {AWAY} can be removed."
            problems.append(Problem(f"Node {node}: state", message))
        elif not is_silent(identifier, lock.now):
            problems.append(Problem(f"Node {node}", SPEAKS))
        if (count := placed_on(node).count()) > 0:
            message = f"{count} sites are placed on it. Move them first: manage.py multihost_place drain {node} --apply"
            problems.append(Problem(f"Node {node}", message))
        if problems:
            raise NotNowError(problems)
        log_change(authority, node, audit.NODE_REMOVED, reason=reason)
        call(REMOVE_NODE, identifier, authority.actor)


def call(statement: str, *values: str | UUID) -> Any:
    """Return what a function of the database returns."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return row and row[0]


def place_sites(authority: Authority, node: str, sites: Iterable[ManagedSite], *, reason: str = "") -> None:
    """Place sites on a node of a group that holds placed ones. Raises ConfigurationError and NotAllowedError."""
    change_placements(authority, node, sites, PLACE, audit.SITES_PLACED, reason)


def displace_sites(authority: Authority, node: str, sites: Iterable[ManagedSite], *, reason: str = "") -> None:
    """Take sites from a node. Their placements stay, as what tells the node to remove its files, until it has."""
    change_placements(authority, node, sites, REMOVE, audit.SITES_DISPLACED, reason)


def change_placements(
    authority: Authority, node: str, sites: Iterable[ManagedSite], change: str, action: str, reason: str
) -> None:
    refuse_others(authority)
    with transaction.atomic():
        lock_head()
        row = Node.objects.select_related("group").filter(pk=node).first()
        if row is None:
            raise ConfigurationError.because(NO_NODE.format(node=shown(node)), where="Nodes")
        if change == PLACE and row.group.holds != PLACED:
            message = f"Its group {row.group} holds {row.group.holds}; sites are placed on nodes of groups that hold "
            raise ConfigurationError.because(f"{message}{PLACED} ones.", where=f"Node {node}")
        chosen = list(sites)
        for site in chosen:
            call(CHANGE_PLACEMENT, node, site.uid, change, authority.actor)
        if chosen:
            log_change(authority, row, action, reason=reason, sites=[site.identifier for site in chosen])

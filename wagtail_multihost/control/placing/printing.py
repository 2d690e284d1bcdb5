"""Nodes and plans as commands print them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from wagtail_multihost.control.models import Node, Plan
from wagtail_multihost.control.node_status import all_nodes, sites_on
from wagtail_multihost.nodeapi.node_states import ALL, PLAN_PROPOSED, PLAN_STOPPED
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.spec.times import shown_time

#: So many moves are listed.
MOST_LISTED = 50
NOWHERE = "nowhere"
NEVER = "never seen"


def read_nodes() -> list[Node]:
    """Return all nodes, group by group."""
    return list(all_nodes().order_by("group", "pk"))


def node_row(node: Any) -> dict[str, object]:
    """Return a node as JSON has it: what is seen has the time, and the revision that was applied then."""
    report = getattr(node, "report", None)
    return {
        "id": node.pk,
        "group": node.group_id,
        "holds": node.group.holds,
        "address": node.address,
        "zone": node.zone,
        "weight": node.weight,
        "state": node.state,
        "sites": sites_on(node),
        "revision": node.revision,
        "seen_at": report.seen_at.isoformat() if report else None,
        "applied": report.applied if report else None,
        "conditions": report.conditions if report else [],
        "refused": report.sites if report else {},
    }


def nodes_text(nodes: Iterable[Any]) -> str:
    """Return a line for each node."""
    lines = [node_line(node) for node in nodes]
    return "\n".join(lines) if lines else "There is no node yet."


def node_line(node: Any) -> str:
    report = getattr(node, "report", None)
    seen = f"seen {shown_time(report.seen_at)}, applied {report.applied}" if report else NEVER
    zone = f", zone {node.zone}" if node.zone else ""
    count = sites_on(node)
    placed = "1 site" if count == 1 else f"{count} sites"
    sites = placed if count is not None else "all sites" if node.group.holds == ALL else "no sites"
    what = f"group {node.group_id} ({node.group.holds}){zone}, weight {node.weight}, {sites}"
    return f"{node.pk}  {node.state}  {what}, {seen}"


def plan_summary(plan: Plan) -> dict[str, object]:
    """Return a plan as JSON lists it, without its moves."""
    return {
        "id": str(plan.pk),
        "kind": plan.kind,
        "node": plan.node,
        "state": plan.state,
        "problem": plan.problem,
        "actor": plan.actor,
        "reason": plan.reason,
        "made_at": plan.made_at.isoformat(),
        "based_on": plan.based_on,
        "most_at_once": plan.most_at_once,
        "applied_at": plan.applied_at.isoformat() if plan.applied_at else None,
        "ended_at": plan.ended_at.isoformat() if plan.ended_at else None,
    }


def plan_row(plan: Plan) -> dict[str, object]:
    """Return a plan as JSON has it."""
    moves = [
        {
            "site": move.site.identifier,
            "source": move.source,
            "target": move.target,
            "why": move.why,
            "state": move.state,
        }
        for move in plan.moves.select_related("site")
    ]
    return {**plan_summary(plan), "moves": moves, "left": plan.left}


def plan_text(plan: Plan) -> str:
    """Return what a plan moves, how far it is, and what it leaves."""
    moves = list(plan.moves.select_related("site"))
    lines = [
        f"{move.site.identifier}: {move.source or NOWHERE} -> {move.target or NOWHERE}  {move.state}  {move.why}"
        for move in moves[:MOST_LISTED]
    ]
    if len(moves) > MOST_LISTED:
        lines.append(f"and {len(moves) - MOST_LISTED} more")
    lines += [f"{one['site']} stays: {one['why']}" for one in plan.left[:MOST_LISTED]]
    states = Counter(move.state for move in moves)
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "nothing to move"
    lines.append(f"Plan {plan.pk} ({plan.kind}{plan.node and f' {plan.node}'}) is {plan.state}: {counted}.")
    if plan.state == PLAN_STOPPED:
        lines.append(f"It has stopped: {plan.problem}")
    if moves and plan.state in (PLAN_PROPOSED, PLAN_STOPPED):
        lines.append(f"To carry it out: manage.py multihost_place apply {plan.pk}")
    # Nodes and people write the reasons.
    return "\n".join(map(one_line, lines))


def plan_line(plan: Plan) -> str:
    kind = f"{plan.kind} {plan.node}".rstrip()
    return one_line(f"{plan.pk}  {kind}  {plan.state}  {shown_time(plan.made_at)}  {plan.reason}".rstrip())

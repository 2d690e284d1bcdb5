"""Plans: a proposal that is kept, shown, and applied by someone. The operator process carries the moves out."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from wagtail_multihost.control import audit
from wagtail_multihost.control.audit import log_change
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotNowError
from wagtail_multihost.control.models import Move, Node, Plan
from wagtail_multihost.control.nodes import call, record_event, refuse_others
from wagtail_multihost.control.placing.proposals import propose
from wagtail_multihost.control.placing.situation import has_changed_since, read_situation
from wagtail_multihost.control.pruning import AT_LEAST
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.control.texts import refuse_text
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.nodeapi import event_types
from wagtail_multihost.nodeapi.node_states import (
    MOVE_SWITCHING,
    PLACED,
    PLAN_CANCELLED,
    PLAN_DONE,
    PLAN_DRAIN,
    PLAN_KINDS,
    PLAN_PROPOSED,
    PLAN_RUNNING,
    PLAN_STOPPED,
)
from wagtail_multihost.nodeapi.placements_v1 import CHANGE_PLACEMENT, STAY
from wagtail_multihost.spec.identifiers import shown

BATCH = 2000
AT_ONCE, MOST_AT_ONCE = 10, 1000
#: Plans that nobody has applied for so long are forgotten.
KEPT = timedelta(days=7)
#: Of what a plan leaves, so much is kept.
MOST_LEFT = 1000
STALE = "Nodes or placements have changed since it was proposed. Propose again."
PRUNE_NOT_ALLOWED = "Only an operator of the platform can delete plans."
UNDER_WAY = (PLAN_RUNNING, PLAN_STOPPED)


def make_plan(
    authority: Authority,
    kind: str,
    node: str = "",
    *,
    limit: int | None = None,
    most_at_once: int = AT_ONCE,
    reason: str = "",
) -> Plan:
    """
    Keep a proposal as a plan, which changes nothing yet; one that has nothing to do is done. ``limit`` is how many
    moves it has at most, and ``most_at_once`` how many may be under way. Raises ConfigurationError with all problems,
    and NotAllowedError.
    """
    refuse_others(authority)
    refuse_text(reason, "Reason")
    with transaction.atomic():
        now = lock_head().now
        if problems := wish_problems(kind, node, limit, most_at_once):
            raise ConfigurationError(problems)
        proposal = propose(read_situation(now), kind, node, limit)
        Plan.objects.filter(state=PLAN_PROPOSED, made_at__lt=now - KEPT).delete()
        # An empty drain is something to do: its node is asked no longer then.
        is_done = not proposal.moves and kind != PLAN_DRAIN
        plan = Plan.objects.create(
            kind=kind,
            state=PLAN_DONE if is_done else PLAN_PROPOSED,
            ended_at=now if is_done else None,
            node=node,
            made_at=now,
            actor=authority.actor,
            reason=reason,
            based_on=proposal.revision,
            most_at_once=most_at_once,
            left=[one._asdict() for one in proposal.left[:MOST_LEFT]],
        )
        Move.objects.bulk_create(
            [
                Move(plan=plan, place=place, site_id=move.uid, source=move.source, target=move.target, why=move.why)
                for place, move in enumerate(proposal.moves, 1)
            ],
            batch_size=BATCH,
        )
    return plan


def wish_problems(kind: str, node: str, limit: int | None, most_at_once: int) -> list[Problem]:
    found = []
    if kind not in PLAN_KINDS:
        found.append(Problem("kind", f"The kind {shown(kind)} is not known; accepted: {', '.join(PLAN_KINDS)}."))
    if kind == PLAN_DRAIN:
        row = Node.objects.select_related("group").filter(pk=node).first()
        if row is None:
            found.append(Problem("node", f"There is no node {shown(node)}."))
        elif row.group.holds != PLACED:
            message = (
                f"The group of the node {node} holds {row.group.holds}: there is nothing to move. Set its state to "
            )
            found.append(Problem("node", f"{message}draining."))
    elif node:
        found.append(Problem("node", f"Only a plan of the kind {PLAN_DRAIN} has a node."))
    for key, value, most in (
        ("limit", 1 if limit is None else limit, None),
        ("most_at_once", most_at_once, MOST_AT_ONCE),
    ):
        if value < 1 or (most is not None and value > most):
            wanted = f"1 to {most}" if most else "1 or more"
            found.append(Problem(key, f"The number {value} is not accepted: it must be {wanted}."))
    return found


def get_plan(identifier: UUID) -> Plan:
    """Return a plan; raises ConfigurationError."""
    plan = Plan.objects.filter(pk=identifier).first()
    if plan is None:
        raise ConfigurationError.because(f"There is no plan {identifier}.", where="Plans")
    return plan


def apply_plan(authority: Authority, identifier: UUID) -> Plan:
    """
    Let a plan be carried out, or let one that has stopped go on. Raises NotNowError for one that is not based on the
    nodes and placements of now, or while another one is under way, ConfigurationError for one that there is not, and
    NotAllowedError.
    """
    refuse_others(authority)
    with transaction.atomic():
        now = lock_head().now
        plan = get_plan(identifier)
        where = f"Plan {identifier}"
        if plan.state == PLAN_RUNNING or (plan.state == PLAN_DONE and not plan.moves.exists()):
            return plan
        if plan.state not in (PLAN_PROPOSED, PLAN_STOPPED):
            raise NotNowError.because(f"It is {plan.state}.", where=where)
        other = Plan.objects.filter(state__in=UNDER_WAY).exclude(pk=plan.pk).first()
        if other is not None:
            message = f"The plan {other.pk} is {other.state}. Let it end, or cancel it."
            raise NotNowError.because(message, where=where)
        if plan.state == PLAN_PROPOSED and has_changed_since(plan.based_on):
            raise NotNowError.because(STALE, where=where)
        # A step that has waited for someone has its whole time again.
        plan.moves.exclude(at=None).update(at=now)
        plan.state, plan.problem, plan.applied_at, plan.applied_by = PLAN_RUNNING, "", now, authority.actor
        plan.save()
        record_event(authority, event_types.PLAN_APPLIED, {"plan": str(plan.pk), "kind": plan.kind, "node": plan.node})
        log_change(authority, plan, audit.PLAN_APPLIED, reason=plan.reason)
    return plan


def restore_leaving(plan: Plan, authority: Authority) -> None:
    """Let nodes be asked again for sites that they were leaving."""
    for move in plan.moves.filter(state=MOVE_SWITCHING):
        call(CHANGE_PLACEMENT, move.source, move.site_id, STAY, authority.actor)


def prune_plans(authority: Authority, days: int) -> int:
    """Delete the plans that ended more than so many days ago, with their moves; return how many."""
    if not authority.may_operate:
        raise ConfigurationError.because(PRUNE_NOT_ALLOWED)
    if days < 1:
        raise ConfigurationError.because(AT_LEAST.format(days=days), where="--days")
    old = Plan.objects.filter(ended_at__lt=timezone.now() - timedelta(days=days))
    return old.delete()[1].get(Plan._meta.label, 0)


def cancel_plan(authority: Authority, identifier: UUID) -> Plan:
    """
    End a plan. Placements stay as they are: a site that was on its way is on both nodes, and the next proposal takes
    one away. Raises NotNowError for one that has ended, and as above.
    """
    refuse_others(authority)
    with transaction.atomic():
        now = lock_head().now
        plan = get_plan(identifier)
        if plan.state == PLAN_CANCELLED:
            return plan
        if plan.state not in (PLAN_PROPOSED, *UNDER_WAY):
            raise NotNowError.because(f"It is {plan.state}.", where=f"Plan {identifier}")
        restore_leaving(plan, authority)
        plan.state, plan.ended_at = PLAN_CANCELLED, now
        plan.save()
        record_event(
            authority, event_types.PLAN_CANCELLED, {"plan": str(plan.pk), "kind": plan.kind, "node": plan.node}
        )
        log_change(authority, plan, audit.PLAN_CANCELLED, reason=plan.reason)
    return plan

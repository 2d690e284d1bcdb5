"""Findings of nodes, groups, waves, plans and holds, for operators of the platform."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from wagtail_multihost.control.finding_facts import Condition, Facts, NodeFacts
from wagtail_multihost.control.finding_kinds import (
    ACCOUNTS,
    CRITICAL,
    DISK_FULL,
    DRIFT,
    DUPLICATE,
    EMPTY_GROUP,
    FAILING,
    FLEET,
    GROUP,
    HOLD_RUNS,
    NO_BELL,
    NODE,
    NOT_APPLIED,
    NOTICE,
    OLD_FILES,
    ONE_REPLICA,
    PLAN_HAS_STOPPED,
    SERVERS_SILENT,
    SILENT,
    STILL_SERVED,
    UNCONFIRMED,
    WARNING,
    WAVE_STOPPED,
    WENT_BACK,
    Finding,
    Repair,
)
from wagtail_multihost.control.site_findings import folded_nodes, is_behind
from wagtail_multihost.nodeapi import drift_kinds, node_states
from wagtail_multihost.nodeapi.node_states import ALL, APPLIED, AWAY, FRONT, PLACED, REGISTRY_WENT_BACK, SILENT_AFTER
from wagtail_multihost.spec.times import shown_time

AGENT = "systemctl status multihost-agent"
NOBODY_CONFIRMED = (
    "Nobody has confirmed its key, so it gets no secrets. State the fingerprint that multihost-agent --fingerprint "
    "prints there."
)
#: Conditions that are findings where they are true, with the kind and how bad it is.
BAD_WHERE_TRUE = {
    node_states.DISK: (DISK_FULL, WARNING, "The disk is almost full"),
    node_states.NO_BELL: (NO_BELL, NOTICE, "The bell of the database is not heard, so that changes are polled for"),
    REGISTRY_WENT_BACK: (WENT_BACK, CRITICAL, "The registry went back, and nothing is applied any more"),
}

COMPARE = "multihost-agent --check"
#: By what differs on a node: the kind, and the words before what the node says. All else is of files.
OF_DRIFT = {
    drift_kinds.SILENT: (SERVERS_SILENT, "Nobody listens where sites' servers should"),
    drift_kinds.SERVING: (STILL_SERVED, "Somebody listens for a site that is disabled"),
    drift_kinds.GENERATION: (OLD_FILES, "A server does not use the files that were applied last"),
    drift_kinds.ACCOUNT: (ACCOUNTS, "An account that sites run under is not as it should be"),
}
OF_FILES = (DRIFT, "Files are not as they should be")


def find_in_fleet(facts: Facts) -> Iterator[Finding]:
    """Yield all of them."""
    folded = folded_nodes(facts)
    for node in facts.nodes.values():
        if node.state != AWAY:
            yield from node_findings(facts, node, folded.get(node.id, 0))
    yield from group_findings(facts)
    for wave in facts.waves:
        repair = Repair(f"manage.py multihost_wave resume {wave.pk}")
        reason = f"The wave of the revision {wave.revision} has stopped: {wave.reason}"
        yield of_fleet(facts, str(wave.pk), WAVE_STOPPED, CRITICAL, reason, repair, wave.stage_at)
    for plan in facts.plans:
        repair = Repair(f"manage.py multihost_place apply {plan.pk}")
        reason = f"The plan has stopped: {plan.problem}"
        yield of_fleet(facts, str(plan.pk), PLAN_HAS_STOPPED, WARNING, reason, repair, plan.applied_at)
    for hold in facts.holds:
        if hold.site_id is None:
            name = hold.node_id or "everything"
            reason = f"It is held until {shown_time(hold.until)}: {hold.reason}"
            yield of_fleet(
                facts, name, HOLD_RUNS, NOTICE, reason, Repair(), hold.since, NODE if hold.node_id else FLEET
            )


def node_findings(facts: Facts, node: NodeFacts, behind: int) -> Iterator[Finding]:
    if not node.is_heard:
        can_drain = node.holds == PLACED
        repair = Repair(f"manage.py multihost_place drain {node.id} --apply" if can_drain else AGENT)
        reason = f"It has been silent for more than {SILENT_AFTER} seconds. Its sites stay placed on it."
        yield of_node(node, SILENT, CRITICAL, reason, repair, node.seen_at)
        return
    if node.unconfirmed:
        # Not the fingerprint that is known here: a person compares the one that the machine itself prints.
        repair = Repair(f"multihost-operator confirm {node.id} FINGERPRINT")
        yield of_node(node, UNCONFIRMED, WARNING, NOBODY_CONFIRMED, repair)
    if node.duplicate_at and node.duplicate_at > facts.now - timedelta(seconds=SILENT_AFTER):
        reason = "Two machines report under this id. Give one of them another."
        yield of_node(node, DUPLICATE, CRITICAL, reason, Repair(AGENT), node.duplicate_at)
    applied = node.conditions.get(APPLIED)
    if applied is not None and not applied.is_true and not condition_is_true(node, REGISTRY_WENT_BACK):
        yield of_node(node, FAILING, CRITICAL, f"It cannot apply: {applied.message}", Repair(AGENT), applied.since)
    for name, (kind, severity, reason) in BAD_WHERE_TRUE.items():
        if condition_is_true(node, name):
            found = node.conditions[name]
            repair = Repair(AGENT)
            if kind == WENT_BACK:
                highest = max(one.applied for one in facts.nodes.values())
                repair = Repair(f"manage.py multihost_control_advance --above {highest}")
            more = f": {found.message}" if found.message else "."
            yield of_node(node, kind, severity, f"{reason}{more}", repair, found.since)
    if condition_is_true(node, node_states.DRIFT):
        yield from drift_findings(node, node.conditions[node_states.DRIFT])
    if behind or is_behind(facts, node, facts.platform):
        count = f"{behind} sites are" if behind else "The platform's last change is"
        reason = f"{count} not applied; it has the revision {node.applied}."
        yield of_node(node, NOT_APPLIED, CRITICAL, reason, Repair(AGENT), facts.at.get(facts.platform))


def drift_findings(node: NodeFacts, found: Condition) -> Iterator[Finding]:
    """Yield a finding for each kind of drift that a node names, and one of files where it names none."""
    kinds = drift_kinds.kinds_in(found.message)
    more = f": {found.message}" if found.message else "."
    for kind, reason in sorted({OF_DRIFT.get(kind, OF_FILES) for kind in kinds} or {OF_FILES}):
        yield of_node(node, kind, WARNING, f"{reason}{more}", Repair(COMPARE), found.since)


def condition_is_true(node: NodeFacts, name: str) -> bool:
    return name in node.conditions and node.conditions[name].is_true


def group_findings(facts: Facts) -> Iterator[Finding]:
    """Yield the groups that have too few nodes for what they hold."""
    wished = Counter(wish.group for wish in facts.wishes.values())
    for group in facts.groups:
        nodes = [node for node in facts.nodes.values() if node.group == group.pk and node.state != AWAY]
        serving = sum(node.serves for node in nodes)
        count = len(facts.sites) if group.holds == ALL else wished[group.pk]
        if not serving:
            severity = CRITICAL if count or group.holds == FRONT else NOTICE
            reason = f"No node of it serves; it has {len(nodes)}, and {count} sites are to be on it."
            yield of_fleet(facts, group.pk, EMPTY_GROUP, severity, reason, Repair(), None, GROUP)
        elif serving == 1 and len(nodes) > 1 and group.holds == ALL:
            reason = f"One of its {len(nodes)} nodes serves."
            yield of_fleet(facts, group.pk, ONE_REPLICA, WARNING, reason, Repair(), None, GROUP)


def of_node(
    node: NodeFacts, kind: str, severity: str, reason: str, repair: Repair, since: datetime | None = None
) -> Finding:
    return Finding(NODE, node.id, kind, severity, reason, since, repair, None, node.id, node.seen_at, node.applied)


def of_fleet(
    facts: Facts,
    name: str,
    kind: str,
    severity: str,
    reason: str,
    repair: Repair,
    since: datetime | None,
    subject: str = FLEET,
) -> Finding:
    return Finding(subject, name, kind, severity, reason, since, repair, seen_at=facts.now)

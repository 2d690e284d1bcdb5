"""
Findings of sites. The people of a site are told the ids of the nodes that have it, as elsewhere; but not what nodes
say, because that may name other sites.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from wagtail_multihost.control.finding_facts import Facts, NodeFacts, PlacementFacts, SiteFacts, is_asked
from wagtail_multihost.control.finding_kinds import (
    CRITICAL,
    FEWER_REPLICAS,
    HOLD_RUNS,
    NO_REPLICA,
    NOT_APPLIED,
    NOTICE,
    ONE_REPLICA,
    REFUSED,
    SITE,
    UNPLACED,
    WARNING,
    Finding,
    Repair,
)
from wagtail_multihost.control.models import Hold
from wagtail_multihost.nodeapi.job_kinds import REREAD_SITE, RESTART_SITE
from wagtail_multihost.nodeapi.node_states import PLACED, SITE_REFUSED
from wagtail_multihost.spec.times import shown_time

#: Where more sites are behind on one node, operators are told of the node alone.
MOST_BEHIND = 20
FILL = "manage.py multihost_place fill --apply"
KEEPS = "A node has refused the site's newest record, and keeps what it had."


def find_in_sites(facts: Facts) -> Iterator[Finding]:
    """Yield the findings of the sites that may be seen."""
    folded = folded_nodes(facts)
    by_site: dict[str, list[tuple[NodeFacts, str]]] = {}
    for node in facts.nodes.values():
        for identifier, why in node.refused.items() if is_asked(node) else ():
            by_site.setdefault(identifier, []).append((node, why))
    for site in facts.sites:
        yield from refusals(facts, site, by_site.get(site.id, ()))
        yield from late_changes(facts, site, folded)
        if site.enabled:
            yield from replicas(facts, site)
    by_uid = {site.uid: site for site in facts.sites}
    for hold in facts.holds:
        if hold.site_id in by_uid:
            yield held(facts, by_uid[hold.site_id], hold)


def nodes_of(facts: Facts, site: SiteFacts) -> Iterator[tuple[NodeFacts, int]]:
    """Yield the nodes that must have a site, with the revision that they must have applied for that."""
    for node in facts.whole:
        yield node, site.revision
    for one in facts.placed.get(site.uid, ()):
        yield facts.nodes[one.node], max(site.revision, one.revision)


def is_behind(facts: Facts, node: NodeFacts, revision: int) -> bool:
    return is_asked(node) and node.is_heard and node.applied < revision and facts.is_late(revision)


def folded_nodes(facts: Facts) -> dict[str, int]:
    """Return the nodes on which so many sites are behind that they are the finding, with how many; for operators."""
    pairs = ((node, revision) for site in facts.sites for node, revision in nodes_of(facts, site))
    behind = Counter(node.id for node, revision in pairs if is_behind(facts, node, revision))
    return {node: count for node, count in behind.items() if count > MOST_BEHIND} if facts.sees_all else {}


def late_changes(facts: Facts, site: SiteFacts, folded: dict[str, int]) -> Iterator[Finding]:
    for node, revision in nodes_of(facts, site):
        if node.id in folded or not is_behind(facts, node, revision):
            continue
        yield finding(
            facts,
            site,
            NOT_APPLIED,
            WARNING,
            f"The revision {revision} is not applied on the node {node.id}, which has {node.applied}.",
            Repair(job=REREAD_SITE, parameters={"site": site.id}),
            node,
            since_revision=revision,
        )


def refusals(facts: Facts, site: SiteFacts, found: Iterable[tuple[NodeFacts, str]]) -> Iterator[Finding]:
    for node, why in found:
        condition = node.conditions.get(SITE_REFUSED)
        made = finding(
            facts,
            site,
            REFUSED,
            WARNING,
            f"The node {node.id} has refused it: {why}" if facts.sees_all else KEEPS,
            Repair(job=REREAD_SITE, parameters={"site": site.id}),
            node,
        )
        yield made if condition is None else replace_since(made, condition.since)


def replicas(facts: Facts, site: SiteFacts) -> Iterator[Finding]:
    """Yield what is wrong with the number of nodes that serve a site."""
    wish, placed = facts.wishes.get(site.uid), facts.placed.get(site.uid, [])
    whole = [node for node in facts.whole if node.serves]
    if wish is None or not (wish.group or any(group.holds == PLACED for group in facts.groups)):
        return
    serving = [one for one in placed if one.is_serving and facts.nodes[one.node].serves]
    if not placed and not whole:
        group = f"none of the group {wish.group} may get it" if wish.group else "there is no group for it"
        why = f"It is on no node: {group}." if facts.sees_all else "It is on no node."
        yield finding(facts, site, UNPLACED, CRITICAL, why, Repair(FILL))
    elif len(serving) >= wish.replicas or (whole and not placed) or is_new(facts, placed):
        return
    else:
        kind, severity = FEWER_REPLICAS, NOTICE
        if len(serving) < 2:
            kind, severity = (ONE_REPLICA, WARNING) if serving or whole else (NO_REPLICA, CRITICAL)
        lost = [one.node for one in placed if not facts.nodes[one.node].serves]
        why = f"{len(serving)} of {wish.replicas} nodes serve it."
        # No other placement helps a site that does not start where it is.
        waiting = sorted(one.node for one in placed if not one.is_serving and facts.nodes[one.node].serves)
        if lost:
            why = f"{why} Not asked, or silent: {', '.join(sorted(lost))}."
        if waiting:
            why = f"{why} {why_waiting(facts, site, waiting)}"
        repair, node = Repair(f"manage.py multihost_place drain {lost[0]} --apply" if lost else FILL), None
        if waiting and not (lost and serving):
            node = facts.nodes[waiting[0]]
            repair = Repair(job=REREAD_SITE if site.id in node.refused else RESTART_SITE, parameters={"site": site.id})
        yield finding(facts, site, kind, severity, why, repair, node)


def why_waiting(facts: Facts, site: SiteFacts, waiting: list[str]) -> str:
    """Return what is known of why a site is not served by nodes that are asked."""
    refused = [node for node in waiting if site.id in facts.nodes[node].refused]
    late = [node for node in waiting if node not in refused]
    said = [f"Refused by: {', '.join(refused)}."] if refused else []
    if late:
        said.append(f"Its process does not listen on: {', '.join(late)}. Its log there says why.")
    return " ".join(said)


def is_new(facts: Facts, placed: list[PlacementFacts]) -> bool:
    """Return whether a placement is so new that its node need not serve the site yet."""
    return any(
        not one.is_serving and facts.nodes[one.node].serves and not facts.is_late(one.revision) for one in placed
    )


def held(facts: Facts, site: SiteFacts, hold: Hold) -> Finding:
    why = f"It is held until {shown_time(hold.until)}: {hold.reason}"
    return replace_since(finding(facts, site, HOLD_RUNS, NOTICE, why), hold.since)


def finding(
    facts: Facts,
    site: SiteFacts,
    kind: str,
    severity: str,
    reason: str,
    repair: Repair = Repair(),  # noqa: B008  # it is frozen
    node: NodeFacts | None = None,
    since_revision: int = 0,
) -> Finding:
    """
    Return a finding of a site. Only operators are told the commands that only they can run, and the id of a node that
    does not have the site: it says that it was asked for it, and may say so of any.
    """
    return Finding(
        SITE,
        site.id,
        kind,
        severity,
        reason,
        facts.at.get(since_revision),
        repair if facts.sees_all or repair.job else Repair(),
        site.uid,
        node.id if node and (facts.sees_all or facts.has_site(node, site.uid)) else "",
        node.seen_at if node else facts.now,
        node.applied if node else site.revision,
    )


def replace_since(made: Finding, since: datetime | None) -> Finding:
    return replace(made, since=since)

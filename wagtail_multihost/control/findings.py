"""
Findings: which sites and nodes are not as they should be, why, since when, and what repairs them. Everybody is told of
their own sites alone; operators also of nodes, groups, waves, plans and holds.

All of it is read in a number of queries that does not grow with sites and nodes.
"""

from __future__ import annotations

from collections.abc import Iterable

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.finding_facts import read_facts
from wagtail_multihost.control.finding_kinds import SEVERITIES, Finding
from wagtail_multihost.control.fleet_findings import find_in_fleet
from wagtail_multihost.control.site_findings import find_in_sites


def find_findings(authority: Authority) -> list[Finding]:
    """Return all findings that who asks may see, the worst first."""
    facts = read_facts(authority)
    found: list[Finding] = [*find_in_sites(facts)]
    if authority.sees_all:
        found += find_in_fleet(facts)
    return sorted(found, key=lambda one: one.rank)


def count_findings(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings there are of each severity."""
    found = dict.fromkeys(SEVERITIES, 0)
    for one in findings:
        found[one.severity] += 1
    return found

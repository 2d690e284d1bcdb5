"""Findings in words."""

from __future__ import annotations

from wagtail_multihost.control import findings

KINDS = {
    findings.NOT_APPLIED: "A change is not applied",
    findings.REFUSED: "A node has refused it",
    findings.NO_REPLICA: "No node serves it",
    findings.ONE_REPLICA: "One node serves it",
    findings.FEWER_REPLICAS: "Fewer nodes serve it than should",
    findings.UNPLACED: "It is on no node",
    findings.SILENT: "The node is silent",
    findings.DRIFT: "Files differ",
    findings.WENT_BACK: "The registry went back",
    findings.NO_BELL: "The bell is not heard",
    findings.DUPLICATE: "Two machines have one id",
    findings.UNCONFIRMED: "The node's key is not confirmed",
    findings.FAILING: "The node cannot apply",
    findings.DISK_FULL: "The disk is almost full",
    findings.EMPTY_GROUP: "No node of the group serves",
    findings.WAVE_STOPPED: "A wave has stopped",
    findings.PLAN_HAS_STOPPED: "A plan has stopped",
    findings.HOLD_RUNS: "It is held",
}
SEVERITIES = {findings.CRITICAL: "Critical", findings.WARNING: "Warning", findings.NOTICE: "Notice"}
SUBJECTS = {
    findings.SITE: "Site",
    findings.NODE: "Node",
    findings.GROUP: "Group of nodes",
    findings.FLEET: "Fleet",
}


def words_of_counts(counts: dict[str, int]) -> str:
    """Return how many findings there are of each severity, as ``2 critical, 1 warning``; blank if there are none."""
    nouns = {findings.CRITICAL: ("critical", "critical"), findings.WARNING: ("warning", "warnings")}
    nouns[findings.NOTICE] = ("notice", "notices")
    return ", ".join(f"{number} {nouns[name][number > 1]}" for name, number in counts.items() if number)

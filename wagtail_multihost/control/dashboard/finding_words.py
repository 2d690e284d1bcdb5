"""Findings in words."""

from __future__ import annotations

from wagtail_multihost.control import finding_kinds

KINDS = {
    finding_kinds.NOT_APPLIED: "A change is not applied",
    finding_kinds.REFUSED: "A node has refused it",
    finding_kinds.NO_REPLICA: "No node serves it",
    finding_kinds.ONE_REPLICA: "One node serves it",
    finding_kinds.FEWER_REPLICAS: "Fewer nodes serve it than should",
    finding_kinds.UNPLACED: "It is on no node",
    finding_kinds.SILENT: "The node is silent",
    finding_kinds.DRIFT: "Files differ",
    finding_kinds.SERVERS_SILENT: "Servers do not listen",
    finding_kinds.STILL_SERVED: "A site is served that should not be",
    finding_kinds.OLD_FILES: "A server uses older files",
    finding_kinds.ACCOUNTS: "An account is not as it should be",
    finding_kinds.WENT_BACK: "The registry went back",
    finding_kinds.NO_BELL: "The bell is not heard",
    finding_kinds.DUPLICATE: "Two machines have one id",
    finding_kinds.UNCONFIRMED: "The node's key is not confirmed",
    finding_kinds.FAILING: "The node cannot apply",
    finding_kinds.DISK_FULL: "The disk is almost full",
    finding_kinds.EMPTY_GROUP: "No node of the group serves",
    finding_kinds.WAVE_STOPPED: "A wave has stopped",
    finding_kinds.PLAN_HAS_STOPPED: "A plan has stopped",
    finding_kinds.HOLD_RUNS: "It is held",
}
SEVERITIES = {finding_kinds.CRITICAL: "Critical", finding_kinds.WARNING: "Warning", finding_kinds.NOTICE: "Notice"}
SUBJECTS = {
    finding_kinds.SITE: "Site",
    finding_kinds.NODE: "Node",
    finding_kinds.GROUP: "Group of nodes",
    finding_kinds.FLEET: "Fleet",
}


def words_of_counts(counts: dict[str, int]) -> str:
    """Return how many findings there are of each severity, as ``2 critical, 1 warning``; blank if there are none."""
    nouns = {finding_kinds.CRITICAL: ("critical", "critical"), finding_kinds.WARNING: ("warning", "warnings")}
    nouns[finding_kinds.NOTICE] = ("notice", "notices")
    return ", ".join(f"{number} {nouns[name][number > 1]}" for name, number in counts.items() if number)

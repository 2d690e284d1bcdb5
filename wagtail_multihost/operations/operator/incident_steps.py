"""What is kept and told of an incident that was worked on: its kind, its sentence, and whether people hear of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from wagtail_multihost.nodeapi.incident_words import (
    CHANGED,
    CLOSED,
    COURIER,
    COURIER_SILENT,
    DATABASE,
    DISK,
    DISK_FULL,
    FLAPPING,
    FOLDED,
    FRONT,
    JOINED,
    KINDS,
    MANY,
    MONITOR,
    MONITOR_SILENT,
    NODE,
    NODE_SILENT,
    NOTED,
    OF_SITE,
    OPENED,
    OPERATOR,
    OPERATOR_SILENT,
    REOPENED,
    SITE_DOWN,
    SITES_DOWN,
    WRONG_SITE,
)
from wagtail_multihost.nodeapi.probe_states import REASONS
from wagtail_multihost.nodeapi.probe_states import WRONG_SITE as STATE_WRONG_SITE
from wagtail_multihost.operations.operator.incident_facts import Concerned, Incident, Key, Step

#: What kind an incident of a process, or of what a node says of itself, is.
OF_PROCESSES = {
    NODE: NODE_SILENT,
    MONITOR: MONITOR_SILENT,
    COURIER: COURIER_SILENT,
    OPERATOR: OPERATOR_SILENT,
    DISK: DISK_FULL,
}
OVER = "It is over."
ELSEWHERE = "Another incident has what is left of it."
#: Why many sites are down, by the cause.
WHY = {
    DATABASE: "None of them is ready, and their databases are on {subject}.",
    NODE: "They are on the node {subject}.",
    FRONT: "They are so from outside alone: by the front servers, or the way to them.",
    MONITOR: "Their names do not resolve for the monitor that looks from {subject}.",
    MANY: "Nothing is known that they have in common.",
}
SILENT = {
    NODE: "The node {subject} does not report any more.",
    MONITOR: "The monitor that looks from {subject} does not report any more.",
    DISK: "The disk of the node {subject} is full.",
    COURIER: KINDS[COURIER_SILENT],
    OPERATOR: KINDS[OPERATOR_SILENT],
}


@dataclass
class Draft:
    """
    An ``incident`` as it was, and what it becomes: ``hostnames``, the ``cause``, and whether it ``is_over``. One that
    ``is_of_process`` lasts as long as the process is silent, one that is ``folded`` ends in another one.
    """

    incident: Incident
    hostnames: dict[Key, Concerned]
    is_new: bool = False
    is_reopened: bool = False
    is_of_process: bool = False
    is_over: bool = False
    folded: UUID | None = None

    def __post_init__(self) -> None:
        self.cause = self.incident.cause
        self.is_flapping = self.incident.kind == FLAPPING and self.incident.till is None

    def open_keys(self) -> set[Key]:
        """Return the hostnames that are bad, or that nobody has looked at since they were."""
        return {key for key, one in self.hostnames.items() if one.till is None}


def step_of(draft: Draft, now: float) -> Step | None:
    """Return what changes of an incident; None if nothing does."""
    before = draft.incident
    changed = tuple(one for key, one in draft.hostnames.items() if before.hostnames.get(key) != one)
    count = len({one.uid for one in draft.hostnames.values()})
    kind = kind_of(draft)
    is_other = (kind, draft.cause) != (before.kind, before.cause)
    if not (changed or is_other or draft.is_over or draft.is_new or draft.is_reopened):
        return None
    after = before._replace(
        kind=kind,
        cause=draft.cause,
        site=next((one.uid for one in draft.hostnames.values()), None) if draft.cause.word == OF_SITE else None,
        till=now if draft.is_over else None,
        sites=max(count, before.sites),
        hostnames=draft.hostnames,
    )
    summary = summarize(draft, kind, after.sites)
    word, line_kind, line = tell(draft, is_other=is_other, grows=after.sites > before.sites, summary=summary)
    return Step(after, summary, word, line_kind, line, changed, draft.folded)


def kind_of(draft: Draft) -> str:
    word = draft.cause.word
    if draft.is_over or (word in OF_PROCESSES and not (draft.is_of_process or draft.open_keys())):
        return draft.incident.kind or SITES_DOWN
    if draft.is_of_process or word in (DISK, COURIER, OPERATOR):
        return OF_PROCESSES[word]
    if draft.is_flapping:
        return FLAPPING
    if draft.cause.is_shared:
        return SITES_DOWN
    states = {draft.hostnames[key].state for key in draft.open_keys()}
    return (WRONG_SITE if STATE_WRONG_SITE in states else SITE_DOWN) if states else draft.incident.kind


def tell(draft: Draft, *, is_other: bool, grows: bool, summary: str) -> tuple[str, str, str]:
    """Return what people are told (blank: nothing), and the kind and the text of the line."""
    if draft.folded is not None:
        return "", FOLDED, ELSEWHERE
    if draft.is_over:
        return CLOSED, CLOSED, OVER
    if draft.is_reopened:
        return OPENED, REOPENED, summary
    if draft.is_new:
        return OPENED, OPENED, summary
    if is_other:
        return CHANGED, CHANGED, summary
    return ("", JOINED, summary) if grows else ("", NOTED, "")


def summarize(draft: Draft, kind: str, count: int) -> str:
    """Return the sentence of an incident, of words of ours, ids and names of servers."""
    word, subject = draft.cause
    down = f"{count} {'site is' if count == 1 else 'sites are'} down"
    if kind in OF_PROCESSES.values():
        said = SILENT[word].format(subject=subject) if subject or word != NODE else "Several nodes report no more."
        return f"{said} With it, {down}." if count else said
    if kind == FLAPPING:
        who = subject if word == OF_SITE else f"{count} sites"
        return f"{who}: {KINDS[FLAPPING]}"
    if word != OF_SITE:
        return f"{down}. {WHY[word].format(subject=subject or 'several nodes')}"
    if kind == WRONG_SITE:
        return f"{subject}: {KINDS[WRONG_SITE]}"
    reasons = sorted({REASONS.get(one.reason, "") for one in draft.hostnames.values() if one.till is None} - {""})
    return " ".join([f"{subject} is down.", *reasons[:2]])

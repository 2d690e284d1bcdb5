"""
What an alert says, in words of ours: ids of sites, hostnames, and words of closed lists. Nothing is in it that a site
has answered or a node has written.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from wagtail_multihost.nodeapi.alerts_v1 import MOST_NAMED
from wagtail_multihost.nodeapi.incident_words import (
    CAUSES,
    CHANGED,
    CLOSED,
    FLAPPING,
    KINDS,
    OF_SITE,
    SHARED,
    TEST,
    WRONG_SITE,
)
from wagtail_multihost.nodeapi.probe_states import OUTSIDE, REASONS, STATES
from wagtail_multihost.spec.printing import one_line

#: How Apprise marks a message (https://github.com/caronc/apprise).
FAILURE, SUCCESS, WARNING, INFO = "failure", "success", "warning", "info"
TEST_TITLE, TEST_BODY = "A test of alerts", "Somebody has asked for this message. Nothing is wrong."
NAME_LENGTH = 253


class Alert(NamedTuple):
    """
    What one recipient is to be told of an incident, with the ``lease`` that is the right to report. ``sites`` is how
    many of its sites are concerned, of which ``names`` and ``hostnames`` have the first; it ``is_all`` who is told of
    everything.
    """

    id: UUID
    lease: UUID
    recipient: str
    word: str
    kind: str
    cause: str
    subject: str
    began: float | None
    lasted: float | None
    sites: int
    names: list[str]
    hostnames: list[list[Any]]
    is_all: bool


class Message(NamedTuple):
    """What is sent."""

    title: str
    body: str
    mark: str


def describe(alert: Alert) -> Message:
    """Return the message of an alert."""
    if alert.word == TEST:
        return Message(TEST_TITLE, f"{TEST_BODY}\n{footer(alert)}", INFO)
    headline = headline_of(alert)
    title = f"Over: {headline}" if alert.word == CLOSED else headline
    mark = SUCCESS if alert.word == CLOSED else WARNING if alert.word == CHANGED else FAILURE
    lines = [KINDS.get(alert.kind, ""), cause_line(alert), names_line(alert), *hostname_lines(alert), time_line(alert)]
    return Message(title, "\n".join([*filter(None, lines), footer(alert)]), mark)


def headline_of(alert: Alert) -> str:
    if alert.cause in SHARED or alert.cause == OF_SITE:
        if alert.sites == 1 and alert.names:
            name = one_line(alert.names[0])
            return {WRONG_SITE: f"Another site answers for {name}", FLAPPING: f"{name} flaps"}.get(
                alert.kind, f"{name} is down"
            )
        if alert.sites:
            return f"{alert.sites} sites are down"
    return KINDS.get(alert.kind, "Something is wrong.").rstrip(".")


def cause_line(alert: Alert) -> str:
    if alert.cause == OF_SITE or alert.cause not in CAUSES:
        return ""
    subject = f" ({one_line(alert.subject)})" if alert.subject else ""
    return f"The cause: {CAUSES[alert.cause]}{subject}."


def names_line(alert: Alert) -> str:
    if not alert.names:
        return ""
    more = f" and {alert.sites - len(alert.names)} more" if alert.sites > len(alert.names) else ""
    return f"Sites: {', '.join(map(one_line, alert.names[:MOST_NAMED]))}{more}."


def hostname_lines(alert: Alert) -> list[str]:
    """Return a line for each hostname; what came of it is a word of the lists, or it is not said."""
    lines = []
    for hostname, place, state, reason, code in alert.hostnames[:MOST_NAMED]:
        seen = "from outside" if place == OUTSIDE else f"on the node {one_line(place)}" if alert.is_all else "inside"
        said = state if state in STATES else "bad"
        status = f", status {int(code)}" if isinstance(code, int) and code else ""
        why = f" {REASONS[reason]}" if REASONS.get(reason) else ""
        lines.append(f"- {one_line(hostname)[:NAME_LENGTH]}, seen {seen}: {said}{status}.{why}")
    return lines


def time_line(alert: Alert) -> str:
    if alert.lasted is not None:
        return f"It lasted {length_of(alert.lasted)}."
    return f"It began {length_of(alert.began)} ago." if alert.began is not None else ""


def length_of(seconds: float) -> str:
    """Return a length as people say it."""
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "less than a minute"


def footer(alert: Alert) -> str:
    """Return by what people see that a message has come twice."""
    return f"Alert {str(alert.id)[:8]}, to {one_line(alert.recipient)}."

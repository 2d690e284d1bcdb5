"""Nodes, and what they say of themselves, in words. What a node said itself is bounded, and shown as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from django.utils.text import Truncator

from wagtail_multihost.control.finding_facts import MESSAGE_LENGTH, said
from wagtail_multihost.control.node_status import IS_HELD_BACK, NodeRow
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    ALL,
    APPLIED,
    AWAY,
    CERTIFICATE_MISSING,
    CHANGED_HERE,
    DISK,
    DRAINING,
    DRIFT,
    DUPLICATE_NODE,
    FRONT,
    HEALING,
    HELD,
    IS_DRAINING,
    JOINING,
    MONITOR_REFUSED,
    MONITOR_SILENT,
    NO_BELL,
    NODE_REFUSED,
    PLACED,
    REGISTRY_UNREACHABLE,
    REGISTRY_WENT_BACK,
    SITE_REFUSED,
    STARTING,
    UNHEALTHY,
    UNLISTED,
)

STATE_WORDS = {
    JOINING: "Joining: it has not applied anything yet.",
    ACTIVE: "Active: front servers ask it.",
    DRAINING: "Draining: front servers ask it no longer.",
    AWAY: "Away: it is not waited for.",
}
STATE_LABELS = {state: words.partition(":")[0] for state, words in STATE_WORDS.items()}
HOLDS_WORDS = {
    ALL: "each of its nodes holds all sites",
    PLACED: "each of its nodes holds the sites that are placed on it",
    FRONT: "front servers, which hold no site",
}
#: What each condition means where it says that something is wrong.
CONDITION_WORDS = {
    APPLIED: "It could not apply the last change",
    DRIFT: "It has something else than it should have",
    SITE_REFUSED: "It does not accept the newest records of sites",
    NO_BELL: "It does not hear of changes at once",
    REGISTRY_UNREACHABLE: "It does not reach the registry",
    REGISTRY_WENT_BACK: "It has seen a later state of the registry",
    IS_DRAINING: "It leaves",
    DISK: "Its disk is nearly full",
    DUPLICATE_NODE: "Two machines report under its id",
    HELD: "Something on it is held",
    UNLISTED: "It has files of sites that the registry neither lists nor says are gone",
    STARTING: "Processes of sites do not listen yet",
    CERTIFICATE_MISSING: "It has no certificate for hostnames",
    NODE_REFUSED: "It does not ask nodes whose addresses it does not accept",
    CHANGED_HERE: "Sites were changed on the node itself",
    MONITOR_SILENT: "The monitor beside its agent says nothing",
    MONITOR_REFUSED: "What the monitor beside its agent says is not used",
    HEALING: "Sites do not answer there",
    UNHEALTHY: "It has said that it is unhealthy, to be replaced",
}
NEVER = "Never"
#: Of what a node says, which may be anything, so much is shown; in a list, so many characters of each message.
MOST_SAID, SHORT = 20, 100


def condition_in_words(condition: Mapping[str, Any], most: int = MESSAGE_LENGTH) -> str:
    """Return what a condition means that says that something is wrong; one of a later version by its name."""
    kind = str(condition["type"])
    meaning = CONDITION_WORDS.get(kind, said(kind))
    message = Truncator(said(condition["message"])).chars(most)
    return f"{meaning}: {message}" if message else meaning


def problems_in_words(row: NodeRow) -> Iterator[str]:
    """Yield in short what is wrong with a node, as it said and as others see it."""
    if row.is_duplicate and not any(one["type"] == DUPLICATE_NODE for one in row.wrong):
        yield CONDITION_WORDS[DUPLICATE_NODE]
    for condition in islice(row.wrong, MOST_SAID):
        yield condition_in_words(condition, SHORT)
    if row.held_back is not None:
        yield IS_HELD_BACK.rstrip(".")


def applied_in_words(row: NodeRow, head: int) -> str:
    """Return which revision a node has applied, and how far that is behind the registry's."""
    if row.seen_at is None:
        return NEVER
    behind = head - row.applied
    return f"{row.applied}, {behind} behind" if behind > 0 else f"{row.applied}, the newest"


def sites_in_words(row: NodeRow) -> str:
    """Return how many sites are placed on a node."""
    if row.holds == FRONT:
        return "none"
    return "all" if row.sites is None else str(row.sites)

"""Availability in words: shares, states, reasons, from where something was seen, and how long it lasted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta

from wagtail_multihost.control.dashboard.foreign_text import line_of
from wagtail_multihost.control.dashboard.status import DISABLED, STATUSES
from wagtail_multihost.nodeapi import probe_states

STATE_LABELS = {
    probe_states.UP: "Up",
    probe_states.DOWN: "Down",
    probe_states.WRONG_SITE: "Another site answers",
    probe_states.MAINTENANCE: "Maintenance",
    probe_states.SUSPENDED: "Suspended",
    probe_states.UNKNOWN: "Not known",
    DISABLED: STATUSES[DISABLED],
}
OUTSIDE_WORDS = "from outside"
#: Of a word that this version does not know so much is shown.
WORD_LENGTH = 40
#: So many nodes are named.
NAMED = 3
NOT_OBSERVED = "Not observed"


def places_in_words(places: Iterable[str]) -> str:
    """Return from where something was seen; of many nodes how many. Blank if from nowhere."""
    found = sorted(set(places))
    nodes = [place for place in found if place != probe_states.OUTSIDE]
    words = [OUTSIDE_WORDS] if probe_states.OUTSIDE in found else []
    if len(nodes) > NAMED:
        words.append(f"on {len(nodes)} nodes")
    elif nodes:
        words.append(f"on {' and '.join(', '.join(nodes).rsplit(', ', 1))}")
    return " and ".join(words)


def reason_in_words(reason: str, code: int | None) -> str:
    """Return why something is as it is; blank if that is not said, and one of a later version by its name."""
    words = probe_states.REASONS.get(reason, line_of(reason, WORD_LENGTH))
    return f"{words} ({code})" if words and code else words


def state_in_words(state: str) -> str:
    """Return a state; one of a later version by its name."""
    return STATE_LABELS.get(state, line_of(state, WORD_LENGTH))


def length_in_words(length: timedelta) -> str:
    """Return how long something lasts, with its two largest units: ``2 d 3 h``, ``4 min 5 s``."""
    seconds = max(0, math.floor(length.total_seconds()))
    units = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")]
    found: list[tuple[int, str]] = []
    for size, name in units:
        number, seconds = divmod(seconds, size)
        if number or found:
            found.append((number, name))
    return " ".join(f"{number} {name}" for number, name in found[:2] if number) or "less than a second"

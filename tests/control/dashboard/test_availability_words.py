"""Availability and incidents in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from wagtail_multihost.control.availability import Availability, share_in_words
from wagtail_multihost.control.dashboard.availability_words import (
    STATE_LABELS,
    length_in_words,
    places_in_words,
    reason_in_words,
    state_in_words,
)
from wagtail_multihost.control.dashboard.incident_words import KINDS, LINES, line_in_words, title_of_kind
from wagtail_multihost.nodeapi import incident_words
from wagtail_multihost.nodeapi.probe_states import OUTSIDE, REASONS, STATES

DAY = 86_400.0


@pytest.mark.parametrize(
    ("up", "down", "maintenance", "unknown", "words"),
    [
        (DAY, 0, 0, 0, "100 %"),
        (DAY - 864, 864, 0, 0, "99 %"),
        (DAY - 1e-6, 1e-6, 0, 0, "99.99 %"),
        (97.9, 0, 0, 2.1, "No outage seen, 2.1 % not observed"),
        (0, 0, 0, DAY, "Not observed"),
        (0, 0, 0, 0, "Not observed"),
    ],
)
def test_share_says_no_more_than_was_seen(
    up: float, down: float, maintenance: float, unknown: float, words: str
) -> None:
    assert share_in_words(Availability(up, down, maintenance, unknown)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "less than a second"),
        (0.4, "less than a second"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (86_400 + 59, "1 d"),
        (90_000, "1 d 1 h"),
        (40 * 86_400, "40 d"),
    ],
)
def test_lengths_have_two_units_at_most(seconds: float, words: str) -> None:
    assert length_in_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ([], ""),
        ([OUTSIDE], "from outside"),
        (["web-1"], "on web-1"),
        (["web-2", "web-1", "web-2"], "on web-1 and web-2"),
        (["c", "a", "b"], "on a, b and c"),
        (["d", "c", "b", "a"], "on 4 nodes"),
        (["web-1", OUTSIDE], "from outside and on web-1"),
    ],
)
def test_places_are_named_while_they_are_few(places: list[str], words: str) -> None:
    assert places_in_words(places) == words


def test_every_word_of_the_closed_lists_is_told() -> None:
    assert [state for state in STATES if state not in STATE_LABELS] == []
    assert set(KINDS) == set(incident_words.KINDS)
    assert set(LINES) == set(incident_words.LINE_KINDS)
    assert [reason for reason in REASONS if reason and reason_in_words(reason, None) == reason] == []


def test_words_of_a_later_version_are_told_as_they_are() -> None:
    assert state_in_words("asleep") == "asleep"
    assert reason_in_words("moon", None) == "moon"
    assert (title_of_kind("site-lost"), line_in_words("seen")) == ("site-lost", "seen")


def test_reason_has_the_status() -> None:
    assert reason_in_words("status", 502) == "The status is another than the expected one. (502)"
    assert reason_in_words("", 200) == ""

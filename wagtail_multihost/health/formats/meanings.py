"""The meanings of status words and codes, as sentences for people."""

from __future__ import annotations

from wagtail_multihost.health.probe import CODES, Probe

WORDS = {
    "pass": "All probes pass.",
    "warn": "It works, and something needs attention.",
    "fail": "Something that is needed does not work.",
    "draining": "It finishes what it has begun, and takes no new visitors.",
    "starting": "No probe has run yet.",
    "stale": "The last results are too old to be believed.",
}


def meaning_of_word(word: str) -> str:
    return WORDS[word]


def meaning_of_code(probe: Probe, code: str) -> str:
    """Return the sentence that the probe declares for ``code``; blank if it declares none."""
    return probe.codes.get(code) or CODES.get(code, "")

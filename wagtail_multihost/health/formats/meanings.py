"""What words and codes mean, in sentences for people."""

from __future__ import annotations

from wagtail_multihost.health.probe import CODES, Probe

WORDS = {
    "pass": "All that is looked at works.",
    "warn": "It works, and something needs attention.",
    "fail": "Something that is needed does not work.",
    "draining": "It works on what it has, and takes no new visitors.",
    "starting": "Nothing has been looked at yet.",
    "stale": "What is known is too old to be believed.",
}


def meaning_of_word(word: str) -> str:
    return WORDS[word]


def meaning_of_code(probe: Probe, code: str) -> str:
    """Return the sentence that the probe declares for ``code``; blank for one that it does not declare."""
    return probe.codes.get(code) or CODES.get(code, "")

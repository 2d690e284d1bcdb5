"""Incidents in words."""

from __future__ import annotations

from wagtail_multihost.control.dashboard.foreign_text import line_of
from wagtail_multihost.nodeapi import incident_words

#: Of a word that this version does not know so much is shown.
WORD_LENGTH = 40
KINDS = {
    incident_words.SITE_DOWN: "Site down",
    incident_words.WRONG_SITE: "Another site answers",
    incident_words.FLAPPING: "Down again and again",
    incident_words.SITES_DOWN: "Many sites down",
    incident_words.NODE_SILENT: "Node silent",
    incident_words.DISK_FULL: "Disk full",
    incident_words.MONITOR_SILENT: "Nobody looks",
    incident_words.OPERATOR_SILENT: "Operator process silent",
    incident_words.COURIER_SILENT: "Courier silent",
}
LINES = {
    incident_words.OPENED: "Opened",
    incident_words.CHANGED: "Changed",
    incident_words.CLOSED: "Over",
    incident_words.NOTED: "Noted",
    incident_words.JOINED: "More sites",
    incident_words.FOLDED: "Taken into another incident",
    incident_words.REOPENED: "Open again",
    incident_words.HEALED: "Done about it",
}


def title_of_kind(kind: str) -> str:
    """Return what a kind of incidents is called; one of a later version by its name."""
    return KINDS.get(kind, line_of(kind, WORD_LENGTH))


def line_in_words(kind: str) -> str:
    """Return what kind of thing happened in an incident; one of a later version by its name."""
    return LINES.get(kind, line_of(kind, WORD_LENGTH))


def alert_in_words(word: str) -> str:
    """Return what somebody is told of an incident; one of a later version by its name."""
    return LINES.get(word, line_of(word, WORD_LENGTH))


def cause_in_words(cause: str) -> str:
    """Return a cause without the name of the server or node that it is."""
    return incident_words.CAUSES.get(cause, line_of(cause, WORD_LENGTH))

"""Conditional requests (RFC 9110 section 13): nobody overwrites what they have not read."""

from __future__ import annotations

import re
from typing import Annotated

from ninja import Header

from wagtail_multihost.control.api.problems import (
    BAD_REQUEST,
    PRECONDITION_FAILED,
    PRECONDITION_REQUIRED,
    RefusedRequestError,
)
from wagtail_multihost.control.changes import Edit
from wagtail_multihost.control.declared_keys import Table

ANY = "*"
ETAG = r'(?:W/)?"[!#-~]{0,40}"'
ETAGS = re.compile(rf"{ETAG}(?:[ \t]*,[ \t]*{ETAG}){{0,9}}")
NOT_READ = "State the ETag of what you read in If-Match, so that nobody's change is lost; * stands for any."
EXISTS = "There is one already, and If-None-Match: * asks for a new one."
NONE = "There is none yet, and If-Match asks for one."
STALE = "It was changed since it was read. Read it again."
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="The ETag of what was read, with its quotes, or *.", examples=['"3"']),
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="* alone: make it only if there is none.", examples=["*"])
]


def etag_of(generation: int) -> str:
    return f'"{generation}"'


def expected_generation(if_match: str | None, generation: int) -> int | None:
    """
    Return the generation that a change must find, None for any. ``generation`` is the one that was just read. Raises
    RefusedRequestError if none is stated, or if what is stated is something else.
    """
    if if_match is None:
        raise RefusedRequestError(PRECONDITION_REQUIRED, NOT_READ)
    text = if_match.strip()
    if text == ANY:
        return None
    if not ETAGS.fullmatch(text):
        raise RefusedRequestError(BAD_REQUEST, 'If-Match must be an ETag as it was given, with its quotes ("3"), or *.')
    # A weak one never matches (RFC 9110 section 13.1.1).
    if etag_of(generation) not in re.findall(ETAG, text):
        raise RefusedRequestError(PRECONDITION_FAILED, STALE)
    return generation


def only_new(if_none_match: str | None) -> bool:
    """Return whether the request may make something new only."""
    if if_none_match is None:
        return False
    if if_none_match.strip() != ANY:
        raise RefusedRequestError(BAD_REQUEST, "If-None-Match is accepted here as * alone.")
    return True


def unless_it_changes(edit: Edit) -> Edit:
    """Return an edit that is refused for want of If-Match as soon as it changes anything."""

    def careful(before: Table) -> Table:
        after = edit(before)
        if dict(after) != dict(before):
            raise RefusedRequestError(PRECONDITION_REQUIRED, NOT_READ)
        return after

    return careful


def expectation(if_match: str | None, generation: int, edit: Edit) -> tuple[Edit, int | None]:
    """Return the edit to make and the generation that it must find."""
    if if_match is None:
        return unless_it_changes(edit), None
    return edit, expected_generation(if_match, generation)

"""
From what a probe met to what it means for a hostname. Nothing here asks anybody: what was answered comes in as facts,
and of an answer's text no more than whether it fits.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from wagtail_multihost.nodeapi.probe_files import Page, Target
from wagtail_multihost.nodeapi.probe_states import (
    CONTENT,
    DOWN,
    MAINTENANCE,
    NO_PROOF,
    NOT_READY,
    REDIRECT,
    STATUS,
    SUSPENDED,
    UNKNOWN,
    UP,
    WRONG_PROOF,
    WRONG_SITE,
)

OK = 200
REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: What a front server answers in the place of a site in that state.
EXPECTED = {MAINTENANCE: 503, SUSPENDED: 403}


class Answer(NamedTuple):
    """
    What one request met: a ``status``, or the ``reason`` why there is none. ``signer`` is whose proof the answer has,
    None for nobody's that is known. ``is_ours`` says that the fault may be the monitor's own. ``has_text`` says whether
    the text was found that a page must have.
    """

    status: int = 0
    reason: str = ""
    location: str = ""
    has_proof: bool = False
    signer: UUID | None = None
    is_ours: bool = False
    has_text: bool = True
    milliseconds: int | None = None
    certificate_until: float | None = None


class Judgement(NamedTuple):
    """What one probe says of a hostname."""

    state: str
    reason: str = ""
    code: int = 0
    seen_uid: UUID | None = None


def judge(target: Target, answer: Answer, pages: tuple[tuple[Page, Answer], ...] = ()) -> Judgement:
    """Return what the answer about a target's readiness, and those of the ``pages`` asked besides, say of it."""
    found = judge_readiness(target, answer) if target.path else Judgement(UP)
    if found.state != UP or target.state in EXPECTED:
        return found
    faults = (judge_page(page, one) for page, one in pages)
    return next((fault for fault in faults if fault.state != UP), found)


def judge_readiness(target: Target, answer: Answer) -> Judgement:
    """Return what one answer says: of a site that is closed on purpose, that it is, unless another site answers."""
    if answer.signer is not None and answer.signer != target.uid:
        return Judgement(WRONG_SITE, WRONG_PROOF, answer.status, answer.signer)
    if target.state in EXPECTED:
        is_expected = not answer.reason and answer.status == EXPECTED[target.state]
        return Judgement(target.state, "" if is_expected else answer.reason or STATUS, answer.status)
    if answer.reason:
        return Judgement(UNKNOWN if answer.is_ours else DOWN, answer.reason, answer.status)
    if answer.signer == target.uid:
        return Judgement(UP, "", OK) if answer.status == OK else Judgement(DOWN, NOT_READY, answer.status)
    return judge_unsigned(target, answer)


def judge_unsigned(target: Target, answer: Answer) -> Judgement:
    """Return what an answer says of which nobody knows whose it is."""
    if target.canonical and is_redirect_to(answer, target.canonical, target.path):
        return Judgement(UP, "", answer.status)
    if answer.status in REDIRECTS:
        return Judgement(DOWN, REDIRECT, answer.status)
    if answer.has_proof and target.key:
        return Judgement(DOWN, WRONG_PROOF, answer.status)
    if answer.status != OK:
        return Judgement(DOWN, STATUS, answer.status)
    return Judgement(DOWN if target.key and target.proves else UP, NO_PROOF, answer.status)


def judge_page(page: Page, answer: Answer) -> Judgement:
    if answer.reason:
        return Judgement(UNKNOWN if answer.is_ours else DOWN, answer.reason, answer.status)
    if answer.status != page.status:
        return Judgement(DOWN, REDIRECT if answer.status in REDIRECTS else STATUS, answer.status)
    return Judgement(UP, "", answer.status) if answer.has_text else Judgement(DOWN, CONTENT, answer.status)


def is_redirect_to(answer: Answer, hostname: str, path: str) -> bool:
    """Return whether an answer redirects to the same path of ``hostname``, at any port of http or https."""
    try:
        parts = urlsplit(answer.location)
        host = parts.hostname
    except ValueError:
        return False
    is_web = answer.status in REDIRECTS and parts.scheme in ("http", "https")
    return is_web and host == hostname and with_query(parts.path, parts.query) == path and parts.username is None


def is_upgrade(answer: Answer, hostname: str, path: str) -> bool:
    """Return whether an answer over http redirects to the same address over https, which is asked then."""
    return answer.location.startswith("https://") and is_redirect_to(answer, hostname, path)


def with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path

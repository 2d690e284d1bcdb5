"""From what a probe met to what it means."""

from __future__ import annotations

from uuid import UUID

import pytest

from wagtail_multihost.monitor.judging import Answer, Judgement, judge
from wagtail_multihost.nodeapi.probe_files import Page, Target
from wagtail_multihost.nodeapi.probe_states import DOWN, MAINTENANCE, SUSPENDED, UNKNOWN, UP, WRONG_SITE

OWN, OTHER = UUID(int=1), UUID(int=2)
TARGET = Target("aurora.example", "aurora", OWN, b"k" * 32)
PROVEN = Answer(200, has_proof=True, signer=OWN)


def moved(location: str, status: int = 301) -> Answer:
    return Answer(status, location=location)


@pytest.mark.parametrize(
    ("target", "answer", "expected"),
    [
        (TARGET, PROVEN, Judgement(UP, "", 200)),
        (TARGET, PROVEN._replace(status=503), Judgement(DOWN, "not-ready", 503)),
        (TARGET, Answer(reason="timeout"), Judgement(DOWN, "timeout")),
        (TARGET, Answer(reason="timeout", is_ours=True), Judgement(UNKNOWN, "timeout")),
        (TARGET, Answer(500), Judgement(DOWN, "status", 500)),
        (TARGET, Answer(200), Judgement(UP, "no-proof", 200)),
        (TARGET._replace(key=b""), Answer(200), Judgement(UP, "no-proof", 200)),
        (TARGET._replace(proves=True), Answer(200), Judgement(DOWN, "no-proof", 200)),
        (TARGET._replace(proves=True, key=b""), Answer(200), Judgement(UP, "no-proof", 200)),
        (TARGET, Answer(200, has_proof=True), Judgement(DOWN, "wrong-proof", 200)),
        (TARGET._replace(key=b""), Answer(200, has_proof=True), Judgement(UP, "no-proof", 200)),
        (TARGET, Answer(200, has_proof=True, signer=OTHER), Judgement(WRONG_SITE, "wrong-proof", 200, OTHER)),
        (TARGET, Answer(503, has_proof=True, signer=OTHER), Judgement(WRONG_SITE, "wrong-proof", 503, OTHER)),
        (TARGET._replace(key=b""), PROVEN._replace(signer=OTHER), Judgement(WRONG_SITE, "wrong-proof", 200, OTHER)),
        (TARGET, moved("https://aurora.example/login"), Judgement(DOWN, "redirect", 301)),
        (TARGET, PROVEN._replace(reason="too-large"), Judgement(DOWN, "too-large", 200)),
    ],
)
def test_answer_means_what_it_says(target: Target, answer: Answer, expected: Judgement) -> None:
    """A site can prove only itself; whatever else answers in its place is named."""
    assert judge(target, answer) == expected


@pytest.mark.parametrize(
    ("location", "state"),
    [
        ("https://aurora.example/-/ready", UP),
        ("http://aurora.example:8080/-/ready", UP),
        ("https://evil.example/-/ready", DOWN),
        ("https://aurora.example/", DOWN),
        ("https://aurora.example.evil.example/-/ready", DOWN),
        ("https://x@aurora.example/-/ready", DOWN),
        ("ftp://aurora.example/-/ready", DOWN),
        ("//aurora.example/-/ready", DOWN),
        ("https://[aurora.example/-/ready", DOWN),
        ("", DOWN),
    ],
)
def test_hostname_that_redirects_is_up_if_it_leads_to_its_own_site(location: str, state: str) -> None:
    """And to nowhere else."""
    target = TARGET._replace(hostname="www.aurora.example", canonical="aurora.example")
    assert judge(target, moved(location)).state == state


@pytest.mark.parametrize(("state", "status"), [(MAINTENANCE, 503), (SUSPENDED, 403)])
def test_closed_site_is_as_expected(state: str, status: int) -> None:
    """Its page is no fault; that another one is shown, or none, is told as the reason."""
    target = TARGET._replace(state=state)
    assert judge(target, Answer(status)) == Judgement(state, "", status)
    assert judge(target, Answer(502)) == Judgement(state, "status", 502)
    assert judge(target, Answer(reason="refused")) == Judgement(state, "refused")
    assert judge(target, PROVEN) == Judgement(state, "status", 200)
    assert judge(target, PROVEN._replace(signer=OTHER)).state == WRONG_SITE


def test_page_that_is_not_as_it_should_be_makes_a_ready_site_bad() -> None:
    """The first fault counts; the pages of a site that is not ready say nothing more."""
    first, second = Page("/", 200, "Welcome"), Page("/gone/", 410)
    good = (first, Answer(200)), (second, Answer(410))
    assert judge(TARGET, PROVEN, good) == Judgement(UP, "", 200)
    assert judge(TARGET, PROVEN, ((first, Answer(200, has_text=False)), good[1])) == Judgement(DOWN, "content", 200)
    assert judge(TARGET, PROVEN, (good[0], (second, Answer(200)))) == Judgement(DOWN, "status", 200)
    assert judge(TARGET, PROVEN, ((first, moved("/")), good[1])) == Judgement(DOWN, "redirect", 301)
    assert judge(TARGET, PROVEN, ((first, Answer(reason="reset")),)) == Judgement(DOWN, "reset")
    assert judge(TARGET, PROVEN, ((first, Answer(reason="dns", is_ours=True)),)).state == UNKNOWN
    assert judge(TARGET, Answer(500), ((first, Answer(200)),)) == Judgement(DOWN, "status", 500)
    assert judge(TARGET._replace(path=""), Answer(), good) == Judgement(UP)

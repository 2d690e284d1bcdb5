"""From single probes to what counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_multihost.monitor.concluding import Standing
from wagtail_multihost.monitor.judging import Answer, Judgement
from wagtail_multihost.nodeapi.probe_files import Observation
from wagtail_multihost.nodeapi.probe_states import BAD, DOWN, MAINTENANCE, UNKNOWN, UP, WRONG_SITE

GOOD, BUSY = Judgement(UP, "", 200), Judgement(MAINTENANCE, "", 503)
SLOW, BROKEN, WRONG = Judgement(DOWN, "timeout"), Judgement(DOWN, "status", 500), Judgement(WRONG_SITE, "wrong-proof")
NOBODY = Judgement(UNKNOWN, "dns")


def stand(*judgements: Judgement) -> Standing:
    """Return what counts after these, a second between each, from second 1 on."""
    standing = Standing(Observation("a.example"))
    for number, judgement in enumerate(judgements, 1):
        standing.note(judgement, Answer(milliseconds=number), float(number))
    return standing


@pytest.mark.parametrize(
    ("judgements", "state", "reason", "since"),
    [
        ([GOOD], UP, "", 1),
        ([SLOW, SLOW], DOWN, "timeout", 1),
        ([SLOW, BROKEN], DOWN, "status", 1),
        ([SLOW, WRONG], WRONG_SITE, "wrong-proof", 1),
        ([SLOW, GOOD], UP, "", 2),
        ([GOOD, SLOW], UP, "", 1),
        ([GOOD, SLOW, GOOD, SLOW], UP, "", 1),
        ([GOOD, SLOW, SLOW], DOWN, "timeout", 2),
        ([GOOD, GOOD, SLOW, BROKEN, GOOD], UP, "", 5),
        ([GOOD, BUSY], MAINTENANCE, "", 2),
        ([SLOW, SLOW, BUSY], MAINTENANCE, "", 3),
        # The way in which it is bad changes once two agree on that; since when it is bad does not.
        ([SLOW, SLOW, BROKEN], DOWN, "timeout", 1),
        ([SLOW, SLOW, BROKEN, SLOW, BROKEN, SLOW], DOWN, "timeout", 1),
        ([SLOW, SLOW, BROKEN, BROKEN], DOWN, "status", 1),
        ([SLOW, SLOW, WRONG, WRONG], WRONG_SITE, "wrong-proof", 3),
        ([GOOD, NOBODY], UP, "", 1),
        ([GOOD, NOBODY, NOBODY], UNKNOWN, "dns", 2),
        ([NOBODY, NOBODY, GOOD], UP, "", 3),
        ([GOOD, NOBODY, SLOW], UP, "", 1),
    ],
)
def test_two_bad_probes_or_one_good_one_count(
    judgements: list[Judgement], state: str, reason: str, since: float
) -> None:
    """It is bad since the first of those that agree."""
    known = stand(*judgements).observation
    assert (known.state, known.reason, known.since) == (state, reason, since)


def test_nothing_counts_after_one_bad_probe() -> None:
    """A start says nothing of a hostname that it has not looked at twice."""
    standing = stand(SLOW)
    assert (standing.is_concluded, standing.is_doubtful) == (False, True)
    assert not stand(GOOD).is_doubtful
    assert stand(GOOD, SLOW).is_doubtful
    assert not stand(GOOD, SLOW, GOOD).is_doubtful


def test_note_within_the_same_state_needs_two_that_agree() -> None:
    """A site without a proof stays up, and is no change with every probe."""
    noted = Judgement(UP, "no-proof", 200)
    assert stand(GOOD, noted).observation.reason == ""
    assert stand(GOOD, noted, noted).observation.reason == "no-proof"
    assert stand(GOOD, noted, noted).observation.since == 1


def test_certificate_and_latency_are_those_of_the_newest_probe_that_had_them() -> None:
    """One that could not connect says nothing of the certificate."""
    standing = Standing(Observation("a.example"))
    standing.note(GOOD, Answer(milliseconds=7, certificate_until=500.0), 1.0)
    standing.note(SLOW, Answer(), 2.0)
    assert (standing.observation.milliseconds, standing.observation.certificate_until) == (None, 500.0)


def test_what_nobody_looks_at_is_unknown() -> None:
    """Once, and since the time that is given; another probe makes it known again."""
    standing = stand(GOOD)
    assert standing.lose(60.0)
    assert not standing.lose(61.0)
    assert (standing.observation.state, standing.observation.since) == (UNKNOWN, 60.0)
    assert standing.note(GOOD, Answer(), 70.0)
    assert Standing(Observation("b.example")).lose(5.0)


@given(st.lists(st.sampled_from([GOOD, BUSY, SLOW, BROKEN, WRONG, NOBODY]), max_size=40))
def test_no_site_makes_the_monitor_write_with_every_probe(judgements: list[Judgement]) -> None:
    """It never turns bad by one probe, and two bad ones in a row are never passed over."""
    standing, former = Standing(Observation("a.example")), None
    for number, judgement in enumerate(judgements, 1):
        before = standing.observation.state if standing.is_concluded else None
        changed = standing.note(judgement, Answer(), float(number))
        state = standing.observation.state
        if judgement.state in BAD and (former is None or former.state not in BAD):
            assert not (changed and before not in BAD)
        if former is not None and former.state in BAD and judgement.state in BAD:
            assert state in BAD
        if judgement.state in (UP, MAINTENANCE):
            assert state == judgement.state
        assert standing.observation.since <= number
        former = judgement

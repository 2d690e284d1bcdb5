"""The ladder: what is done for sites that do not answer, when, and for which nothing is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wagtail_multihost.node.healing import (
    CALM,
    ELSEWHERE,
    ILL,
    MOST_RESTARTS,
    NODE_AGAIN,
    REFUSED_PAUSE,
    REPLACED_WITHIN,
    THE_NODE,
    UNSEEN,
    WELL,
    Ladder,
    Plan,
    Rules,
    Sight,
    Wish,
    judge,
    note_refused,
    note_taken,
    plan_steps,
)
from wagtail_multihost.nodeapi.heal_steps import APPLY, MANY, NODE, READ, RESTART, STEPS, STOP
from wagtail_multihost.nodeapi.probe_files import Observation
from wagtail_multihost.nodeapi.probe_states import (
    CERTIFICATE_EXPIRED,
    CONTENT,
    DNS,
    DOWN,
    MAINTENANCE,
    NO_PROOF,
    NOT_READY,
    REDIRECT,
    REFUSED,
    RESET,
    STATUS,
    SUSPENDED,
    TIMEOUT,
    TLS,
    TOO_LARGE,
    UNKNOWN,
    UP,
    WRONG_PROOF,
    WRONG_SITE,
)

PAUSE = 100.0
RULES = Rules(PAUSE)
#: A time of day, and of the machine's clock.
DAY, START = 1_000_000.0, 500.0


class Ward:
    """Sites on a node that is looked at again and again, and for which what is wished is done."""

    def __init__(self, rules: Rules = RULES, refused: str = "") -> None:
        self.rules, self.refused = rules, refused
        self.ladders: Mapping[str, Ladder] = {}
        self.passed = 0.0
        self.acted = {THE_NODE: START}
        self.ill_since: dict[str, float] = {}

    def look(self, looks: Mapping[str, str], seconds: float = PAUSE + 1) -> Plan:
        """Look after so many seconds, and do what is due."""
        self.passed += seconds
        clock, wall = START + self.passed, DAY + self.passed
        sights = {site: Sight(look, START, clock, "uid", 1) for site, look in looks.items()}
        plan = plan_steps(self.ladders, sights, self.acted, wall, self.rules)
        self.ladders = plan.ladders
        for wish in plan.wishes:
            if self.refused:
                self.ladders = note_refused(self.ladders, wish, self.refused, wall)
            else:
                self.ladders = note_taken(self.ladders, wish, "row", wall)
                if wish.site:
                    self.acted[wish.site] = clock
        return plan

    def steps(self, looks: Mapping[str, str], count: int, seconds: float = PAUSE + 1) -> list[str]:
        """Return what was wished in so many looks, in order."""
        return [wish.step for _ in range(count) for wish in self.look(looks, seconds).wishes]


def one(look: str = ILL, others: int = 9) -> dict[str, str]:
    """Return aurora as it looks, beside others that are well."""
    return {"aurora": look, **{f"site{index}": WELL for index in range(others)}}


class Said(NamedTuple):
    state: str
    reason: str = ""
    code: int = 0


@pytest.mark.parametrize(
    ("said", "look"),
    [
        *((Said(DOWN, reason), ILL) for reason in (REFUSED, TIMEOUT, RESET, WRONG_PROOF)),
        *((Said(DOWN, STATUS, code), ILL) for code in (502, 504)),
        (Said(WRONG_SITE), ILL),
        *((Said(DOWN, STATUS, code), ELSEWHERE) for code in (400, 403, 404, 429, 500, 503)),
        *((Said(DOWN, reason, 502), ELSEWHERE) for reason in (NOT_READY, NO_PROOF, CONTENT, REDIRECT, TOO_LARGE)),
        *((Said(DOWN, reason), ELSEWHERE) for reason in (DNS, TLS, CERTIFICATE_EXPIRED)),
        *((Said(state), WELL) for state in (UP, MAINTENANCE, SUSPENDED)),
        (Said(UP, NO_PROOF), WELL),
        (Said(UNKNOWN), UNSEEN),
    ],
)
def test_only_what_a_process_here_can_be_at_fault_for_is_ill(said: Said, look: str) -> None:
    """A site that answers with errors of its own, or says itself that it is not ready, is not restarted for it."""
    assert judge(Observation("aurora.example.com", *said)) == look


def test_site_that_nobody_has_looked_at_is_unseen() -> None:
    assert judge(None) == UNSEEN


def test_ladder_is_gone_up_step_by_step_and_ends() -> None:
    assert Ward().steps(one(), 10) == [READ, APPLY, RESTART, STOP]


def test_each_step_has_time_to_help() -> None:
    """What the monitor says before a step can have helped makes none."""
    ward = Ward()
    assert ward.steps(one(), 1) == [READ]
    assert ward.steps(one(), 9, PAUSE / 10) == []
    assert ward.steps(one(), 2, PAUSE / 10) == [APPLY]


def test_what_was_said_before_the_start_is_of_no_use() -> None:
    """After a start of the agent there is what the monitor wrote before, of a site that may be well since."""
    sights = {"aurora": Sight(ILL, START - 50, START, "uid", 1), "borealis": Sight(WELL, 0, START)}
    assert plan_steps({}, sights, {THE_NODE: START}, DAY, RULES).wishes == ()
    later = {**sights, "aurora": sights["aurora"]._replace(at=START + 0.1)}
    assert plan_steps({}, later, {THE_NODE: START}, DAY, RULES).wishes == (Wish("aurora", READ),)


@pytest.mark.parametrize("look", [WELL, ELSEWHERE, UNSEEN])
def test_ladder_ends_where_the_site_is_not_ill_any_more(look: str) -> None:
    ward = Ward()
    assert ward.steps(one(), 2) == [READ, APPLY]
    assert ward.steps(one(look), 5) == []


def test_help_is_told_once() -> None:
    ward = Ward()
    ward.steps(one(), 3)
    assert [ward.look(one(WELL), 10).healed for _ in range(3)] == [("aurora",), (), ()]


def test_site_that_falls_ill_again_waits_longer_each_time_and_then_for_people() -> None:
    """A site that comes and goes is not restarted for ever; when it was well for long enough, all is forgotten."""
    ward = Ward()
    taken: list[str] = []
    for _ in range(9):
        ward.look(one(WELL), 10)
        found: list[str] = []
        while RESTART not in found and STOP not in taken + found and len(found) < 3:
            found += ward.steps(one(), 1)
        taken += found
    assert taken.count(RESTART) == MOST_RESTARTS
    assert taken[-1] == STOP
    ward.look(one(WELL), 10)
    ward.look(one(WELL), CALM)
    assert ward.steps(one(), 4) == [READ, APPLY, RESTART, STOP]


def test_pauses_between_ladders_double() -> None:
    ward = Ward()
    ward.ladders = {"aurora": Ladder("uid", 1, RESTART, DAY, "row", restarts=2, well_at=DAY)}
    assert ward.steps(one(), 23, 10) == []
    assert ward.steps(one(), 2, 10) == [READ]


def test_changed_record_begins_anew() -> None:
    """Whoever is called changes something, and is not made to wait."""
    ward = Ward()
    ward.steps(one(), 4)
    ward.ladders = {**ward.ladders, "aurora": ward.ladders["aurora"]._replace(generation=0)}
    assert ward.steps(one(), 1) == [READ]


@pytest.mark.parametrize("clock", [-10 * CALM, 10 * CALM])
def test_clock_that_is_set_changes_no_more_than_a_pause(clock: float) -> None:
    """Nothing waits until a clock that was years ahead is there again."""
    ward = Ward()
    ward.ladders = {"aurora": Ladder("uid", 1, RESTART, DAY + clock, "row", restarts=1, well_at=DAY + clock)}
    assert RESTART in ward.steps(one(), 8)


def test_refused_step_is_asked_for_again_and_leads_no_further() -> None:
    ward = Ward(refused=MANY)
    assert ward.steps(one(), 1) == [READ]
    assert ward.steps(one(), 1, REFUSED_PAUSE / 2) == []
    assert ward.steps(one(), 1, REFUSED_PAUSE / 2) == [READ]


def test_held_and_closed_sites_are_left_alone() -> None:
    sights = {"aurora": Sight(ILL, START, START + 1, "uid", 1, "held"), "borealis": Sight(WELL, START, START + 1)}
    for step in ("", *STEPS):
        plan = plan_steps({"aurora": Ladder("uid", 1, step, DAY - 999)}, sights, {THE_NODE: START}, DAY, RULES)
        assert plan.wishes == ()


def test_many_are_never_restarted_and_the_node_is_at_fault() -> None:
    """Nine of ten at once are read, compared and then the node's, in a few steps at a time."""
    ward = Ward()
    looks = {f"site{index}": ILL for index in range(9)} | {"aurora": WELL}
    steps = ward.steps(looks, 12)
    assert RESTART not in steps
    assert steps.count(NODE) == 1
    assert steps.count(READ) == steps.count(APPLY) == 9


def test_some_are_neither_restarted_nor_the_nodes_fault() -> None:
    """Three of ten: too many for restarts, too few for the node. They are read and compared, and told of."""
    ward = Ward()
    looks = {f"site{index}": ILL if index < 3 else WELL for index in range(10)}
    assert set(ward.steps(looks, 12)) == {READ, APPLY}
    assert ward.look(looks).is_storm


def test_one_of_many_never_takes_the_node_away() -> None:
    assert NODE not in Ward().steps(one(), 30)


def test_only_site_takes_its_node_away_and_people_are_called_when_nobody_replaces_it() -> None:
    ward = Ward()
    alone = {"aurora": ILL}
    assert ward.steps(alone, 4) == [READ, APPLY, RESTART, NODE]
    assert ward.steps(alone, 3, REPLACED_WITHIN / 4) == []
    assert ward.steps(alone, 2, REPLACED_WITHIN / 4) == [STOP]
    assert NODE not in ward.steps(alone, 10, NODE_AGAIN / 20)


def test_people_are_called_where_the_node_may_not_be_replaced() -> None:
    assert Ward(Rules(PAUSE, may_replace=False)).steps({"aurora": ILL}, 9) == [READ, APPLY, RESTART, STOP]


def test_people_are_called_where_the_database_refuses_the_node() -> None:
    ward = Ward()
    ward.steps({"aurora": ILL}, 3)
    ward.refused = MANY
    assert ward.steps({"aurora": ILL}, 1) == [NODE]
    ward.refused = ""
    assert ward.steps({"aurora": ILL}, 1, 1) == [STOP]


def test_nothing_is_restarted_where_nothing_can() -> None:
    assert Ward(Rules(PAUSE, can_restart=False)).steps(one(), 9) == [READ, APPLY, STOP]


def test_one_restart_at_a_time() -> None:
    ward = Ward()
    looks = {f"site{index}": ILL if index < 2 else WELL for index in range(20)}
    ward.steps(looks, 2)
    assert [wish.step for wish in ward.look(looks).wishes] == [RESTART]


LOOKS = st.sampled_from([WELL, ELSEWHERE, UNSEEN])
LADDERS = st.builds(
    Ladder,
    uid=st.sampled_from(["uid", "other"]),
    generation=st.integers(0, 2),
    step=st.sampled_from(["", *STEPS]),
    at=st.floats(0, 2 * DAY),
    row=st.sampled_from(["", "row"]),
    restarts=st.integers(0, 9),
    refused=st.sampled_from(["", MANY]),
    asked_at=st.floats(0, 2 * DAY),
    well_at=st.sampled_from([0.0, DAY - 5, DAY + 5]),
)
NAMES = ["aurora", "borealis", "corona", "dusk"]


@settings(deadline=None)
@given(
    memories=st.lists(st.dictionaries(st.sampled_from([THE_NODE, *NAMES]), LADDERS), min_size=1, max_size=4),
    looks=st.lists(st.dictionaries(st.sampled_from(NAMES), LOOKS), min_size=1, max_size=8),
    stale=st.dictionaries(st.sampled_from(NAMES), st.floats(0, START)),
    seconds=st.floats(0, 2 * CALM),
)
def test_nothing_is_done_for_sites_that_are_not_ill(
    memories: list[Mapping[str, Ladder]],
    looks: list[Mapping[str, str]],
    stale: Mapping[str, float],
    seconds: float,
) -> None:
    """
    Whatever was remembered, however often the agent and the monitor are started, and whatever an old file says: a file
    of before the start makes no step, even if it says that a site is ill.
    """
    wall = DAY
    for memory in memories:
        ladders = memory
        for given_looks in looks:
            wall += seconds
            sights = {name: Sight(look, 0.0, START + wall, "uid", 1) for name, look in given_looks.items()}
            sights |= {name: Sight(ILL, 0.0, at, "uid", 1) for name, at in stale.items()}
            plan = plan_steps(ladders, sights, {THE_NODE: START}, wall, RULES)
            assert plan.wishes == ()
            ladders = plan.ladders


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from([*NAMES, "x", "y", "z"]), st.sampled_from([WELL, ILL, ELSEWHERE, UNSEEN])),
            st.floats(0, 600),
        ),
        max_size=60,
    )
)
def test_restarts_are_few_whatever_happens(story: list[tuple[Mapping[str, str], float]]) -> None:
    """One at a time, none in a storm, none without its pause, and of one site no more than there may be."""
    ward, latest = Ward(), dict[str, float]()
    for looks, seconds in story:
        plan = ward.look(looks, seconds)
        restarted = [wish.site for wish in plan.wishes if wish.step == RESTART]
        assert len(restarted) <= 1
        assert not (plan.is_storm and restarted)
        for site in restarted:
            assert looks[site] == ILL
            assert ward.passed - latest.get(site, -CALM) >= 3 * PAUSE
            latest[site] = ward.passed
        if any(wish.step == NODE for wish in plan.wishes):
            ill = [site for site, look in looks.items() if look == ILL]
            assert len(ill) >= 0.5 * sum(look != UNSEEN for look in looks.values())
    assert all(ladder.restarts <= MOST_RESTARTS for ladder in ward.ladders.values())

"""Changes that are taken together: whoever is told that a change was done finds it done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emitters.apply.conftest import FAILING, World
from wagtail_multihost.emitters.apply.output_folder import prepare_output
from wagtail_multihost.emitters.apply.tickets import Ticket, WaitingTicket, take_ticket
from wagtail_multihost.emitters.apply.transaction import join_waiting
from wagtail_multihost.exceptions import ApplyError

SITES = ("aurora", "borealis", "corona")
ALL: frozenset[str] = frozenset()


@pytest.fixture
def three(world: World) -> World:
    """Three sites whose files are in use, and each of which has another text by now."""
    world.texts["conf/sites/corona"] = "c"
    world.apply()
    world.texts |= {f"conf/sites/{site}": "new" for site in SITES}
    return world


def waits(world: World, *sites: str) -> Ticket:
    return take_ticket(prepare_output(world.directory), "", sites)


def changed(world: World) -> set[str]:
    """Return the sites whose files have the new text."""
    return {Path(path).name for path, text in world.found().items() if text == "new"}


@pytest.mark.parametrize(
    ("asked", "others", "written"),
    [
        (["aurora"], [["borealis"]], {"aurora", "borealis"}),
        (["aurora"], [["borealis"], ["corona"]], {"aurora", "borealis", "corona"}),
        (["aurora"], [["aurora"]], {"aurora"}),
        (["aurora"], [["borealis", "corona"]], {"aurora", "borealis", "corona"}),
        (["aurora"], [[]], set(SITES)),
        (["aurora"], [["borealis"], []], set(SITES)),
        ([], [["borealis"]], set(SITES)),
        ([], [[]], set(SITES)),
        (["aurora"], [], {"aurora"}),
    ],
)
def test_a_run_writes_what_those_that_it_answers_asked_for(
    three: World, asked: list[str], others: list[list[str]], written: set[str]
) -> None:
    """A run for one site, or all, writes the sites of everybody who is told that it was done, and no others."""
    tickets = [waits(three, *sites) for sites in others]
    three.apply(*asked)
    for ticket, sites in zip(tickets, others, strict=True):
        with ticket:
            answer = ticket.answer()
            assert answer is not None
            assert {f"conf/sites/{site}" for site in sites or SITES} <= set(answer["result"]["changed"])
    assert changed(three) == written


def test_who_asks_for_an_unknown_site_beside_a_known_one_does_it_himself(three: World) -> None:
    """A ticket of which one site is not there is not answered, and adds nothing to what is written."""
    with waits(three, "borealis", "nobody") as unknown, waits(three, "corona") as known:
        three.apply("aurora")
        assert unknown.answer() is None
        assert known.answer() is not None
    assert changed(three) == {"aurora", "corona"}


@pytest.mark.parametrize(
    ("asked", "others", "only", "served"),
    [
        (["aurora"], [["borealis"]], {"aurora", "borealis"}, [0]),
        (["aurora"], [["nobody"], ["corona"]], {"aurora", "corona"}, [1]),
        (["aurora"], [["nobody"]], {"aurora"}, []),
        (["aurora"], [[]], set(), [0]),
        ([], [["borealis"]], set(), [0]),
        ([], [["nobody"]], set(), []),
    ],
)
def test_the_sites_of_a_joint_run(
    world: World, asked: list[str], others: list[list[str]], only: set[str], served: list[int]
) -> None:
    """The plan is for the sites of all that are served; where one of them asks for all, for all."""
    world.texts["conf/sites/corona"] = "c"
    waiters = [WaitingTicket(Path(str(number)), frozenset(sites)) for number, sites in enumerate(others)]
    plan, answered = join_waiting(world.plan(*asked), world.request(*asked), waiters)
    assert plan.only == only
    assert answered == [waiters[number] for number in served]


def test_a_failure_of_a_joint_run_is_told_to_those_it_was_for(three: World) -> None:
    """Who waits for a run that fails is told why; who was not part of it is not."""
    with waits(three, "borealis") as part, waits(three, "nobody") as other:
        with pytest.raises(ApplyError):
            three.apply("aurora", reload=FAILING)
        assert "exit code 3" in (part.answer() or {})["error"]
        assert other.answer() is None
    assert changed(three) == set()

"""When a node says in which state it is, and how often it looks whether its sites listen; the clock is the test's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.entering import FIRST_LOOK, Entrance
from wagtail_multihost.node.reporting import MOST_STARTING, bounded_ids
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, AWAY, DRAINING, JOINING, PLACED, STARTING


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Stage:
    """An entrance with what it asks: the registry's word, the kernel's, and a database that notes what it is told."""

    def __init__(self, state: str, holds: str = ALL, *, may_return: bool = False, accepts: bool = True) -> None:
        self.node: dict[str, Any] = {"state": state, "holds": holds, "may_return": may_return}
        self.silent: list[str] = []
        self.told: list[str] = []
        self.accepts = accepts
        self.clock = Clock()
        self.conditions = Conditions()
        self.planner = SimpleNamespace(
            known=SimpleNamespace(node=self.node), is_in_use=True, find_silent=lambda: self.silent
        )
        database: Any = SimpleNamespace(enter_state=self.enter)
        planner: Any = self.planner
        self.entrance = Entrance(database, planner, self.conditions, 300, self.clock)

    def enter(self, state: str) -> bool:
        self.told.append(state)
        return self.accepts

    def advance(self, *silent: str) -> list[str]:
        self.silent, self.told = list(silent), []
        self.entrance.advance()
        return self.told


def test_node_that_joins_waits_for_its_sites_but_not_for_ever() -> None:
    stage = Stage(JOINING)
    assert stage.advance("aurora") == []
    assert (stage.conditions.holds(STARTING), stage.entrance.bound(30)) == (True, FIRST_LOOK)
    stage.clock.seconds += 299
    assert stage.advance("aurora") == []
    stage.clock.seconds += 1
    assert stage.advance("aurora") == [ACTIVE]
    assert Stage(JOINING).advance() == [ACTIVE]


@pytest.mark.parametrize("state", [DRAINING, AWAY])
def test_only_a_node_that_left_by_itself_comes_back(state: str) -> None:
    stage = Stage(state, may_return=True)
    assert stage.advance() == [JOINING]
    stage.node["state"] = JOINING
    assert stage.advance() == [ACTIVE]
    assert Stage(state).advance() == []
    refused = Stage(state, may_return=True, accepts=False)
    assert refused.advance() == [JOINING]
    assert refused.entrance.joins_by is None, "whoever waits until it has joined would wait for ever"
    unapplied = Stage(state, may_return=True)
    unapplied.planner.is_in_use = False
    assert unapplied.advance() == []


def test_sites_that_start_are_looked_at_less_and_less_often() -> None:
    stage = Stage(ACTIVE, PLACED)
    stage.advance("aurora")
    assert (stage.entrance.starting, stage.entrance.bound(30)) == (["aurora"], FIRST_LOOK)
    stage.clock.seconds += 60
    assert stage.entrance.bound(30) == 6
    stage.clock.seconds += 3600
    assert stage.entrance.bound(30) == 30
    stage.entrance.note_change()
    assert stage.entrance.bound(30) == FIRST_LOOK
    stage.advance()
    assert (stage.entrance.starting, stage.entrance.bound(30)) == ([], 30)
    assert not stage.conditions.holds(STARTING)


def test_nothing_is_known_before_everything_was_applied() -> None:
    stage = Stage(ACTIVE, PLACED)
    stage.planner.is_in_use = False
    stage.advance("aurora")
    assert stage.entrance.starting is None


def test_sites_that_start_are_all_named_or_none_is() -> None:
    """One that is left out would be asked for."""
    assert bounded_ids(["b", "a"]) == ["a", "b"]
    assert bounded_ids(None) is None
    assert bounded_ids([f"site{number}" for number in range(MOST_STARTING + 1)]) is None

"""What changes on a node within a moment is applied together, and what changes elsewhere delays nothing."""

from __future__ import annotations

from typing import Any

import pytest

from wagtail_multihost.node.waiting import CALM, LONGEST_QUIET, QUIET, Waiter

OWN, FOREIGN = True, False


class Bells:
    """A clock, and in the database's place who rings at which of its seconds: each bell is for this node or not."""

    def __init__(self, *bells: tuple[float, bool]) -> None:
        self.bells = list(bells)
        self.seconds = 0.0
        self.reads = 0

    def clock(self) -> float:
        return self.seconds

    def wait(self, seconds: float, *descriptors: int) -> bool:
        until = self.seconds + seconds
        rings = bool(self.bells) and self.bells[0][0] < until
        self.seconds = self.bells[0][0] if rings else until
        return rings

    def read(self) -> bool:
        self.reads += 1
        return self.bells.pop(0)[1]


def settle(bells: Bells) -> None:
    found: Any = bells
    waiter = Waiter(found, clock=bells.clock)
    waiter.note_change()
    waiter.settle(bells.read)


@pytest.mark.parametrize(
    ("bells", "seconds"),
    [
        ([], QUIET),
        ([(0.05 * number, FOREIGN) for number in range(1, 100)], QUIET),
        ([(0.05, OWN), (0.15, OWN)], 0.15 + QUIET),
        ([(0.05, OWN), (0.15, FOREIGN)], 0.05 + QUIET),
        ([(0.1 * number, OWN) for number in range(1, 100)], LONGEST_QUIET),
        ([(0.05 * number, number % 2 == 0) for number in range(1, 100)], LONGEST_QUIET),
    ],
)
def test_changes_of_this_node_alone_are_waited_for(bells: list[tuple[float, bool]], seconds: float) -> None:
    found = Bells(*bells)
    settle(found)
    assert found.seconds == pytest.approx(seconds)
    # Whatever rang meanwhile was read, so that nothing waits for the next bell.
    assert found.reads == sum(at < seconds - 1e-9 for at, _ in bells)


def test_first_change_after_a_calm_time_does_not_wait() -> None:
    found: Any = Bells((0.01, OWN))
    waiter = Waiter(found, clock=found.clock)
    waiter.note_change()
    found.seconds += CALM + 1
    waiter.settle(found.read)
    assert (found.seconds, found.reads) == (CALM + 1, 0)


def test_wait_ends_when_the_agent_is_told_something() -> None:
    """Whoever stops the agent, or asks for a site, makes a descriptor readable, and the database's wait ends."""
    found: Any = Bells()
    found.wait = lambda seconds, *descriptors: bool(found.bells)
    waiter = Waiter(found, 7, clock=found.clock)
    waiter.note_change()
    waiter.settle(found.read)
    assert (found.seconds, found.reads) == (0, 0)

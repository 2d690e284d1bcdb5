"""What the monitor outside asks the database, with answers of the test's; ``tests/control`` has a real one."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.monitor.servers import Site
from wagtail_multihost.monitor.database import MOST_SKIPPED, ReportDatabase
from wagtail_multihost.monitor.ledger import News
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.probe_files import Observation, render_targets
from wagtail_multihost.nodeapi.probe_states import DOWN
from wagtail_multihost.registry.postgres_url import parse_postgres_url

INCARNATION = uuid4()
TARGETS = (Site("aurora").target(), Site("boreal").target())
ROWS = json.loads(render_targets("web1", TARGETS))["targets"]
NEWS = News(1000.0, {1: Observation("aurora.example", DOWN, "timeout", since=990.0)}, (), 400.0)


class Scripted(ReportDatabase):
    """A database that answers from a list, by the function or view that is asked."""

    def __init__(self, **answers: Any) -> None:
        super().__init__(parse_postgres_url("postgresql:///control"))
        self.answers = {"head": [(INCARNATION, 7)], "target": [(INCARNATION, 7, ROWS, 2)], **answers}
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        name = "target" if ".target" in statement else statement.partition("monitor_v1.")[2].partition("(")[0]
        self.asked.append((name, values))
        answer = self.answers[name]
        if isinstance(answer, list) and answer and isinstance(answer[0], list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


def test_targets_are_read_when_the_registry_has_changed() -> None:
    """And now and then otherwise: which sites prove themselves is no change of the registry."""
    one = Scripted()
    assert one.read_targets() == TARGETS
    assert one.read_targets() is None
    assert one.names == ["head", "target", "head"]
    one.answers["head"] = [(INCARNATION, 8)]
    assert one.read_targets() == TARGETS
    one.answers["target"] = [(INCARNATION, 8, ROWS, 2)]
    assert one.read_targets() == TARGETS
    assert [one.read_targets() for _ in range(MOST_SKIPPED - 1)] == [None] * (MOST_SKIPPED - 1)
    assert one.read_targets() == TARGETS


def test_shortened_list_is_not_believed() -> None:
    """The count travels with it."""
    with pytest.raises(UnreachableError, match="another number"):
        Scripted(target=[(INCARNATION, 7, ROWS[:1], 2)]).read_targets()
    assert Scripted(target=[(INCARNATION, 7, [], 0)]).read_targets() == ()


def test_hostname_that_this_version_does_not_understand_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """Alone, and with a line in the log."""
    strange = [{**ROWS[0], "state": "\x1b[31mgone"}, {**ROWS[1], "scheme": "gopher"}, 7, *ROWS[1:]]
    assert Scripted(target=[(INCARNATION, 7, strange, 4)]).read_targets() == TARGETS[1:]
    assert "2 more hostnames" in caplog.text and "\x1b" not in caplog.text


def test_report_has_ages_and_for_how_long_all_was_looked_at() -> None:
    """With the turn that this monitor was given."""
    one = Scripted(take_lease=[(5,)], report=[(True,)])
    assert one.admit() and one.send(NEWS)
    name, (boot, fence, seconds, observations, latencies) = one.asked[-1]
    assert (name, boot, fence, seconds, latencies) == ("report", one.boot, 5, 600.0, "[]")
    assert json.loads(str(observations))[0]["age"] == 10.0


def test_monitor_that_was_away_takes_its_turn_again_if_nobody_has() -> None:
    """The same fence says that no other monitor has reported meanwhile."""
    one = Scripted(take_lease=[[(5,)], [(5,)]], report=[[(False,)], [(True,)]])
    assert one.admit() and one.send(NEWS)
    assert one.names == ["take_lease", "report", "take_lease", "report"]


@pytest.mark.parametrize("lease", [[], [(None,)], [(6,)]])
def test_monitor_whose_turn_is_over_tells_nothing_more(lease: list[Any]) -> None:
    """Another one has or had it: what was concluded meanwhile is that one's."""
    one = Scripted(take_lease=[[(5,)], lease], report=[(False,)])
    assert one.admit() and not one.send(NEWS)
    assert one.names == ["take_lease", "report", "take_lease"]


def test_other_monitor_is_waited_for() -> None:
    """NULL, or no row, is no turn."""
    assert not Scripted(take_lease=[(None,)]).admit()
    assert not Scripted(take_lease=[]).admit()


def test_turn_is_given_back_if_the_database_answers() -> None:
    """And stopping fails at nothing."""
    one = Scripted(take_lease=[(5,)], give_up_lease=RefusedError("No."))
    one.connection = Closing()  # type: ignore[assignment]
    one.admit()
    one.close()
    assert one.asked[-1] == ("give_up_lease", (one.boot, 5))
    other = Scripted()
    other.close()
    assert other.asked == []


class Closing:
    """A connection that can be closed."""

    def close(self) -> None:
        """Do nothing."""

"""Nothing is tried, said or written in a loop without a wait."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.keeping import PAUSE, Keeper
from wagtail_multihost.node.reading import Known
from wagtail_multihost.node.reporting import PAUSE as REPORT_PAUSE
from wagtail_multihost.node.reporting import PERIOD, Reporter, bounded_reasons
from wagtail_multihost.node.retrying import FIRST, LONGEST, Retries
from wagtail_multihost.node.state_file import FILE_NAME, State, read_state
from wagtail_multihost.nodeapi.connection import UnreachableError
from wagtail_multihost.nodeapi.node_states import CONDITIONS
from wagtail_multihost.nodeapi.node_v1 import MOST_REPORT_BYTES

NOW = datetime(2026, 11, 30, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Listener:
    """Stands in for the database, which counts what it is told; a real one is asked in tests/control."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.is_away = False

    def now(self) -> datetime:
        return NOW

    def report(self, *values: Any) -> bool:
        if self.is_away:
            raise UnreachableError("It is away.")
        self.told.append(values)
        return False


def test_waits_between_attempts_double_up_to_a_bound() -> None:
    clock = Clock()
    retries = Retries(FIRST, LONGEST, clock)
    assert (retries.is_due, retries.bound(30)) == (False, 30)
    waits = []
    for _ in range(9):
        waits.append(retries.fail())
        assert not retries.is_due
        assert retries.bound(30) == min(30, waits[-1])
        clock.seconds += waits[-1]
        assert retries.is_due
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    retries.clear()
    assert (retries.is_due, retries.fail()) == (False, 5)


def test_report_is_made_when_something_changed_and_else_now_and_then() -> None:
    clock, listener, conditions = Clock(), Listener(), Conditions()
    reporter = Reporter(listener, conditions, clock)  # type: ignore[arg-type]
    for _ in range(3):
        reporter.report(1, {}, [])
    first = len(listener.told)
    assert first == 2  # the second says that there is no other agent
    reporter.note_change()
    reporter.report(2, {}, [])
    reporter.report(2, {"aurora": "It is refused."}, [])
    conditions.set("NoBell", status=True)
    reporter.report(2, {"aurora": "It is refused."}, [])
    conditions.set("NoBell", status=True)
    reporter.report(2, {"aurora": "It is refused."}, [])
    assert len(listener.told) == first + 3
    clock.seconds += PERIOD
    reporter.report(2, {"aurora": "It is refused."}, [])
    assert len(listener.told) == first + 4
    # One that could not be made is made at the next turn, which waits.
    listener.is_away = True
    clock.seconds += PERIOD
    reporter.report(3, {}, [])
    assert reporter.bound(PERIOD) == PERIOD
    listener.is_away = False
    reporter.report(3, {}, [])
    assert len(listener.told) == first + 5


def test_revisions_that_change_nothing_here_are_told_together() -> None:
    """A registry that changes often makes no report of each node for each of its changes."""
    clock, listener = Clock(), Listener()
    reporter = Reporter(listener, Conditions(), clock)  # type: ignore[arg-type]
    reporter.report(1, {}, [])
    reporter.report(1, {}, [])
    listener.told.clear()
    for revision in range(2, 12):
        clock.seconds += REPORT_PAUSE / 20
        reporter.report(revision, {}, [])
    assert listener.told == []
    assert 0 < reporter.bound(PERIOD) < REPORT_PAUSE
    clock.seconds += reporter.bound(PERIOD)
    reporter.report(12, {}, [])
    assert [told[1] for told in listener.told] == [12]
    # What was applied here is told at once.
    reporter.note_change()
    reporter.report(13, {}, [])
    assert [told[1] for told in listener.told] == [12, 13]
    assert reporter.bound(PERIOD) == PERIOD


@pytest.mark.parametrize("letter", ["x", "\x1b", '"', "\\", "é", "漢", "\U0001f41d"])
@pytest.mark.parametrize("count", [1, 400, 3000])
def test_report_names_all_sites_and_is_never_so_long_that_the_database_drops_it(letter: str, count: int) -> None:
    """The database counts bytes, and takes a site that is not named for one that is served."""
    reasons = bounded_reasons({f"site-{number}": letter * 9000 for number in range(count)})
    assert len(reasons) == count
    assert all(reasons.values())
    conditions = Conditions()
    for kind in CONDITIONS:
        conditions.set(kind, status=True, message=letter * 9000)
    size = sum(len(json.dumps(one, ensure_ascii=False).encode()) + 2 for one in (reasons, *conditions.rows(NOW)))
    assert size < MOST_REPORT_BYTES


def test_sites_that_cannot_be_named_keep_the_revision_from_being_reported() -> None:
    clock, listener = Clock(), Listener()
    reporter = Reporter(listener, Conditions(), clock)  # type: ignore[arg-type]
    reporter.report(7, {}, [])
    reporter.report(8, {f"{number:040}": "It is refused." for number in range(5000)}, [])
    assert [applied for _, applied, *_ in listener.told][-2:] == [7, 7]


def test_condition_has_the_time_since_when_it_is_so_by_the_databases_clock() -> None:
    clock = Clock()
    conditions = Conditions(clock)
    conditions.set("Applied", status=True, revision=7)
    conditions.changed = False
    clock.seconds += 60
    conditions.set("Applied", status=True, revision=8)
    assert not conditions.changed
    (row,) = conditions.rows(NOW)
    assert (row["since"], row["revision"]) == ((NOW - timedelta(seconds=60)).isoformat(timespec="seconds"), 7)
    conditions.set("Applied", status=False, message="Broken.\x1b[31m")
    assert conditions.changed
    (row,) = conditions.rows(NOW)
    assert (row["since"], row["status"]) == (NOW.isoformat(timespec="seconds"), "False")
    assert "\x1b" not in row["message"]


def test_state_is_written_at_once_and_then_not_at_each_change(tmp_path: Path) -> None:
    clock = Clock()
    keeper = Keeper(tmp_path / "agent", "postgres:///control", clock=clock)
    states = [State(Known("a", revision, 0, {}, {}, {})) for revision in range(4)]
    for state in states:
        keeper.keep(state)
    assert read_state(tmp_path / "agent", "postgres:///control") == states[0]
    assert (keeper.is_owing, keeper.bound(30)) == (True, PAUSE)
    clock.seconds += PAUSE
    assert keeper.bound(30) == 0
    keeper.write()
    assert read_state(tmp_path / "agent", "postgres:///control") == states[3]
    path = tmp_path / "agent" / FILE_NAME
    inode = path.stat().st_ino
    keeper.keep(states[3])
    keeper.write()
    assert (path.stat().st_ino, path.stat().st_mode & 0o777) == (inode, 0o600)
    # That of another registry says nothing.
    assert read_state(tmp_path / "agent", "postgres:///other") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 0}', '{"format": 1, "url": "u", "known": {}}', "[" * 100_000]
)
def test_state_that_is_damaged_is_said_and_not_used(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    (tmp_path / FILE_NAME).chmod(0o600)
    with pytest.raises(ConfigurationError, match="all is read from the database"):
        read_state(tmp_path, "u")


def test_state_that_another_account_may_read_is_not_used(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "agent", "u")
    keeper.keep(State(Known("a", 1, 0, {}, {}, {})))
    (tmp_path / "agent" / FILE_NAME).chmod(0o640)
    with pytest.raises(ConfigurationError, match="0640"):
        read_state(tmp_path / "agent", "u")

"""What is passed on of the file of the monitor: each change once, in parts, and again where that has failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from wagtail_multihost.node.monitor_files import ObservationsFile, TargetsFile
from wagtail_multihost.node.monitor_link import MOST_LATENCIES, MOST_OBSERVATIONS, MonitorLink, split_report
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.probe_files import Observation, Observed, Report
from wagtail_multihost.nodeapi.probe_states import UP

NOW = 1000.0


class Database:
    """Notes what it is told, unless it is away or refuses."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.error: Exception | None = None

    def ask(self, statement: str, values: tuple[Any, ...]) -> Any:
        if self.error:
            raise self.error
        self.told.append(values)
        return (True,)


@pytest.fixture(name="database")
def _database() -> Database:
    return Database()


@pytest.fixture(name="link")
def _link(tmp_path: Path, database: Database) -> MonitorLink:
    files = TargetsFile(tmp_path / "targets.json", "web1"), ObservationsFile(tmp_path / "observations.json", "web1")
    return MonitorLink(*files, "nobody", database.ask, lambda: NOW)


def observed(serial: int = 1) -> Observed:
    said = (Observation("aurora.example.org", UP, since=NOW - 60),)
    return Observed("web1", UUID(int=1), "1", serial, NOW, NOW - 30, said)


def test_long_report_goes_in_parts_and_the_last_one_says_how_long_it_was_looked() -> None:
    """Until all is told, nobody may take what was not told yet for what was seen."""
    report = Report(UUID(int=1), "1", 30.0, [{"n": n} for n in range(MOST_OBSERVATIONS * 2 + 1)], [{}] * MOST_LATENCIES)
    parts = split_report(report)
    assert [len(part.observations) for part in parts] == [MOST_OBSERVATIONS, MOST_OBSERVATIONS, 1]
    assert [part.seconds for part in parts] == [0.0, 0.0, 30.0]
    assert [one for part in parts for one in part.observations] == report.observations
    assert sum(len(part.latencies) for part in parts) == MOST_LATENCIES
    assert split_report(report._replace(observations=[])) == [report._replace(observations=[])]


@pytest.mark.parametrize("error", [UnreachableError("It is away."), RefusedError("No.", "42883")])
def test_what_could_not_be_told_is_told_later(link: MonitorLink, database: Database, error: Exception) -> None:
    """Not at once: a database that is away, or older, is not asked at each look."""
    database.error = error
    link.pass_on(observed())
    database.error = None
    link.pass_on(observed())
    assert database.told == []
    link.retries.hasten()
    link.pass_on(observed())
    link.pass_on(observed())
    assert len(database.told) == 1
    assert link.retries.failures == 0

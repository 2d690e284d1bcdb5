"""What a node counts of its sites, keeps, and tells."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.node.test_access_log import line
from wagtail_multihost.node.access_log import Counted, Hour
from wagtail_multihost.node.control_groups import UNIT, GroupUse, read_use
from wagtail_multihost.node.usage import (
    LOOK,
    MOST_SITES,
    REPORT,
    Counting,
    UsageReporter,
    add_processes,
    add_requests,
    month_of_hour,
    without_old,
)
from wagtail_multihost.node.usage_file import FILE_NAME, Total, UsageState, keep_usage, new_state, read_usage
from wagtail_multihost.nodeapi.connection import UnreachableError
from wagtail_multihost.nodeapi.usage_v1 import MOST_REPORT_BYTES

NOW = datetime(2026, 12, 1, 16, 30, tzinfo=UTC)
MONTH = "2026-12"


class Database:
    """Keeps what is told; one that is away raises."""

    def __init__(self) -> None:
        self.calls: list[tuple[UUID, dict[str, Any]]] = []
        self.is_away = False
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def ask(self, statement: str, values: tuple[UUID, str]) -> tuple[int]:
        if self.is_away:
            raise UnreachableError("The database is away.")
        assert len(values[1]) < MOST_REPORT_BYTES
        self.calls.append((values[0], json.loads(values[1])))
        return (len(self.calls[-1][1]),)


class Node:
    """An agent that counts, and may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "access.log"
        self.log.touch()
        self.clock, self.database = 0.0, Database()
        self.counting = Counting(self.log, {"aurora", "borealis"}, ())
        self.groups: dict[str, GroupUse] = {}
        self.start()

    def start(self) -> None:
        self.reporter = UsageReporter(
            self.database,  # type: ignore[arg-type]
            lambda: self.folder,
            lambda: self.clock,
            lambda site: self.groups.get(site),
        )

    def write(self, *lines: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(b"".join(lines))

    def look(self, seconds: float = LOOK) -> None:
        self.clock += seconds
        self.reporter.report(self.counting)

    def total(self, site: str = "aurora", month: str = MONTH) -> Total:
        return read_usage(self.folder).totals.get(site, {}).get(month, Total())


@pytest.fixture(name="node")
def _node(tmp_path: Path) -> Node:
    node = Node(tmp_path)
    node.look()
    return node


def test_requests_are_counted_and_told(node: Node) -> None:
    node.write(line(), line(length=7), line("borealis"), line("gone"))
    node.look(REPORT)
    series, told = node.database.calls[-1]
    assert told == {
        "aurora": {MONTH: {"requests": 2, "bytes": 17}},
        "borealis": {MONTH: {"requests": 1, "bytes": 10}},
    }
    node.write(line("borealis", 1))
    node.look(REPORT)
    assert node.database.calls[-1] == (series, {"borealis": {MONTH: {"requests": 2, "bytes": 11}}})
    calls = len(node.database.calls)
    node.look(REPORT)
    assert len(node.database.calls) == calls, "what has not changed was told again"


def test_killed_agent_counts_no_line_twice_and_none_never(node: Node) -> None:
    node.write(line())
    node.look()
    node.write(line())
    node.start()
    node.look()
    node.look()
    assert node.total() == Total(2, 20)


def test_what_cannot_be_kept_is_counted_later(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    node.write(line())
    with monkeypatch.context() as patched:
        patched.setattr("wagtail_multihost.node.usage.keep_usage", fail)
        node.look()
        node.look()
    node.look()
    assert node.total() == Total(1, 10)


def test_lost_file_begins_another_series(node: Node) -> None:
    node.write(line())
    node.look(REPORT)
    series, _ = node.database.calls[-1]
    (node.folder / FILE_NAME).unlink()
    node.start()
    node.look(REPORT)
    node.write(line(length=3))
    node.look(REPORT)
    other, told = node.database.calls[-1]
    assert (other != series, told) == (True, {"aurora": {MONTH: {"requests": 1, "bytes": 3}}})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 9}', "[" * 100_000])
def test_file_that_is_none_begins_another_series(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(text)
    path.chmod(0o600)
    assert read_usage(tmp_path).totals == {}


def test_file_that_others_could_write_counts_for_nothing(tmp_path: Path) -> None:
    state = new_state()._replace(totals={"aurora": {MONTH: Total(5, 5)}})
    keep_usage(tmp_path, state)
    assert read_usage(tmp_path) == state
    (tmp_path / FILE_NAME).chmod(0o666)
    assert read_usage(tmp_path).totals == {}


def test_nothing_depends_on_a_database_that_is_away(node: Node) -> None:
    node.database.is_away = True
    node.write(line())
    node.look(REPORT)
    node.database.is_away = False
    node.look(REPORT)
    assert node.database.calls[-1][1] == {"aurora": {MONTH: {"requests": 1, "bytes": 10}}}


def test_many_sites_are_told_in_parts(node: Node) -> None:
    sites = {f"site-{number}" for number in range(2 * MOST_SITES + 1)}
    node.counting = node.counting._replace(sites=sites)
    node.write(*[line(site, 10**14) for site in sites])
    node.look(REPORT)
    assert [len(told) for _, told in node.database.calls] == [MOST_SITES, MOST_SITES, 1]


def test_node_that_visitors_do_not_reach_counts_no_requests(node: Node) -> None:
    node.counting = node.counting._replace(log=None)
    node.write(line())
    node.look(REPORT)
    assert node.total() == Total() and node.database.calls == []


@pytest.mark.parametrize(
    ("hour", "month"),
    [
        ("2026-12-01T16+00:00", "2026-12"),
        ("2026-12-01T01+02:00", "2026-11"),
        ("2026-11-30T23-05:00", "2026-12"),
        ("2026-11-02T00+00:00", "2026-11"),
        ("2025-11-02T00+00:00", "2026-12"),
        ("2027-01-01T00+00:00", "2026-12"),
        ("2026-13-01T00+00:00", "2026-12"),
        ("0001-01-01T00+23:59", "2026-12"),
    ],
)
def test_request_is_of_the_month_in_utc(hour: str, month: str) -> None:
    """A clock that is far off changes no month but that of now."""
    assert month_of_hour(hour, NOW) == month
    key = Hour("aurora", hour)
    totals = add_requests({}, Counted(Counter({key: 2}), Counter({key: 5})), {"aurora"}, NOW)
    assert totals == {"aurora": {month: Total(2, 5)}}


def test_former_months_are_dropped() -> None:
    totals = {"aurora": {"2026-10": Total(1), "2026-11": Total(2), MONTH: Total(3)}, "gone": {"2026-10": Total(1)}}
    assert without_old(totals, NOW) == {"aurora": {"2026-11": Total(2), MONTH: Total(3)}}


# What processes use


def after(state: UsageState, **used: GroupUse) -> UsageState:
    return add_processes(state, used, MONTH)


def cpu(state: UsageState) -> int | None:
    return state.totals["aurora"][MONTH].cpu_milliseconds


def test_cpu_time_is_counted_from_the_first_look_on() -> None:
    state = after(new_state(), aurora=GroupUse(1, 5_000_000, 100))
    assert cpu(state) == 0, "an agent that has lost its file would count it twice"
    state = after(state, aurora=GroupUse(1, 5_001_999, 300))
    state = after(state, aurora=GroupUse(1, 5_002_001, 200))
    assert cpu(state) == 2, "what is less than a millisecond was lost"
    assert state.totals["aurora"][MONTH].memory == 300


def test_processes_that_were_started_again_count_from_zero() -> None:
    state = after(new_state(), aurora=GroupUse(1, 5_000_000, None))
    state = after(state, aurora=GroupUse(2, 6_000_000, None))
    assert cpu(state) == 6000
    state = after(state, aurora=GroupUse(2, 1_000_000, None))
    assert cpu(state) == 7000
    assert state.totals["aurora"][MONTH].memory is None


def test_group_is_read_as_the_kernel_writes_it(tmp_path: Path) -> None:
    folder = tmp_path / UNIT.format(site="aurora")
    assert read_use("aurora", tmp_path) is None
    folder.mkdir(parents=True)
    assert read_use("aurora", tmp_path) is None
    (folder / "cpu.stat").write_text("usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n")
    (folder / "memory.current").write_text("5000\n")
    assert read_use("aurora", tmp_path) == GroupUse(folder.stat().st_ino, 1_234_567, 5000)
    (folder / "memory.peak").write_text("9000\n")
    found = read_use("aurora", tmp_path)
    assert found is not None and found.memory == 9000
    (folder / "cpu.stat").write_text("usage_usec many\n")
    assert read_use("aurora", tmp_path) is None


def test_what_processes_use_is_told(node: Node) -> None:
    node.counting = node.counting._replace(log=None, run=("aurora",))
    node.groups["aurora"] = GroupUse(1, 1_000_000, 50)
    node.look(REPORT)
    node.groups["aurora"] = GroupUse(1, 4_000_000, 70)
    node.look(REPORT)
    assert node.database.calls[-1][1] == {
        "aurora": {MONTH: {"requests": 0, "bytes": 0, "cpu_milliseconds": 3000, "memory": 70}}
    }

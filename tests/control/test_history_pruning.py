"""What monitors concluded long ago is deleted, a bounded part at a time, and nothing that lasts."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from tests.control.fleet import Fleet
from tests.control.operators import OperatorHere
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.models import (
    Maintenance,
    ManagedSite,
    Monitor,
    ProbeCoverage,
    ProbeHour,
    ProbeLatest,
    ProbePeriod,
)
from wagtail_multihost.nodeapi.history_v1 import HOUR_DAYS, MOST_ROWS, PERIOD_DAYS, PRUNE_HISTORY
from wagtail_multihost.nodeapi.probe_states import DOWN, UNKNOWN, UP
from wagtail_multihost.operations.operator.pruning import SECONDS, SECONDS_WHILE_MORE, HistoryPruner

NEW, OLD = timedelta(days=PERIOD_DAYS - 1), timedelta(days=PERIOD_DAYS + 1)


def prune() -> int:
    with connection.cursor() as cursor:
        cursor.execute(PRUNE_HISTORY)
        return int(cursor.fetchone()[0])


@pytest.fixture(name="site")
def _site(fleet: Fleet) -> ManagedSite:
    return fleet.add("aurora")


@pytest.fixture(name="now")
def _now(db: None) -> datetime:
    return database_time()


def period(site: ManagedSite, hostname: str, since: datetime, till: datetime | None, **more: Any) -> None:
    values = {"place": "outside", "state": DOWN} | more
    ProbePeriod.objects.create(hostname=hostname, site=site, since=since, till=till, **values)


def latest(site: ManagedSite, hostname: str, state: str, since: datetime, place: str) -> None:
    values = {"first_at": since, "noted_at": since, "allowance": 1}
    ProbeLatest.objects.create(hostname=hostname, place=place, site=site, state=state, since=since, **values)


def test_what_is_over_for_long_is_deleted_and_nothing_else(site: ManagedSite, now: datetime) -> None:
    Monitor.objects.create(place="outside", seen_at=now)
    Monitor.objects.create(place="gone", seen_at=now - OLD)
    period(site, "a.example.com", now - OLD - OLD, now - OLD)
    period(site, "b.example.com", now - OLD, now - NEW)
    period(site, "c.example.com", now - OLD, None)
    period(site, "d.example.com", now - OLD, None, state=UNKNOWN)
    period(site, "e.example.com", now - OLD, None, place="gone")
    for hostname, state, place in (
        ("c", DOWN, "outside"),
        ("d", UNKNOWN, "outside"),
        ("e", UP, "gone"),
        ("f", UP, "outside"),
    ):
        latest(site, f"{hostname}.example.com", state, now - OLD, place)
    for till in (now - OLD, now - NEW):
        ProbeCoverage.objects.create(place="outside", during=DateTimeTZRange(now - OLD - OLD, till))
        Maintenance.objects.create(site=site, since=now - OLD, till=till, reason="x")
    Maintenance.objects.create(site=site, since=now - OLD, till=None, reason="suspended", of_record=True)
    for days in (HOUR_DAYS - 1, HOUR_DAYS + 1):
        ProbeHour.objects.create(
            hostname="a.example.com", place="outside", hour=now - timedelta(days=days), histogram=[1]
        )
    assert prune() == 9
    assert {one.hostname[0] for one in ProbePeriod.objects.all()} == {"b", "c"}
    assert {one.hostname[0] for one in ProbeLatest.objects.all()} == {"c", "f"}
    assert [one.place for one in Monitor.objects.all()] == ["outside"]
    assert ProbeCoverage.objects.count() == ProbeHour.objects.count() == 1
    assert Maintenance.objects.filter(of_record=True).count() == 1
    assert Maintenance.objects.count() == 2
    assert prune() == 0


def test_no_more_than_so_many_rows_go_at_once(site: ManagedSite, now: datetime) -> None:
    old = now - timedelta(days=HOUR_DAYS + 30)
    rows = [
        ProbeHour(hostname=f"{number}.example.com", place="outside", hour=old, histogram=[1])
        for number in range(MOST_ROWS + 7)
    ]
    ProbeHour.objects.bulk_create(rows)
    assert [prune(), prune(), prune()] == [MOST_ROWS, 7, 0]


def test_pruner_looks_now_and_then_and_sooner_while_there_is_more() -> None:
    asked, clock, found = [], [0.0], [MOST_ROWS, 3, 0]

    def ask(statement: str, values: object) -> list[tuple[int]]:
        asked.append(clock[0])
        assert statement == PRUNE_HISTORY
        return [(found[len(asked) - 1],)]

    pruner = HistoryPruner(ask, lambda: clock[0])
    for second in range(int(SECONDS_WHILE_MORE + SECONDS) + 1):
        clock[0] = float(second)
        pruner.prune_when_due()
    assert asked == [0.0, SECONDS_WHILE_MORE, SECONDS_WHILE_MORE + SECONDS]


def test_operator_prunes_with_its_own_rights(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> None:
    site = live_fleet.add("aurora")
    roles = Roles(postgres)
    roles.make()
    period(site, "a.example.com", database_time() - OLD - OLD, database_time() - OLD)
    operator = OperatorHere(roles, tmp_path)
    try:
        operator.work()
    finally:
        operator.close()
    assert not ProbePeriod.objects.exists()

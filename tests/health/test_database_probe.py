"""The probe of the site's database, on SQLite and with pools that are none."""

from __future__ import annotations

import contextlib
import gc
import logging
import socket
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from tests.accounts import IS_ROOT, NOBODY, acting_as, passable_folder
from tests.health.databases import Configure, Counted, _aurora, _configure, measured, sqlite_alias  # noqa: F401
from tests.identity.conftest import OTHER_UID, Database
from tests.servers.processes import wait_for
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import Outcome, failed, passed, warned
from wagtail_multihost.health.probes import database as probing
from wagtail_multihost.health.probes.connection import (
    existing_file,
    new_connection,
    probe_settings,
    unopened_connection,
)
from wagtail_multihost.health.probes.database import DatabaseProbe, combine_outcomes
from wagtail_multihost.health.probes.deadline import hang_up_after
from wagtail_multihost.health.probes.pool import ask_pool
from wagtail_multihost.health.report import ProbeEntry
from wagtail_multihost.health.sampler import Sampler
from wagtail_multihost.health.status import Status
from wagtail_multihost.identity.own import OwnIdentity

POSTGRESQL = {"ENGINE": "django.db.backends.postgresql", "NAME": "aurora", "HOST": "127.0.0.1"}
FOREIGN, UNREACHABLE = failed("foreign_database"), failed("unreachable")
PATIENT = 60.0


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """A SQLite file."""
    path = tmp_path / "db.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE something (id)")
    return path


@dataclass(frozen=True, kw_only=True)
class Recorded(DatabaseProbe):
    """Keeps what its runs have found."""

    seen: list[Outcome] = field(default_factory=list)

    def measure(self) -> Iterator[Outcome]:
        self.seen.extend(super().measure())
        yield self.seen[-1]


@contextlib.contextmanager
def sampled(*entries: ProbeEntry) -> Iterator[Sampler]:
    """Sample without a pause."""
    sampler = Sampler(entries, (), HealthOptions(budget=60_000))
    try:
        yield sampler
    finally:
        sampler.stop()
        names = {f"multihost-probe-{entry.name}" for entry in entries} | {"multihost-sampler"}
        wait_for(lambda: names.isdisjoint(thread.name for thread in threading.enumerate()), "the sampler's threads")


def test_database_that_answers_passes(configure: Configure, path: Path) -> None:
    """A new connection is opened, asked and closed."""
    configure(default=sqlite_alias(path))
    assert measured(DatabaseProbe(timeout=PATIENT)) == passed()
    assert (Counted.opened, Counted.open) == (1, set())


def test_probe_keeps_no_connection_of_its_thread(configure: Configure, path: Path) -> None:
    """Django's own connections of the thread are neither used nor made."""
    handler = configure(default=sqlite_alias(path))
    measured(DatabaseProbe(timeout=PATIENT))
    assert handler.all(initialized_only=True) == []


@pytest.mark.parametrize("name", [":memory:", "file:probe?mode=memory&cache=shared", "file::memory:"])
def test_database_in_memory_is_closed(configure: Configure, name: str) -> None:
    """Django closes no database in memory; the probe closes its own connection to one."""
    configure(default=sqlite_alias(name))
    assert measured(DatabaseProbe(timeout=PATIENT)) == passed()
    assert (Counted.opened, Counted.open) == (1, set())


@pytest.mark.django_db(transaction=True)
def test_database_of_a_test_run_is_sampled() -> None:
    """The sampler's threads reach the database of a test run, and leave no connection open in it."""
    probe = Recorded(timeout=PATIENT, interval=0.01, retry=0.01)
    with sampled(ProbeEntry("database", probe)) as sampler:
        wait_for(lambda: sampler.ask() and len(probe.seen) > 20, "20 runs")
    assert set(probe.seen) == {passed()}
    gc.collect()  # a connection that is left open warns, which is an error


@pytest.mark.parametrize("name", ["later.sqlite3", "later/db.sqlite3"])
def test_missing_file_fails_and_is_not_made(
    configure: Configure, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the file or its folder is missing the probe says so, to the log in words, and makes neither."""
    configure(default=sqlite_alias(tmp_path / name))
    with caplog.at_level(logging.WARNING, "wagtail_multihost.health"):
        assert measured(DatabaseProbe(timeout=PATIENT)) == UNREACHABLE
    assert list(tmp_path.iterdir()) == []
    assert "unable to open database file" in caplog.text
    assert Counted.open == set()


def test_database_that_is_back_passes(configure: Configure, tmp_path: Path) -> None:
    """The run after an outage finds the database."""
    configure(default=sqlite_alias(tmp_path / "db.sqlite3"))
    probe = DatabaseProbe(timeout=PATIENT)
    assert measured(probe) == UNREACHABLE
    (tmp_path / "db.sqlite3").touch()
    assert measured(probe) == passed()


def test_file_that_is_no_database_fails(configure: Configure, tmp_path: Path) -> None:
    """A file that SQLite opens and cannot read is found out."""
    path = tmp_path / "db.sqlite3"
    path.write_text("no database " * 100)
    configure(default=sqlite_alias(path))
    assert measured(DatabaseProbe(timeout=PATIENT)) == UNREACHABLE
    assert Counted.open == set()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (":memory:", ":memory:"),
        ("", ""),
        ("/srv/db.sqlite3", "file:///srv/db.sqlite3?mode=rw"),
        (Path("/srv/db.sqlite3"), "file:///srv/db.sqlite3?mode=rw"),
        ("/srv/a?mode=b#%20.sqlite3", "file:///srv/a%3Fmode%3Db%23%2520.sqlite3?mode=rw"),
        ("file:/srv/db.sqlite3", "file:/srv/db.sqlite3?mode=rw"),
        ("file:/srv/db.sqlite3?cache=private", "file:/srv/db.sqlite3?cache=private&mode=rw"),
        ("file:/srv/db.sqlite3?mode=ro", "file:/srv/db.sqlite3?mode=ro"),
    ],
)
def test_existing_file_is_never_made(name: object, expected: str) -> None:
    """Every name of a file is opened without making it; what a URI states stays."""
    assert existing_file(name) == expected


def test_file_with_a_telling_name_is_the_same(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Characters that mean something in a URI, and paths from the working folder, lead to the file of that name."""
    monkeypatch.chdir(tmp_path)
    name = "a b?mode=memory#%41.sqlite3"
    with contextlib.closing(sqlite3.connect(tmp_path / name)) as connection:
        connection.execute("CREATE TABLE something (id)")
    configure(default=sqlite_alias(name))
    with new_connection("default", PATIENT) as connection, connection.cursor() as cursor:
        assert connection.introspection.table_names(cursor) == ["something"]


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_database_that_cannot_be_written_fails(configure: Configure, closed: str) -> None:
    """A file that can be read alone, and a folder that takes no journal, are failures."""
    with passable_folder() as folder:
        path = folder / "db.sqlite3"
        path.touch()
        path.chmod(0o666)
        folder.chmod(0o777)
        configure(default=sqlite_alias(path))
        with acting_as(NOBODY) if IS_ROOT else contextlib.nullcontext():
            assert measured(DatabaseProbe(timeout=PATIENT)) == passed()
        path.chmod(0o444 if closed == "file" else 0o666)
        folder.chmod(0o555 if closed == "folder" else 0o777)
        with acting_as(NOBODY) if IS_ROOT else contextlib.nullcontext():
            assert measured(DatabaseProbe(timeout=PATIENT)) == failed("read_only")
        folder.chmod(0o755)


def test_locked_database_is_a_warning(configure: Configure, path: Path) -> None:
    """Somebody else's long write is no failure, and the project's own patience with it is not waited for."""
    configure(default=sqlite_alias(path, timeout=600))
    with contextlib.closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert measured(DatabaseProbe(timeout=0.2)) == warned("locked")
    assert Counted.open == set()


@pytest.mark.parametrize("uid", ["own", "other"])
def test_identity_fuse_compares_the_probes_connection(
    configure: Configure, path: Path, aurora: OwnIdentity, uid: str
) -> None:
    """A database of another site is a failure with a code of its own; the own one passes."""
    database = Database(path, [])
    configure(default=sqlite_alias(path))
    database.claim(aurora, **({} if uid == "own" else {"uid": OTHER_UID}))
    assert measured(DatabaseProbe(timeout=PATIENT)) == (passed() if uid == "own" else FOREIGN)
    assert Counted.open == set()
    for connection in database.opened:
        connection.close()


def test_receivers_of_new_connections_are_called(configure: Configure, path: Path) -> None:
    """The connection is opened as Django opens it: whatever a project does to every new one is done."""
    configure(default=sqlite_alias(path))
    seen: list[str] = []

    def receive(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
        seen.append(connection.alias)

    connection_created.connect(receive)
    try:
        measured(DatabaseProbe(timeout=PATIENT))
    finally:
        connection_created.disconnect(receive)
    assert seen == ["default"]


def test_error_of_a_receiver_closes_the_connection(configure: Configure, path: Path) -> None:
    """Whoever raises in between, the connection is closed."""
    configure(default=sqlite_alias(path))
    with pytest.raises(ZeroDivisionError), new_connection("default", PATIENT):
        raise ZeroDivisionError
    assert (Counted.opened, Counted.open) == (1, set())


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({}, {"connect_timeout": 2, "tcp_user_timeout": 800}),
        ({"connect_timeout": 5}, {"connect_timeout": 5, "tcp_user_timeout": 800}),
        ({"pool": {"max_size": 2}, "tcp_user_timeout": 9}, {"connect_timeout": 2, "tcp_user_timeout": 9}),
        ({"service": "aurora"}, {"service": "aurora"}),
    ],
)
def test_deadlines_are_set_where_the_project_sets_none(
    configure: Configure, stated: dict[str, Any], expected: dict[str, Any]
) -> None:
    """No pool, deadlines that the client keeps, and nothing that a server or PgBouncer would have to accept."""
    configure(default={**POSTGRESQL, "OPTIONS": stated})
    connection = unopened_connection("default")
    before = dict(connection.settings_dict["OPTIONS"])
    settings = probe_settings(connection, 0.8)
    assert settings["OPTIONS"] == expected
    assert (settings["NAME"], settings["HOST"]) == ("aurora", "127.0.0.1")
    assert connection.settings_dict["OPTIONS"] == before == stated


@pytest.mark.parametrize(("stated", "expected"), [({}, 0.4), ({"timeout": 20}, 0.4), ({"timeout": 0.1}, 0.1)])
def test_lock_is_waited_for_less_than_the_probe_may_take(
    configure: Configure, stated: dict[str, Any], expected: float
) -> None:
    """SQLite gives up before the run counts as stuck."""
    configure(default=sqlite_alias("/srv/db.sqlite3", **stated))
    assert probe_settings(unopened_connection("default"), 0.8)["OPTIONS"]["timeout"] == expected


def test_answer_that_never_comes_is_hung_up() -> None:
    """A driver that waits for its server gets the end of the connection when the time is over."""
    driver, server = socket.socketpair()
    with driver, server, hang_up_after(0.05, lambda: driver):
        driver.settimeout(PATIENT)
        assert driver.recv(1) == b""


def test_connection_that_opens_late_is_hung_up_too() -> None:
    """The deadline comes again and again, as long as the block lasts."""
    driver, server = socket.socketpair()
    known: list[socket.socket | None] = [None, None, driver]
    with driver, server, hang_up_after(0.05, lambda: known.pop(0) if len(known) > 1 else known[0]):
        driver.settimeout(PATIENT)
        assert driver.recv(1) == b""


def test_deadline_is_over_with_its_block() -> None:
    """What ends in time keeps its connection, and no thread is left."""
    driver, server = socket.socketpair()
    with driver, server:
        with hang_up_after(PATIENT, lambda: driver):
            pass
        server.send(b"x")
        assert driver.recv(1) == b"x"
        assert "multihost-probe-deadline" not in {thread.name for thread in threading.enumerate()}


@dataclass
class Driver:
    """Stands for a pool's connection."""

    works: bool = True
    autocommit: bool = True
    rolled_back: bool = False

    def execute(self, query: str) -> None:
        if not self.works:
            raise OperationalError("gone")

    def rollback(self) -> None:
        self.rolled_back = True


@dataclass(eq=False)
class Pool:
    """Stands for psycopg's pool: gives ``drivers``, then times out while it serves ``others`` requests."""

    drivers: list[Driver] = field(default_factory=list)
    others: int = 0
    size: int = 4
    timeout: float = 30
    max_waiting: int = 0
    returned: list[Driver] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"requests_num": 7, "requests_waiting": 0})

    def open(self) -> None: ...

    def getconn(self, timeout: float) -> Driver:
        self.counts["requests_num"] += 1
        if self.drivers:
            return self.drivers.pop(0)
        # Others that are served, and others that come to wait; who gives up stays in the queue of psycopg's pool.
        self.counts["requests_num"] += self.others + 2
        self.counts["requests_waiting"] += 3
        raise PoolTimeout("password=secret")

    def putconn(self, driver: Driver) -> None:
        self.returned.append(driver)

    def get_stats(self) -> dict[str, int]:
        return {**self.counts, "pool_size": self.size, "pool_max": 4, "pool_available": len(self.drivers)}


def test_pool_that_works_gets_its_connection_back() -> None:
    """A connection is taken, asked and given back, and no transaction is left in it."""
    driver = Driver(autocommit=False)
    pool = Pool([driver])
    assert ask_pool(pool, PATIENT) == passed()
    assert pool.returned == [driver]
    assert driver.rolled_back


def test_pool_with_a_broken_connection_and_a_working_one_passes() -> None:
    """After an outage idle connections are broken; the pool replaces each that is given back."""
    pool = Pool([Driver(works=False), Driver(works=False), Driver()])
    assert ask_pool(pool, PATIENT) == passed()
    assert len(pool.returned) == 3


def test_pool_with_broken_connections_alone_is_unusable() -> None:
    """A pool that has none that works is found out, full or not, and everything is given back."""
    pool = Pool([Driver(works=False)])
    assert ask_pool(pool, PATIENT) == failed("pool_unusable")
    assert len(pool.returned) == 1


def test_pool_that_could_grow_and_does_not_is_unusable() -> None:
    """A pool that is not full and gives nothing has not recovered."""
    assert ask_pool(Pool(size=0), PATIENT) == failed("pool_unusable")


def test_pool_that_serves_others_is_busy() -> None:
    """A full pool that goes on serving requests is a warning, however often that is seen."""
    pool = Pool(others=1, timeout=0.000001)
    assert {ask_pool(pool, PATIENT) for _ in range(3)} == {warned("pool_exhausted")}


def test_pool_that_serves_nobody_for_as_long_as_a_request_waits_is_unusable() -> None:
    """A full pool whose connections never come back is a failure when requests begin to fail, and not before."""
    pool = Pool(timeout=1000)
    assert {ask_pool(pool, PATIENT) for _ in range(3)} == {warned("pool_exhausted")}
    pool.timeout = 0.000001
    assert ask_pool(pool, PATIENT) == failed("pool_unusable")
    pool.drivers.append(Driver())
    assert ask_pool(pool, PATIENT) == passed()
    pool.timeout = 1000
    assert ask_pool(pool, PATIENT) == warned("pool_exhausted")


@pytest.mark.parametrize(
    ("pool", "new", "expected"),
    [
        (passed(), passed(), passed()),
        (passed(), UNREACHABLE, warned("no_new_connection")),
        (passed(), FOREIGN, FOREIGN),
        (failed("pool_unusable"), passed(), failed("pool_unusable")),
        (failed("pool_unusable"), UNREACHABLE, UNREACHABLE),
        (warned("pool_exhausted"), passed(), warned("pool_exhausted")),
        (warned("pool_exhausted"), UNREACHABLE, UNREACHABLE),
        (failed("pool_unusable"), FOREIGN, FOREIGN),
    ],
)
def test_pool_and_new_connection_mean_together(pool: Outcome, new: Outcome, expected: Outcome) -> None:
    """Each of both alone tells something else; a database of another site is always a failure."""
    assert combine_outcomes(pool, new) == expected
    assert expected.code == "ok" or expected.code in DatabaseProbe.codes


def test_pool_that_serves_is_asked(configure: Configure, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a pool it is part of the verdict."""
    configure(default=sqlite_alias(path))
    monkeypatch.setattr(probing, "serving_pool", lambda alias: Pool(size=0))
    assert measured(DatabaseProbe(timeout=PATIENT)) == failed("pool_unusable")


def test_alias_without_a_pool_has_none(configure: Configure, path: Path) -> None:
    """Neither SQLite nor PostgreSQL without the option has a pool to ask."""
    configure(default=sqlite_alias(path), other=POSTGRESQL)
    assert probing.serving_pool("default") is None
    assert probing.serving_pool("other") is None


def test_run_that_fails_is_shown_by_its_code(configure: Configure, tmp_path: Path) -> None:
    """What the sampler publishes of a missing database is a failure with a code and nothing else."""
    configure(default=sqlite_alias(tmp_path / "secret.sqlite3"))
    with sampled(ProbeEntry("database", DatabaseProbe(timeout=PATIENT))) as sampler:
        report = sampler.wait(PATIENT)
    assert report
    assert report.status is Status.FAIL
    assert report.results[0].outcomes == (UNREACHABLE,)
    assert "secret" not in repr(report.results[0].outcomes)

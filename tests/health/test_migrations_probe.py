"""The probe that holds the database against the migrations of the code."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as default_connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from tests.health.databases import Configure, Counted, _aurora, _configure, measured, sqlite_alias  # noqa: F401
from wagtail_multihost.health.access import Gate, HealthRequest
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.endpoint import Endpoint
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import failed, passed
from wagtail_multihost.health.probes import migrations as probing
from wagtail_multihost.health.probes.database import DatabaseProbe
from wagtail_multihost.health.probes.migrations import (
    CodeMigrations,
    Key,
    MigrationsProbe,
    later_migrations,
    migrations_on_disk,
    unapplied_migrations,
)
from wagtail_multihost.health.report import ProbeEntry
from wagtail_multihost.health.sampler import Sampler
from wagtail_multihost.identity.own import OwnIdentity

PATIENT = 60.0
#: Two migrations, and one app more.
CODE = CodeMigrations(
    {("blog", "0001"): frozenset(), ("blog", "0002"): frozenset(), ("shop", "0001"): frozenset()},
    frozenset({"blog", "shop"}),
)
APPLIED = (("blog", "0001"), ("shop", "0001"), ("blog", "0002"))


def record(path: Path, rows: Iterable[Key], names: str = "id INTEGER PRIMARY KEY, app, name, applied") -> None:
    """Make the table that Django keeps applied migrations in, in this order."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS django_migrations ({names})")
        connection.executemany("INSERT INTO django_migrations (app, name) VALUES (?, ?)", list(rows))


@pytest.fixture(name="path")
def _path(tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty database, for a code of three migrations."""
    path = tmp_path / "db.sqlite3"
    path.touch()
    configure(default=sqlite_alias(path))
    monkeypatch.setattr(probing, "migrations_on_disk", lambda: CODE)
    return path


def test_database_that_is_migrated_passes(path: Path) -> None:
    """All migrations of the code are applied; the one connection is closed."""
    record(path, APPLIED)
    assert measured(MigrationsProbe(timeout=PATIENT)) == passed()
    assert (Counted.opened, Counted.open) == (1, set())


def test_database_behind_the_code_fails(path: Path) -> None:
    """A process whose tables are not there yet must get no visitors; the value says how many migrations are missing."""
    record(path, APPLIED[:1])
    assert measured(MigrationsProbe(timeout=PATIENT)) == failed("database_behind", 2, "migrations")


def test_database_without_the_table_is_behind(path: Path) -> None:
    """A database that has never been migrated lacks all of them."""
    assert measured(MigrationsProbe(timeout=PATIENT)) == failed("database_behind", 3, "migrations")
    assert Counted.open == set()


def test_database_ahead_of_the_code_passes(path: Path) -> None:
    """In a rolling deploy the new code has migrated: the old goes on serving, and says so."""
    record(path, [*APPLIED, ("blog", "0003"), ("shop", "0002")])
    assert measured(MigrationsProbe(timeout=PATIENT)) == passed(2, "migrations", code="database_ahead")


def test_database_both_behind_and_ahead_fails(path: Path) -> None:
    """What the code lacks does not make up for what the database lacks."""
    record(path, [*APPLIED[:2], ("shop", "0002")])
    assert measured(MigrationsProbe(timeout=PATIENT)) == failed("database_behind", 1, "migrations")


def test_apps_that_are_not_installed_are_ignored(path: Path) -> None:
    """What an app has left that was removed is of no meaning."""
    record(path, [*APPLIED, ("removed", "0001")])
    assert measured(MigrationsProbe(timeout=PATIENT)) == passed()


def test_migrations_that_squashing_has_left_are_not_ahead(path: Path) -> None:
    """Rows of migrations that are gone from the code, older than those that it has, are history."""
    record(path, [("blog", "0000_initial"), *APPLIED])
    assert measured(MigrationsProbe(timeout=PATIENT)) == passed()


def test_table_that_cannot_be_read_is_no_missing_migration(path: Path) -> None:
    """Another table of that name is an error of the database, and not one that is behind."""
    record(path, [], names="app, name")
    assert measured(MigrationsProbe(timeout=PATIENT)) == failed("unreachable")


def test_missing_database_fails_and_is_not_made(path: Path) -> None:
    """Where there is no file none is made, and it does not pass for one without migrations."""
    path.unlink()
    assert measured(MigrationsProbe(timeout=PATIENT)) == failed("unreachable")
    assert not path.exists()


def squashed(*stated: tuple[str, str]) -> dict[Key, frozenset[Key]]:
    """Return migrations of one app, each with those that it replaces, separated by blanks."""
    table = {("blog", name): frozenset(("blog", old) for old in replaced.split()) for name, replaced in stated}
    return {key: probing.all_replaced(key, table) for key in table}


ONCE = squashed(("1", ""), ("2", ""), ("1-2", "1 2"), ("3", ""))
TWICE = squashed(("1", ""), ("2", ""), ("3", ""), ("1-2", "1 2"), ("1-3", "1-2 3"))
#: The replaced files have been removed, and the list of what was replaced has stayed.
REMOVED = squashed(("1-2", "1 2"), ("3", ""))


@pytest.mark.parametrize(
    ("migrations", "applied", "expected"),
    [
        (ONCE, "", "1-2 3"),
        (ONCE, "1", "2 3"),
        (ONCE, "1 2", "3"),
        (ONCE, "1 2 3", ""),
        (ONCE, "1 2 1-2 3", ""),
        # Django does not believe the row of one whose replaced migrations are not applied.
        (ONCE, "1-2 3", "1-2"),
        (TWICE, "", "1-3"),
        (TWICE, "1 2", "3"),
        (TWICE, "1 2 1-2 3 1-3", ""),
        (REMOVED, "1 2 3", ""),
        (REMOVED, "1 3", "2"),
        (REMOVED, "3", "1-2"),
    ],
)
def test_squashed_migration_stands_for_those_that_it_replaces(
    migrations: dict[Key, frozenset[Key]], applied: str, expected: str
) -> None:
    """It is missing when all of them are, they are when some are, and a database with all of them lacks nothing."""
    disk = CodeMigrations(migrations, frozenset({"blog"}))
    found = unapplied_migrations(disk, [("blog", name) for name in applied.split()])
    assert {name for _, name in found} == set(expected.split())


def test_replaced_migrations_are_not_ahead() -> None:
    """Rows of what a squashed migration replaces are known, with the files or without."""
    rows = [("blog", name) for name in ("3", "1-2", "1", "2")]
    assert later_migrations(CodeMigrations(REMOVED, frozenset({"blog"})), rows) == set()


@pytest.mark.django_db
@pytest.mark.parametrize("kept", [0, 5, 20, 10_000])
def test_missing_migrations_are_those_that_django_would_run(kept: int) -> None:
    """With the migrations of Django and Wagtail the count is that of Django's own plan."""
    with default_connection.cursor() as cursor:
        cursor.execute("SELECT id FROM django_migrations ORDER BY id")
        for (row,) in cursor.fetchall()[kept:]:
            cursor.execute("DELETE FROM django_migrations WHERE id = %s", [row])
    executor = MigrationExecutor(default_connection)
    plan = {(migration.app_label, migration.name) for migration, _ in executor.migration_plan(leaves(executor))}
    applied = probing.applied_migrations(default_connection)
    assert unapplied_migrations(migrations_on_disk(), applied) == plan
    assert bool(plan) == (kept < 10_000)


def leaves(executor: MigrationExecutor) -> list[Key]:
    return executor.loader.graph.leaf_nodes()


@pytest.mark.django_db(transaction=True)
def test_database_of_a_test_run_passes() -> None:
    """The real migrations, and the real table of a new database."""
    assert measured(MigrationsProbe(timeout=PATIENT)) == passed()


@contextlib.contextmanager
def counting() -> Iterator[list[str]]:
    """Collect the statements of every new connection."""
    statements: list[str] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    def receive(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
        connection.execute_wrappers.append(count)

    connection_created.connect(receive)
    try:
        yield statements
    finally:
        connection_created.disconnect(receive)


def test_one_connection_is_opened_and_one_question_asked(path: Path) -> None:
    """A run costs one connection and one SELECT."""
    record(path, APPLIED)
    with counting() as statements:
        measured(MigrationsProbe(timeout=PATIENT))
    assert statements == [probing.QUERY]
    assert Counted.opened == 1


def test_migrations_of_the_code_are_read_once(configure: Configure, tmp_path: Path, monkeypatch: Any) -> None:
    """They do not change while a process runs; however many probes ask, the files are read once."""
    (tmp_path / "db.sqlite3").touch()
    configure(default=sqlite_alias(tmp_path / "db.sqlite3"))
    reads: list[MigrationLoader] = []
    load_disk = MigrationLoader.load_disk

    def load(loader: MigrationLoader) -> None:
        reads.append(loader)
        load_disk(loader)

    monkeypatch.setattr(MigrationLoader, "load_disk", load)
    migrations_on_disk.cache_clear()
    for _ in range(3):
        measured(MigrationsProbe(timeout=PATIENT))
    assert len(reads) == 1
    assert reads[0].connection is None


def test_apps_without_migrations_are_no_part_of_the_code(settings: Any) -> None:
    """An app whose migrations are turned off, as in test runs, lacks none."""
    settings.MIGRATION_MODULES = {"taggit": None}
    migrations_on_disk.cache_clear()
    try:
        disk = migrations_on_disk()
        assert "taggit" not in disk.apps
        assert not [key for key in disk.migrations if key[0] == "taggit"]
        assert ("wagtailcore", "0001_initial") in disk.migrations
    finally:
        migrations_on_disk.cache_clear()


@contextlib.contextmanager
def served(site: str, tmp_path: Path) -> Iterator[Endpoint]:
    """Answer for a site with real probes of its database."""
    options = HealthOptions(budget=60_000, drain_file=tmp_path / "drain")
    probes = {"database": DatabaseProbe(timeout=PATIENT), "migrations": MigrationsProbe(timeout=PATIENT)}
    sampler = Sampler([ProbeEntry(name, probe, site) for name, probe in probes.items()], (site,), options)
    try:
        yield Endpoint(options, sampler, Gate(lambda: (), ()), Drain(options.drain_file), sites=(site,))
    finally:
        sampler.stop()


def test_process_whose_database_is_behind_is_not_ready(path: Path, tmp_path: Path, aurora: OwnIdentity) -> None:
    """The site's process is live and not ready, and the site itself is told to fail."""
    record(path, APPLIED[:1])
    with served("aurora", tmp_path) as endpoint:
        answers = {
            name: endpoint.answer(HealthRequest("GET", f"/-/{name}")) for name in ("ready", "site/aurora", "live")
        }
    ready, site, live = answers["ready"], answers["site/aurora"], answers["live"]
    assert ready and site and live
    assert (ready.status, ready.body, live.status) == (503, b"fail", 200)
    assert site.status == 503
    assert b"database_behind" not in ready.body + site.body


def test_process_whose_database_is_ahead_stays_ready(path: Path, tmp_path: Path, aurora: OwnIdentity) -> None:
    """The old process of a rolling deploy keeps its visitors."""
    record(path, [*APPLIED, ("blog", "0003")])
    with served("aurora", tmp_path) as endpoint:
        ready = endpoint.answer(HealthRequest("GET", "/-/ready"))
        report = endpoint.source.ask()
    assert ready and report
    assert (ready.status, ready.body) == (200, b"pass")
    assert [outcome.code for result in report.results for outcome in result.outcomes] == ["ok", "database_ahead"]


def test_long_query_is_interrupted_in_a_sqlite_file(tmp_path: Path, configure: Configure) -> None:
    """A view of many seconds in the place of the table of migrations is a failure, and holds no sampler up."""
    path = tmp_path / "endless.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE VIEW django_migrations AS WITH RECURSIVE n(id) AS "
            "(SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 9000000) "
            "SELECT count(*) AS id, 'app' AS app, 'name' AS name FROM n"
        )
    configure(default=sqlite_alias(path))
    assert measured(MigrationsProbe(timeout=0.3)).code == "unreachable"

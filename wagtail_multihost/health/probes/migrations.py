"""Whether the database has the tables that the code expects."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, NamedTuple

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from wagtail_multihost.health.probe import Outcome, Probe, failed, passed
from wagtail_multihost.health.probes import connection as opening
from wagtail_multihost.identity.comparison import UNDEFINED_TABLE

Key = tuple[str, str]

QUERY = "SELECT app, name FROM django_migrations ORDER BY id"
NO_TABLE = "no such table: django_migrations"  # SQLite's message


class CodeMigrations(NamedTuple):
    """The migrations of the code, each with those that it replaces, and the apps that have migrations."""

    migrations: Mapping[Key, frozenset[Key]]
    apps: frozenset[str]


@cache
def migrations_on_disk() -> CodeMigrations:
    """Read the migrations of the code once, as they do not change while a process runs."""
    from django.db.migrations.loader import MigrationLoader  # loads every migration

    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    stated = {key: frozenset(migration.replaces) for key, migration in loader.disk_migrations.items()}
    return CodeMigrations({key: all_replaced(key, stated) for key in stated}, frozenset(loader.migrated_apps))


def all_replaced(key: Key, stated: Mapping[Key, frozenset[Key]]) -> frozenset[Key]:
    """Return the migrations that a migration replaces, directly and indirectly."""
    found: set[Key] = set()
    waiting = list(stated[key])
    while waiting:
        target = waiting.pop()
        if target not in found:
            found.add(target)
            waiting.extend(stated.get(target, ()))
    return frozenset(found)


def unapplied_migrations(disk: CodeMigrations, applied: Collection[Key]) -> set[Key]:
    """
    Return the migrations that ``migrate`` would run. As in Django's loader, one that replaces others represents them if
    all or none of them are applied, whether or not it is recorded itself, and is ignored if only some are.
    """
    lacking = {key for key, replaced in disk.migrations.items() if not replaced and key not in applied}
    stood_for: set[Key] = set()
    for key, replaced in disk.migrations.items():
        targets = {target for target in replaced if not disk.migrations.get(target)}
        if targets and targets.isdisjoint(applied):
            lacking.add(key)
            stood_for |= replaced
        else:
            lacking |= targets.difference(applied)
    return lacking - stood_for


def later_migrations(disk: CodeMigrations, applied: Collection[Key]) -> set[Key]:
    """
    Return the applied migrations of a later version of the code: those that are unknown here, and were applied after
    the last known one of their app. Earlier unknown ones are left from squashing.
    """
    known = set(disk.migrations).union(*disk.migrations.values())
    later: dict[str, set[Key]] = {}
    for key in applied:
        if key in known:
            later.pop(key[0], None)
        else:
            later.setdefault(key[0], set()).add(key)
    return {key for app in disk.apps for key in later.get(app, ())}


@dataclass(frozen=True, kw_only=True)
class MigrationsProbe(Probe):
    """
    Compares the migrations of the code, which a process reads once, with those applied in the database, by one query. A
    database that lacks some is a failure. One that has more passes: in a rolling deployment the new code has migrated
    it, and the old code must continue to serve until it is replaced.
    """

    component: ClassVar[str] = "datastore"
    codes: ClassVar[Mapping[str, str]] = {
        **opening.CODES,
        "database_behind": "Migrations of the code are not applied; the value is their number.",
        "database_ahead": "The database has migrations of a later version of the code; the value is their number.",
    }

    alias: str = field(default="default", metadata={"meaning": "The alias in `DATABASES`."})
    interval: float = field(default=30, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})

    def measure(self) -> Iterator[Outcome]:
        disk = migrations_on_disk()
        with (
            opening.catch_database_errors(self.alias) as outcomes,
            opening.new_connection(self.alias, self.timeout) as connection,
        ):
            outcomes.append(compare_migrations(disk, applied_migrations(connection)))
        yield from outcomes


def applied_migrations(connection: BaseDatabaseWrapper) -> dict[Key, None]:
    """Return the applied migrations in the order of their application; none if there is no table."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(QUERY)
            return dict.fromkeys((app, name) for app, name in cursor.fetchall())
    except DatabaseError as error:
        if not is_table_missing(error):
            raise
        return {}


def is_table_missing(error: Exception) -> bool:
    cause = error.__cause__
    # psycopg has sqlstate, psycopg2 pgcode.
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return code == UNDEFINED_TABLE or str(error) == NO_TABLE


def compare_migrations(disk: CodeMigrations, applied: Collection[Key]) -> Outcome:
    if lacking := unapplied_migrations(disk, applied):
        return failed("database_behind", len(lacking), "migrations")
    if later := later_migrations(disk, applied):
        return passed(len(later), "migrations", code="database_ahead")
    return passed()

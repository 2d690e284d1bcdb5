"""Whether the site's database serves requests, and accepts new connections."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from django.db.backends.base.base import BaseDatabaseWrapper

from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.probes import connection as opening
from wagtail_multihost.health.probes.pool import ask_pool, serving_pool
from wagtail_multihost.health.status import Status

# SELECT 1 does not read a SQLite file; this reads its header.
QUESTIONS = {"sqlite": "PRAGMA schema_version"}
POOL_PART = 0.5


@dataclass(frozen=True, kw_only=True)
class DatabaseProbe(Probe):
    """
    Opens a new connection, which the identity fuse checks (for the alias ``default``), runs a query, and closes it. If
    psycopg's pool serves the requests, the pool is tested too: after an outage it may not have recovered.

    Without a pool, Django keeps one connection in each thread. Those of the threads that serve requests cannot be used
    from here, and the sampler keeps none: a new connection is what a request opens if it has lost its own.

    A missing SQLite file is not created, and one that is not writable, or whose folder is not, is a failure.
    """

    component: ClassVar[str] = "datastore"
    codes: ClassVar[Mapping[str, str]] = {
        **opening.CODES,
        "read_only": "The SQLite file or its folder cannot be written.",
        "pool_unusable": "A new connection can be opened, but the pool has none that works.",
        "pool_exhausted": "All connections of the pool are in use, but not for as long as a request waits for one.",
        "no_new_connection": "The pool works, but no new connection can be opened.",
    }

    alias: str = field(default="default", metadata={"meaning": "The alias in `DATABASES`."})

    def measure(self) -> Iterator[Outcome]:
        pool = serving_pool(self.alias)
        new = self.new_connection()
        yield new if pool is None else combine_outcomes(ask_pool(pool, self.timeout * POOL_PART), new)

    def new_connection(self) -> Outcome:
        with (
            opening.catch_database_errors(self.alias) as outcomes,
            opening.new_connection(self.alias, self.timeout) as connection,
        ):
            run_query(connection)
            outcomes.append(passed())
        is_open = outcomes[0].status is Status.PASS
        return failed("read_only") if is_open and is_read_only(self.alias) else outcomes[0]


def run_query(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute(QUESTIONS.get(connection.vendor, "SELECT 1"))
        cursor.fetchone()


def combine_outcomes(pool: Outcome, new: Outcome) -> Outcome:
    """Return the outcome for the pool and a new connection together."""
    if new.status is Status.PASS:
        return pool
    if new.code == "foreign_database":
        return new
    return warned("no_new_connection") if pool.status is Status.PASS else new


def is_read_only(alias: str) -> bool:
    """
    Return whether a SQLite file is not writable. SQLite silently opens such a file for reading, and needs the folder
    for its journal. Writing something as a test would lock out other writers.
    """
    connection = opening.unopened_connection(alias)
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or name == ":memory:" or opening.is_uri(name):
        return False
    effective = os.access in os.supports_effective_ids
    return not all(os.access(path, os.W_OK, effective_ids=effective) for path in (name, Path(name).absolute().parent))

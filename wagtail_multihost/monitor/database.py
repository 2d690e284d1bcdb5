"""The monitor outside and the database: its turn among all monitors, the targets, and what it reports."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.monitor.ledger import News
from wagtail_multihost.nodeapi import monitor_v1
from wagtail_multihost.nodeapi.connection import Bounds, UnreachableError, connect, fetch_rows
from wagtail_multihost.nodeapi.observations_v1 import VERSION_LENGTH
from wagtail_multihost.nodeapi.probe_files import Target, parse_target
from wagtail_multihost.registry.postgres_service import connection_parameters
from wagtail_multihost.registry.postgres_url import Target as DatabaseTarget
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.version import own_version

if TYPE_CHECKING:
    from psycopg import Connection

logger = logging.getLogger(__name__)
#: Shorter than those of others: a monitor that stops waits for the answer to its last report.
BOUNDS = Bounds(connect=3, statement=5)

HEAD = f"SELECT incarnation, revision FROM {monitor_v1.SCHEMA}.head"  # noqa: S608  # a constant
#: Whether a site proves itself is learnt without a change of the registry, so all is read again after so many looks.
MOST_SKIPPED = 30


class ReportDatabase:
    """The database as the desk of the monitor outside. Not for several threads."""

    sends_all = False

    def __init__(self, database: DatabaseTarget, bounds: Bounds = BOUNDS) -> None:
        self.database, self.bounds = database, bounds
        self.boot = uuid4()
        self.fence: int | None = None
        self.connection: Connection | None = None
        self.head: tuple[Any, ...] | None = None
        self.skipped = 0

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a statement finds; raises UnreachableError and RefusedError."""
        if self.connection is None:
            # What a service or a file of passwords says is read again: it may have changed.
            parameters = {**connection_parameters(self.database), "application_name": "multihost-monitor"}
            self.connection = connect(parameters, self.bounds)
        try:
            return fetch_rows(self.connection, statement, values, self.bounds)
        except UnreachableError:
            self.disconnect()
            raise

    def admit(self) -> bool:
        self.fence = self.take_lease()
        return self.fence is not None

    def take_lease(self) -> int | None:
        """Return the number of this monitor's turn, which stays the same until another one has had one."""
        rows = self.ask(monitor_v1.TAKE_LEASE, self.boot, own_version()[:VERSION_LENGTH])
        return rows[0][0] if rows else None

    def read_targets(self) -> tuple[Target, ...] | None:
        head = next(iter(self.ask(HEAD)), None)
        self.skipped += 1
        if head is not None and head == self.head and self.skipped < MOST_SKIPPED:
            return None
        ((incarnation, revision, rows, count),) = self.ask(monitor_v1.TARGETS)
        if len(rows) != count:
            raise UnreachableError("The database gave another number of hostnames than it has.")
        self.head, self.skipped = (incarnation, revision), 0
        return tuple(read_rows(rows))

    def send(self, news: News) -> bool:
        if self.report(news):
            return True
        # The lease may have ended while the database was away, and nobody else have asked for it.
        return self.take_lease() == self.fence and self.report(news)

    def report(self, news: News) -> bool:
        seconds = 0.0 if news.covered_since is None else max(0.0, news.at - news.covered_since)
        observations = [one.as_report(news.at) for one in news.changes.values()]
        latencies = [line for batch in news.batches for line in batch.as_report(news.at)]
        values = (self.boot, self.fence, seconds, json.dumps(observations), json.dumps(latencies))
        rows = self.ask(monitor_v1.REPORT, *values)
        return bool(rows and rows[0][0])

    def close(self) -> None:
        """Give the turn back, if the database answers; the lease would end by itself."""
        if self.fence is not None and self.connection is not None:
            with suppress(MultihostError):
                self.ask(monitor_v1.GIVE_UP_LEASE, self.boot, self.fence)
        self.disconnect()

    def disconnect(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def read_rows(rows: Iterable[object]) -> Iterator[Target]:
    """Yield the targets that the view lists; those that this version does not understand are left out."""
    problems = 0
    for row in rows:
        try:
            if not isinstance(row, dict):
                raise ValueError("It is no object.")
            yield parse_target(row)
        except ValueError as error:
            problems += 1
            if problems == 1:
                logger.warning("A hostname is not looked at: %s", one_line(error))
    if problems > 1:
        logger.warning("%s more hostnames are not looked at for such reasons.", problems - 1)

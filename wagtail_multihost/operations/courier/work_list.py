"""What is asked for in PostgreSQL: taking checks of hostnames, and reporting what was found."""

from __future__ import annotations

import logging
import os
import select
import socket
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from wagtail_multihost.nodeapi.connection import (
    BOUNDS,
    Bounds,
    RefusedError,
    UnreachableError,
    connect,
    fetch_rows,
)
from wagtail_multihost.nodeapi.courier_v1 import PROBLEM_LENGTH, REPORT, TAKE
from wagtail_multihost.nodeapi.jobs_v1 import CHANNEL
from wagtail_multihost.operations.courier.proofs import Check, Finding
from wagtail_multihost.registry.postgres_service import connection_parameters
from wagtail_multihost.registry.postgres_url import Target, parse_postgres_url, postgres_url_problem
from wagtail_multihost.spec.printing import one_line

if TYPE_CHECKING:
    from psycopg import Connection

#: A database whose migrations are older does not have what is asked for.
UNDEFINED = "42883"
SCHEMES = ("postgres://", "postgresql://")


def parse_database(value: str) -> Target:
    """Return the database that a URL without a password names; raises ValueError."""
    problem = postgres_url_problem(value) if value.startswith(SCHEMES) else "Write postgresql://ROLE@HOST/DATABASE"
    if problem:
        raise ValueError(f"The database is not accepted. {problem}.")
    return parse_postgres_url(value)


logger = logging.getLogger(__name__)
#: Every login can ring: all that is heard in so many seconds makes one round.
PAUSE = 0.5
FAILED = Finding(False, problem="The courier could not carry the check out. Its log says why.")


class WorkList:
    """
    One connection to the database, made anew when it was lost, which hears the bells of some ``channels``. Not for
    several threads.
    """

    def __init__(
        self, database: Target, worker: str = "", bounds: Bounds = BOUNDS, channels: Collection[str] = (CHANNEL,)
    ) -> None:
        self.database, self.bounds, self.channels = database, bounds, channels
        self.worker = worker or f"{socket.gethostname()}/{os.getpid()}"
        self.connection: Connection | None = None
        #: Whether a bell was heard that nothing was made of yet.
        self.rang = False

    def take(self, most: int) -> list[Check]:
        """
        Take at most so many checks, for the time of the lease. Raises UnreachableError, and another MultihostError for
        a database that has no work for this login.
        """
        return [Check(*row) for row in self.ask(TAKE, self.worker, most)]

    def report(self, check: Check, finding: Finding) -> bool:
        """Say what was found; return whether the check was still ours. Raises as ``take`` does."""
        problem = finding.problem[:PROBLEM_LENGTH]
        return bool(self.ask(REPORT, check.id, check.lease, finding.proven, finding.method, problem)[0][0])

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        if self.connection is None:
            # What a service or a file of passwords says is read again: it may have changed.
            parameters = {**connection_parameters(self.database), "application_name": "multihost-courier"}
            self.connection = connect(parameters, self.bounds)
            # What rings during a statement goes to handlers; before 3.3 psycopg forgets it if there is none.
            self.connection.add_notify_handler(self.note_bell)
            for channel in self.channels:
                self.ask(f"LISTEN {channel}")
        try:
            return fetch_rows(self.connection, statement, values, self.bounds)
        except UnreachableError:
            self.close()
            raise

    def ask_newer(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Do the same, and return nothing where the database is of a version that does not know this yet."""
        try:
            return self.ask(statement, *values)
        except RefusedError as error:
            if error.sqlstate != UNDEFINED:
                raise
            return []

    def wait(self, seconds: float, *descriptors: int) -> None:
        """Wait for a bell, at most so many seconds, or until one of the descriptors can be read."""
        import psycopg

        connection = self.connection
        if connection is None:
            select.select(descriptors, [], [], seconds)
            return
        try:
            socket_of = connection.fileno()
            if not self.rang and select.select([socket_of, *descriptors], [], [], seconds)[0] != [socket_of]:
                return
            select.select(descriptors, [], [], PAUSE)
            self.rang = False
            connection.pgconn.consume_input()
            while connection.pgconn.notifies():
                pass
        except psycopg.Error:
            self.close()

    def note_bell(self, notice: object) -> None:
        self.rang = True

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Checks:
    """Checks of hostnames as work of the courier: ``look`` says whether a challenge is published."""

    def __init__(self, work_list: WorkList, look: Callable[[Check], Finding], most: int) -> None:
        self.work_list, self.look, self.most = work_list, look, most

    def take(self, room: int) -> list[Check]:
        return self.work_list.take(room)

    def carry_out(self, check: Check) -> Finding:
        try:
            return self.look(check)
        except Exception:
            logger.exception("The check of %s failed.", one_line(check.name))
            return FAILED

    def report(self, check: Check, finding: Finding) -> None:
        if self.work_list.report(check, finding):
            logger.info("%s: %s", one_line(check.name), finding.problem or f"proven ({finding.method})")
        else:
            logger.warning("%s: the check took longer than its lease.", one_line(check.name))

"""The checks that are asked for, in PostgreSQL: taking them, and reporting what was found."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from wagtail_multihost.nodeapi.connection import BOUNDS, Bounds, UnreachableError, connect, fetch_rows
from wagtail_multihost.nodeapi.courier_v1 import PROBLEM_LENGTH, REPORT, TAKE
from wagtail_multihost.operations.courier.proofs import Check, Finding
from wagtail_multihost.registry.postgres_service import connection_parameters
from wagtail_multihost.registry.postgres_url import Target, parse_postgres_url, postgres_url_problem

if TYPE_CHECKING:
    from psycopg import Connection

SCHEMES = ("postgres://", "postgresql://")


def parse_database(value: str) -> Target:
    """Return the database that a URL without a password names; raises ValueError."""
    problem = postgres_url_problem(value) if value.startswith(SCHEMES) else "Write postgresql://ROLE@HOST/DATABASE"
    if problem:
        raise ValueError(f"The database is not accepted. {problem}.")
    return parse_postgres_url(value)


class WorkList:
    """One connection to the database, made anew when it was lost. Not for several threads."""

    def __init__(self, database: Target, worker: str = "", bounds: Bounds = BOUNDS) -> None:
        self.database, self.bounds = database, bounds
        self.worker = worker or f"{socket.gethostname()}/{os.getpid()}"
        self.connection: Connection | None = None

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
        try:
            return fetch_rows(self.connection, statement, values, self.bounds)
        except UnreachableError:
            self.close()
            raise

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

"""The checks that are asked for, in PostgreSQL: taking them, and reporting what was found."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.connection import UnreachableError, watch_over
from wagtail_multihost.nodeapi.courier_v1 import PROBLEM_LENGTH, REPORT, TAKE
from wagtail_multihost.operations.courier.proofs import Check, Finding

#: How long one statement may take, whatever has stopped: the server, its machine, or the way there.
SECONDS = 10
#: Bounds that libpq and the kernel keep (https://www.postgresql.org/docs/current/libpq-connect.html).
BOUNDS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "multihost-courier",
}
#: Errors after which another attempt may succeed: no server, a lost connection, a statement that was ended.
MAY_PASS = (psycopg.OperationalError, psycopg.InterfaceError)


class NotServedError(MultihostError):
    """The database has no work for this login: no functions, or no rights to them."""


def parse_database(value: str) -> str:
    """Return ``value`` when it is the URL of a PostgreSQL database without a password; raises ValueError."""
    accepted = "write postgresql://ROLE@HOST/DATABASE, and the password in a file named by ?passfile=/PATH"
    if not value.startswith(("postgresql://", "postgres://")):
        raise ValueError(f"The database is not accepted: {accepted}.")
    try:
        parameters = conninfo_to_dict(value)
        has_password = "password" in parameters or bool(urlsplit(value).password)
    except (psycopg.ProgrammingError, ValueError):
        raise ValueError(f"The database is not accepted: it is not a URL that libpq reads; {accepted}.") from None
    if has_password:
        raise ValueError(f"A password in the URL can be read by every account of this machine: {accepted}.")
    return value


class WorkList:
    """One connection to the database, made anew when it was lost. Not for several threads."""

    def __init__(self, database: str, worker: str = "") -> None:
        self.database = database
        self.worker = worker or f"{socket.gethostname()}/{os.getpid()}"
        self.connection: psycopg.Connection[Any] | None = None

    def take(self, most: int) -> list[Check]:
        """Take at most so many checks, for the time of the lease; raises UnreachableError and NotServedError."""
        return [Check(*row) for row in self.ask(TAKE, self.worker, most)]

    def report(self, check: Check, finding: Finding) -> bool:
        """Say what was found; return whether the check was still ours."""
        problem = finding.problem[:PROBLEM_LENGTH]
        return bool(self.ask(REPORT, check.id, check.lease, finding.proven, finding.method, problem)[0][0])

    def ask(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        try:
            with self.connected() as connection, watch_over(connection, SECONDS):
                return connection.execute(statement, parameters).fetchall()
        except MAY_PASS as error:
            raise UnreachableError(f"The database cannot be asked: {first_line(error)}") from None
        except psycopg.Error as error:
            raise NotServedError(f"The database does not serve this login: {first_line(error)}") from None

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        if self.connection is None or self.connection.closed:
            self.connection = psycopg.connect(self.database, autocommit=True, **BOUNDS)
        try:
            yield self.connection
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__

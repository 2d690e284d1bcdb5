"""The operator's one connection: what it asks there, and the bells that it waits for."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.connection import BOUNDS, Bounds, UnreachableError, connect, fetch_rows
from wagtail_multihost.nodeapi.node_v1 import REPORT_CHANNEL
from wagtail_multihost.nodeapi.v1 import CHANNEL
from wagtail_multihost.registry.postgres_service import connection_parameters
from wagtail_multihost.registry.postgres_url import Target

if TYPE_CHECKING:
    from psycopg import Connection

#: Asks the database: a statement and its values.
Ask = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
#: Every login can ring: all that is heard in so many seconds makes one round.
PAUSE = 0.5


class OperatorDatabase:
    """One connection as ``multihost_operator``, made anew when it was lost. Not for several threads."""

    def __init__(self, target: Target, bounds: Bounds = BOUNDS) -> None:
        self.target, self.bounds = target, bounds
        self.connection: Connection | None = None
        #: Whether a bell was heard since the last wait: one that came with an answer is not there to be read any more.
        self.has_rung = False

    def ask(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a statement finds; raises UnreachableError and RefusedError."""
        connection = self.open()
        try:
            return fetch_rows(connection, statement, values, self.bounds)
        except UnreachableError:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let all that is asked in the block be seen together, or not at all."""
        self.ask("BEGIN")
        try:
            yield
            self.ask("COMMIT")
        except BaseException:
            with suppress(MultihostError):
                self.ask("ROLLBACK")
            raise

    def open(self) -> Connection:
        if self.connection is None:
            # What a service or a file of passwords says is read again: it may have changed.
            parameters = {**connection_parameters(self.target), "application_name": "multihost-operator"}
            self.connection = connect(parameters, self.bounds)
            self.connection.add_notify_handler(self.hear)
            for channel in (CHANNEL, REPORT_CHANNEL):
                self.ask(f"LISTEN {channel}")
        return self.connection

    def hear(self, _: object) -> None:
        self.has_rung = True

    def wait(self, seconds: float, stopping: int) -> None:
        """Wait for a bell since the last wait, at most so many seconds, or until the descriptor can be read."""
        import psycopg

        connection = self.connection
        if connection is None:
            select.select([stopping], [], [], seconds)
            return
        ready, _, _ = select.select([connection.fileno(), stopping], [], [], 0 if self.has_rung else seconds)
        if self.has_rung or connection.fileno() in ready:
            select.select([stopping], [], [], PAUSE)
            try:
                connection.pgconn.consume_input()
                while connection.pgconn.notifies():
                    pass
            except psycopg.Error:
                self.close()
        self.has_rung = False

    def close(self) -> None:
        if self.connection is not None:
            with suppress(Exception):
                self.connection.close()
            self.connection = None

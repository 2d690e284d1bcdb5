"""The agent's one connection: what it reads and says there, and the bell that it waits for."""

from __future__ import annotations

import json
import select
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from wagtail_multihost.node.reading import NodeReading, parse_reading
from wagtail_multihost.nodeapi import node_v1
from wagtail_multihost.nodeapi.connection import Bounds, UnreachableError, connect, fetch_row, fetch_rows
from wagtail_multihost.nodeapi.v1 import CHANNEL
from wagtail_multihost.registry.postgres_service import connection_parameters
from wagtail_multihost.registry.postgres_url import Target, parse_postgres_url

if TYPE_CHECKING:
    from psycopg import Connection

#: A server, or the way to it, that hangs is given up after these seconds.
BOUNDS = Bounds(connect=5, statement=3)
#: Seconds for all sites of a node.
WHOLE = 30
#: A bell of one's own must be heard within so many seconds.
OWN_BELL = 2.0
#: All that is heard for so long makes one read.
PAUSE = 0.1


class NodeDatabase:
    """One connection as the node's own role, made anew when it was lost. Not for several threads."""

    def __init__(self, url: str, bounds: Bounds = BOUNDS) -> None:
        self.target: Target = parse_postgres_url(url)
        self.bounds = bounds
        self.connection: Connection | None = None
        #: Whether NOTIFY reaches this connection: a pooler may swallow it without a word.
        self.has_bell = True

    def read(self, since: int | None = None, sealed: int = 0, also: Iterable[str] = ()) -> NodeReading:
        """
        Return what has changed since a revision, or everything; raises UnreachableError, RefusedError and
        IncompleteError.
        """
        bounds = self.bounds if since is not None else self.bounds._replace(statement=WHOLE)
        values = {"since": since, "sealed": sealed, "also": list(also)}
        row = self.ask(node_v1.READ, values, bounds)
        return parse_reading(row, is_whole=since is None)

    def report(
        self, boot: UUID, applied: int, version: str, conditions: Sequence[Mapping[str, Any]], sites: Mapping[str, str]
    ) -> bool:
        """Say what is applied; return whether a second node reports under this node's id."""
        row = self.ask(node_v1.REPORT, (boot, applied, version, json.dumps(conditions), json.dumps(sites)))
        return bool(row and row[0])

    def enter_state(self, state: str) -> bool:
        """Say that the node is active, drains or is away; return whether it is so now."""
        row = self.ask(node_v1.ENTER_STATE, (state,))
        return bool(row and row[0])

    def ask(self, statement: str, values: Any, bounds: Bounds | None = None) -> tuple[Any, ...] | None:
        connection = self.open()
        try:
            return fetch_row(connection, statement, values, bounds or self.bounds)
        except UnreachableError:
            self.close()
            raise

    def open(self) -> Connection:
        """Return the connection, which listens before anything is read, so that nothing falls in between."""
        if self.connection is None:
            parameters = {**connection_parameters(self.target), "application_name": "multihost-agent"}
            connection = connect(parameters, self.bounds)
            try:
                self.has_bell = self.listen(connection)
            except BaseException:
                connection.close()
                raise
            self.connection = connection
        return self.connection

    def listen(self, connection: Connection) -> bool:
        """Listen; return whether a bell that is rung for this connection alone is heard."""
        own = f"multihost_bell_{uuid4().hex}"
        for channel in (CHANNEL, own):
            fetch_rows(connection, f'LISTEN "{channel}"', (), self.bounds)
        fetch_rows(connection, "SELECT pg_notify(%s, '')", (own,), self.bounds)
        return any(notice.channel == own for notice in connection.notifies(timeout=OWN_BELL, stop_after=1))

    def wait(self, seconds: float, *descriptors: int) -> bool:
        """Wait for a bell, at most so many seconds, or until a descriptor can be read; return whether it rang."""
        connection = self.connection
        if connection is None:
            select.select(descriptors, [], [], seconds)
            return False
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([connection.fileno(), *descriptors], [], [], left)
            if connection.fileno() in ready and self.rang(connection):
                return True
            # One that was lost is made anew by whoever waits, and reads then.
            if not ready or self.connection is None or any(descriptor in ready for descriptor in descriptors):
                return self.connection is None
        return False

    def rang(self, connection: Connection) -> bool:
        """Return whether a bell has been heard, after a pause in which further ones count as the same."""
        import psycopg

        try:
            heard = any(notice.channel == CHANNEL for notice in connection.notifies(timeout=0))
            if heard:
                time.sleep(PAUSE)
                list(connection.notifies(timeout=0))
        except psycopg.Error:
            self.close()
            return False
        return heard

    def close(self) -> None:
        if self.connection is not None:
            with suppress(Exception):
                self.connection.close()
            self.connection = None

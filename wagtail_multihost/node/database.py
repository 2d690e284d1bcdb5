"""The agent's one connection: what it reads and says there, and the bell that it waits for."""

from __future__ import annotations

import json
import select
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from wagtail_multihost.node.reading import NodeReading, parse_front_reading, parse_reading
from wagtail_multihost.nodeapi import front_v1, node_v1
from wagtail_multihost.nodeapi.connection import (
    Bounds,
    Parameters,
    RefusedError,
    UnreachableError,
    connect,
    fetch_row,
    fetch_rows,
    open_connection,
)
from wagtail_multihost.nodeapi.node_states import FRONT
from wagtail_multihost.nodeapi.v1 import CHANNEL
from wagtail_multihost.registry.postgres_service import connection_parameters
from wagtail_multihost.registry.postgres_url import Target, parse_postgres_url

if TYPE_CHECKING:
    from psycopg import Connection

#: A server, or the way to it, that hangs is given up after these seconds.
BOUNDS = Bounds(connect=5, statement=3)
#: Seconds for all sites of a node.
WHOLE = 30
#: Compiling the plan of a read takes a hundred times as long as the read
#: (https://www.postgresql.org/docs/current/jit-decision.html), and making one ten times.
PLANS = "-c jit=off -c plan_cache_mode=force_generic_plan"
#: A statement keeps its plan from its second time on.
SECOND_TIME = 1
#: A bell of one's own must be heard within so many seconds.
OWN_BELL = 2.0
#: Bells make a read so often at most: anybody who may connect can ring.
PAUSE = 0.1
NOW = "SELECT clock_timestamp()"


class NodeDatabase:
    """
    One connection as the node's own role, made anew when it was lost. Not for several threads. One that does not listen
    hears no bells.
    """

    def __init__(self, url: str, bounds: Bounds = BOUNDS, channel: str = CHANNEL, *, listens: bool = True) -> None:
        self.target: Target = parse_postgres_url(url)
        self.channel, self.listens = channel, listens
        self.bounds = bounds
        self.connection: Connection | None = None
        #: Whether NOTIFY reaches this connection: a pooler may swallow it without a word.
        self.has_bell = True
        self.heard_at = -PAUSE
        #: The channels of what was heard, during a statement too.
        self.heard: set[str] = set()
        #: The database's time at a moment of this machine's clock that nobody sets.
        self.times = (datetime.now(UTC), time.monotonic())

    def follow(self, url: str) -> None:
        """Connect as another login from now on."""
        self.close()
        self.target = parse_postgres_url(url)

    def read(self, since: int | None = None, sealed: int = 0, also: Iterable[str] = ()) -> NodeReading:
        """
        Return what has changed since a revision, or everything; raises UnreachableError, RefusedError and
        IncompleteError.
        """
        bounds = self.bounds if since is not None else self.bounds._replace(statement=WHOLE)
        values = {"since": since, "sealed": sealed, "also": list(also)}
        reading = parse_reading(self.ask(node_v1.READ, values, bounds), is_whole=since is None)
        if reading.node["holds"] != FRONT:
            return reading
        return parse_front_reading(self.ask(front_v1.READ, values, bounds), is_whole=since is None)

    def report(
        self,
        boot: UUID,
        applied: int,
        version: str,
        conditions: Sequence[Mapping[str, Any]],
        sites: Mapping[str, str],
        starting: Sequence[str] | None,
    ) -> bool:
        """
        Say what is applied, and which sites do not listen yet (None: not all can be named); return whether a second
        node reports under this node's id. Raises RefusedError for a report that the database has not kept.
        """
        listed = None if starting is None else json.dumps(starting)
        row = self.ask(node_v1.REPORT, (boot, applied, version, json.dumps(conditions), json.dumps(sites), listed))
        if row is None or row[0] is None:
            raise RefusedError("The database has not kept this node's report: it is too long, or of an unknown node.")
        return bool(row[0])

    def enter_state(self, state: str) -> bool:
        """Say that the node joins, is active, drains or is away; return whether it is so now."""
        row = self.ask(node_v1.ENTER_STATE, (state,))
        return bool(row and row[0])

    def now(self) -> datetime:
        """Return the database's time, as of the last connection on; before that, this machine's."""
        told, at = self.times
        return told + timedelta(seconds=time.monotonic() - at)

    def fronts_passed(self) -> bool:
        """Return whether no front server asks this node any more, once it drains."""
        row = self.ask(front_v1.FRONTS_PASSED, ())
        return bool(row and row[0])

    def ask(self, statement: str, values: Any, bounds: Bounds | None = None) -> tuple[Any, ...] | None:
        connection = self.open()
        try:
            return fetch_row(connection, statement, values, bounds or self.bounds)
        except (UnreachableError, RefusedError):
            # One that was refused may be refused for ever, where what it was prepared for is not there any more.
            self.close()
            raise

    def open(self) -> Connection:
        """Return the connection, which listens before anything is read, so that nothing falls in between."""
        if self.connection is None:
            parameters = {
                **connection_parameters(self.target),
                "application_name": "multihost-agent",
                "options": PLANS,
            }
            # The server keeps the bound of the longest statement; this end keeps that of each.
            connection = connect(parameters, self.bounds._replace(statement=WHOLE))
            try:
                self.has_bell = self.listens and self.listen(connection, parameters)
                # Through a pooler that swallows bells, each statement may come to another server process.
                connection.prepare_threshold = SECOND_TIME if self.has_bell else None
                row = fetch_row(connection, NOW, (), self.bounds)
                if row is not None:
                    self.times = (row[0], time.monotonic())
            except BaseException:
                connection.close()
                raise
            self.connection = connection
        return self.connection

    def listen(self, connection: Connection, parameters: Parameters) -> bool:
        """
        Listen; return whether a bell that is rung for this connection alone is heard. Another connection rings: what
        comes with the answer to a statement of one's own, a pooler passes on, and nothing that comes while one waits.
        """
        own = f"multihost_bell_{uuid4().hex}"
        self.heard.clear()
        # What comes during a statement goes to handlers; before 3.3 psycopg forgets it if there is none.
        connection.add_notify_handler(lambda notice: self.heard.add(notice.channel))
        for channel in (self.channel, own):
            fetch_rows(connection, f'LISTEN "{channel}"', (), self.bounds)
        with open_connection(parameters, self.bounds) as ringer:
            fetch_rows(ringer, "SELECT pg_notify(%s, '')", (own,), self.bounds)
        deadline = time.monotonic() + OWN_BELL
        while own not in self.heard and (left := deadline - time.monotonic()) > 0:
            select.select([connection.fileno()], [], [], left)
            if not self.take_bells(connection):
                raise UnreachableError("The connection ended while it was waited for a bell.")
        return own in self.heard

    def wait(self, seconds: float, *descriptors: int) -> bool:
        """Wait for a bell, at most so many seconds, or until a descriptor can be read; return whether it rang."""
        deadline = time.monotonic() + seconds
        while (connection := self.connection) is not None:
            # What rang while a statement ran is in no socket any more.
            if self.rang(connection):
                return True
            if self.connection is None:
                # It was lost: whoever waits makes it anew, and reads then.
                return True
            left = deadline - time.monotonic()
            ready = select.select([connection.fileno(), *descriptors], [], [], max(0.0, left))[0]
            if not ready or any(descriptor in ready for descriptor in descriptors):
                return False
        select.select(descriptors, [], [], seconds)
        return False

    def rang(self, connection: Connection) -> bool:
        """Return whether a bell has been heard, after a pause in which further ones count as the same."""
        if not self.take_bells(connection) or self.channel not in self.heard:
            return False
        time.sleep(max(0.0, self.heard_at + PAUSE - time.monotonic()))
        is_open = self.take_bells(connection)
        self.heard.discard(self.channel)
        self.heard_at = time.monotonic()
        return is_open

    def take_bells(self, connection: Connection) -> bool:
        """Take what has come, without waiting; a connection that was lost is closed, and False is returned."""
        import psycopg

        try:
            connection.pgconn.consume_input()
            while notice := connection.pgconn.notifies():
                self.heard.add(notice.relname.decode())
        except psycopg.Error:
            self.close()
            return False
        return True

    def close(self) -> None:
        if self.connection is not None:
            with suppress(Exception):
                self.connection.close()
            self.connection = None

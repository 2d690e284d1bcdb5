"""
Requests that wait for the next change, or for what nodes say next. One connection of the process listens for all of
them; it is there only while somebody waits.

A bell (NOTIFY) ends the wait at once. It may never come, as behind PgBouncer, so the head and the last report are
looked at each second too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from wagtail_multihost.nodeapi.connection import LIVENESS
from wagtail_multihost.nodeapi.node_v1 import REPORT_CHANNEL
from wagtail_multihost.nodeapi.v1 import CHANNEL

logger = logging.getLogger(__name__)
Found = TypeVar("Found")
#: Requests that may wait at once: in a process, and of one token.
MOST, MOST_OF_ONE = 20, 2
POLL_SECONDS = 1.0
#: Anyone with the right to connect can ring: so often at most the head is read.
LEAST_SECONDS = 0.1
#: How long the connection stays when nobody waits: the next request comes soon.
LINGER_SECONDS = 10.0
STATEMENT_SECONDS = 3.0
LOOK = "SELECT revision, (SELECT max(seen_at) FROM control_report) FROM control_head"
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
CONNECT_SECONDS = 3
rooms: WeakKeyDictionary[asyncio.AbstractEventLoop, WaitingRoom] = WeakKeyDictionary()


class WaitingRoom:
    """Those who wait in this process, and the revision that the registry has as far as is known."""

    def __init__(self) -> None:
        self.places: Counter[str] = Counter()
        self.revision = -1
        self.seen_at: datetime | None = None
        #: Counts what was heard: of the registry, and of nodes.
        self.news = 0
        self.heard = asyncio.Event()
        self.until = 0.0
        self.watcher: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def place(self, who: str) -> Iterator[bool]:
        """Take a place for ``who`` as long as the block runs, if one is left: only then the value is true."""
        if self.places.total() >= MOST or self.places[who] >= MOST_OF_ONE:
            yield False
            return
        self.places[who] += 1
        try:
            yield True
        finally:
            self.places[who] -= 1
            self.places += Counter()  # without those that have none
            self.until = time.monotonic() + LINGER_SECONDS

    async def wait_for_change(self, revision: int, seconds: float) -> bool:
        """Return whether the registry has a higher revision within ``seconds``, as soon as it has."""
        return await self.wait_until(lambda: self.revision > revision, seconds)

    async def wait_for_news(self, news: int, seconds: float) -> bool:
        """Return whether there is more news than ``news`` within ``seconds``, as soon as there is."""
        return await self.wait_until(lambda: self.news > news, seconds)

    async def wait_until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        if self.watcher is None or self.watcher.done():
            self.watcher = asyncio.create_task(self.watch())
        try:
            async with asyncio.timeout(seconds):
                while not is_so():
                    await self.heard.wait()
        except TimeoutError:
            return False
        return True

    @property
    def is_needed(self) -> bool:
        return bool(self.places) or time.monotonic() < self.until

    async def watch(self) -> None:
        """Follow the head while anyone waits, over as many connections as that takes."""
        pause = FIRST_PAUSE
        while self.is_needed:
            try:
                async with await psycopg.AsyncConnection.connect(**listening_parameters()) as connection:
                    pause = FIRST_PAUSE
                    await self.follow(connection)
            except (psycopg.Error, OSError) as error:
                logger.warning("The connection that listens for changes was lost: %s", error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # not for secrets
                pause = min(2 * pause, LONGEST_PAUSE)

    async def follow(self, connection: psycopg.AsyncConnection[Any]) -> None:
        # First LISTEN, then read: what changes in between rings.
        for channel in (CHANNEL, REPORT_CHANNEL):
            await bounded(connection, connection.execute(f"LISTEN {channel}"))
        while self.is_needed:
            cursor = await bounded(connection, connection.execute(LOOK))
            row = await cursor.fetchone()
            if row is not None and row != (self.revision, self.seen_at):
                self.announce(*row)
            await asyncio.sleep(LEAST_SECONDS)
            async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass

    def announce(self, revision: int, seen_at: datetime | None) -> None:
        self.revision, self.seen_at = revision, seen_at
        self.news += 1
        heard, self.heard = self.heard, asyncio.Event()
        heard.set()


def waiting_room() -> WaitingRoom:
    """Return the room of the running event loop: a server's process has one loop."""
    return rooms.setdefault(asyncio.get_running_loop(), WaitingRoom())


def listening_parameters() -> dict[str, Any]:
    """Return how to connect to Django's database, in autocommit: an open transaction would hold all bells back."""
    parameters: dict[str, Any] = connections[DEFAULT_DB_ALIAS].get_connection_params()
    parameters.pop("cursor_factory", None)  # for connections that are not asynchronous
    return {"connect_timeout": CONNECT_SECONDS, **LIVENESS, **parameters, "autocommit": True}


async def bounded(connection: psycopg.AsyncConnection[Any], work: Awaitable[Found]) -> Found:
    """
    Return what ``work`` returns. A server that says nothing for STATEMENT_SECONDS loses the connection:
    statement_timeout is the server's own, and to cancel psycopg waits for the server once more.
    """
    handle = asyncio.get_running_loop().call_later(STATEMENT_SECONDS, shut, connection.fileno())
    try:
        return await work
    finally:
        handle.cancel()


def shut(descriptor: int) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)

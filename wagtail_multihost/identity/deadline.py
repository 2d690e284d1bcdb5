"""
A deadline for this package's own queries to a site's database.

The site may be hostile, and have a view that sleeps in a table's place. A timeout on the server is no bound, because a
function may catch it (``EXCEPTION WHEN query_canceled``), and the drivers have none for an answer. So the client closes
the connection.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.core.management.base import CommandError
from django.db.backends.base.base import BaseDatabaseWrapper

from wagtail_multihost.exceptions import COULD_NOT, IdentityError
from wagtail_multihost.identity.own import own_identity
from wagtail_multihost.running import register_reset

#: How long a query may take: a thousand times what it needs.
SECONDS = 10.0
LOOK_SECONDS = 0.25
IDLE_SECONDS = 30.0


class SilentDatabaseError(IdentityError, CommandError):
    """The database did not answer in time. A CommandError, so that manage.py prints the sentence and no traceback."""

    def __init__(self, message: object) -> None:
        super().__init__(message, returncode=COULD_NOT)


class PendingAnswer:
    """An answer that is awaited on ``connection``, and until when."""

    def __init__(self, connection: BaseDatabaseWrapper, seconds: float) -> None:
        self.connection = connection
        self.until = time.monotonic() + seconds
        self.is_over = False

    def hang_up_if_late(self) -> None:
        if time.monotonic() >= self.until:
            self.is_over = True
            hang_up(self.connection.connection)


class Watch:
    """
    Closes connections whose answers are late, in one thread for all: a thread for each would make a new connection a
    tenth slower. The first query starts it; it ends when none has waited for a while, and a forked child starts its
    own.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: set[PendingAnswer] = set()
        self.thread: threading.Thread | None = None

    def add(self, waiting: PendingAnswer) -> None:
        with self.lock:
            self.waiting.add(waiting)
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self.run, name="identity-deadline", daemon=True)
                with suppress(RuntimeError):  # an ending interpreter starts no thread, nor does an account at its limit
                    self.thread.start()

    def remove(self, waiting: PendingAnswer) -> None:
        with self.lock:  # so that it never shuts down a descriptor that was closed and reused
            self.waiting.discard(waiting)

    def run(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(LOOK_SECONDS)
            with self.lock:
                for waiting in self.waiting:
                    last = time.monotonic()
                    waiting.hang_up_if_late()
                if time.monotonic() - last > IDLE_SECONDS:
                    self.thread = None
                    return


_watch = Watch()


def _forget_parents_watch() -> None:
    global _watch
    _watch = Watch()


os.register_at_fork(after_in_child=_forget_parents_watch)
register_reset(_forget_parents_watch)


@contextmanager
def deadline(connection: BaseDatabaseWrapper, what: str, seconds: float | None = None) -> Iterator[None]:
    """
    Hang up ``connection`` when the block takes more than ``seconds``, and raise SilentDatabaseError then, which says
    ``what`` the database has not done ("returned its identity").
    """
    seconds = SECONDS if seconds is None else seconds
    waiting, watch = PendingAnswer(connection, seconds), _watch
    watch.add(waiting)
    try:
        yield
    except Exception:
        if not waiting.is_over:
            raise
    finally:
        watch.remove(waiting)
    if waiting.is_over:
        raise SilentDatabaseError(silence_message(connection, what, seconds)) from None


def silence_message(connection: BaseDatabaseWrapper, what: str, seconds: float) -> str:
    own, name = own_identity(), connection.settings_dict["NAME"]
    whose = f" of the site {own.site.id}" if own else ""
    return (
        f"The database {name}{whose} has not {what} within {seconds:g} seconds, so the connection was closed. "
        "The server is overloaded, another session has locked the table, or a view in its place never ends."
    )


def hang_up(driver: Any) -> None:
    """End what a driver's thread waits for: shut its socket, or interrupt SQLite."""
    # Each driver has its own errors, and the connection may break at this moment.
    with suppress(Exception):
        if hasattr(driver, "interrupt"):
            driver.interrupt()
            return
        with socket.socket(fileno=os.dup(driver.fileno())) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)

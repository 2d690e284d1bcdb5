"""
A deadline on what this package asks a site's database.

The database belongs to the site, hostile or not: a view that sleeps may stand in a table's place. A timeout that the
server keeps is no bound, because a function may catch it (``EXCEPTION WHEN query_canceled``), and the drivers have none
for an answer. So the client hangs up.
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

#: How long this package's own queries may take: a thousand times what they need.
SECONDS = 10.0
LOOK_SECONDS = 0.25
IDLE_SECONDS = 30.0


class SilentDatabaseError(IdentityError, CommandError):
    """The database did not answer in time. A CommandError, so that manage.py prints the sentence and no traceback."""

    def __init__(self, message: object) -> None:
        super().__init__(message, returncode=COULD_NOT)


class PendingAnswer:
    """Who waits for an answer on ``connection``, and until when."""

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
    Hangs up for whoever waits too long: one thread for all, started by the first. A thread for each would take a new
    connection a tenth longer. It ends when nobody has waited for a while, and a forked child starts its own.
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
                with suppress(RuntimeError):  # an interpreter that ends starts no thread, nor does a full account
                    self.thread.start()

    def remove(self, waiting: PendingAnswer) -> None:
        with self.lock:  # so that it never hangs up a descriptor that has been closed, and may be another's by now
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
    ``what`` the database has not done.
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
        f"The database {name}{whose} has not {what} within {seconds:g} seconds, so the connection was hung up. "
        "The server is overloaded, another session has locked the table, or what stands in its place never ends."
    )


def hang_up(driver: Any) -> None:
    """End what a driver's thread waits for: shut its socket, or interrupt SQLite."""
    # Several drivers, each with errors of its own, and a connection that may break at this moment.
    with suppress(Exception):
        if hasattr(driver, "interrupt"):
            driver.interrupt()
            return
        with socket.socket(fileno=os.dup(driver.fileno())) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)

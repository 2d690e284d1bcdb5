"""
Connections that probes open for one run: past any pool, with deadlines, and always closed.

Django's connections belong to threads, and the sampler's are not those that serve requests. One that was kept between
runs would tell nothing about theirs, and would go stale in a thread that no request ends
(https://github.com/codingjoe/django-health-check/issues/755).
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.health.once_logger import log_failure
from wagtail_multihost.health.probe import Outcome, failed, warned
from wagtail_multihost.health.probes.deadline import hang_up_after
from wagtail_multihost.identity.deadline import SilentDatabaseError

#: What any probe of a database may answer.
CODES: Mapping[str, str] = {
    "unreachable": "No connection can be opened, or it does not answer.",
    "foreign_database": "The database is another site's, or is retired: the identity fuse refused it.",
    "locked": "Others have had the SQLite file locked for as long as the probe waits.",
}
# libpq and psycopg take a second for two
# (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-CONNECT-TIMEOUT).
LEAST_CONNECT_SECONDS = 2
SQLITE_BUSY_PART = 0.5


def unopened_connection(alias: str) -> BaseDatabaseWrapper:
    """Return Django's object for an alias, which is nobody else's; nothing is opened."""
    return connections.create_connection(alias)


@contextmanager
def new_connection(alias: str, seconds: float) -> Iterator[BaseDatabaseWrapper]:
    """
    Open a connection as Django does, receivers of ``connection_created`` (the identity fuse) included, but never one
    of a pool; close it afterwards. ``seconds`` is how long it may take where the project says nothing.
    """
    connection = unopened_connection(alias)
    connection.settings_dict = probe_settings(connection, seconds)
    with closing_driver(connection), hang_up_after(seconds, lambda: connection.connection):
        connection.ensure_connection()
        yield connection


@contextmanager
def thread_connection(alias: str, seconds: float) -> Iterator[None]:
    """
    Have what asks Django for this thread's connection get one like :func:`new_connection`'s: it makes no file, and is
    hung up when the block takes more than ``seconds``. It is closed afterwards.
    """
    connection = connections[alias]
    stated = connection.settings_dict
    connection.settings_dict = probe_settings(connection, seconds)
    try:
        with hang_up_after(seconds, lambda: connection.connection):
            yield
    finally:
        connection.close()
        connection.settings_dict = stated


@contextmanager
def closing_driver(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Close the driver's connection: Django's own close() leaves SQLite databases in memory open."""
    try:
        yield
    finally:
        driver, connection.connection = connection.connection, None
        if driver is not None:
            with suppress(Exception):  # one that has broken
                driver.close()


def probe_settings(connection: BaseDatabaseWrapper, seconds: float) -> dict[str, Any]:
    """Return the settings of an alias without its pool, and with deadlines. Nothing is asked of the server."""
    settings = connection.settings_dict
    options = {key: value for key, value in (settings.get("OPTIONS") or {}).items() if key != "pool"}
    if connection.vendor == "sqlite":
        stated = options.get("timeout", seconds)
        options["timeout"] = min(stated, seconds * SQLITE_BUSY_PART)
        return {**settings, "NAME": existing_file(settings["NAME"]), "OPTIONS": options}
    if connection.vendor == "postgresql" and "service" not in options:
        options.setdefault("connect_timeout", max(LEAST_CONNECT_SECONDS, math.ceil(seconds)))
        options.setdefault("tcp_user_timeout", math.ceil(seconds * 1000))
    return {**settings, "OPTIONS": options}


def existing_file(name: object) -> str:
    """
    Return the name of a SQLite database, as Django takes it, such that opening it makes no file: a probe that makes
    the file finds an empty database where the disk was not mounted (https://www.sqlite.org/uri.html).
    """
    text = str(name)
    if text in ("", ":memory:"):
        return text
    if not is_uri(text):
        return f"{Path(text).absolute().as_uri()}?mode=rw"
    query = text.partition("?")[2]
    return text if "mode=" in query else f"{text}{'&' if query else '?'}mode=rw"


def is_uri(name: str) -> bool:
    return name.startswith("file:")


@contextmanager
def catch_database_errors(alias: str) -> Iterator[list[Outcome]]:
    """Take an error of the database as an outcome, which is put into the list; its text goes to the log alone."""
    found: list[Outcome] = []
    try:
        yield found
    except (DatabaseError, IdentityError) as error:
        log_failure("The database %s fails a probe: %s", alias, error)
        found.append(outcome_of_error(error))


def outcome_of_error(error: Exception) -> Outcome:
    if isinstance(error, SilentDatabaseError):
        return failed("unreachable")
    if isinstance(error, IdentityError):
        return failed("foreign_database")
    return warned("locked") if is_locked(error) else failed("unreachable")


def is_locked(error: Exception) -> bool:
    cause = error.__cause__
    # The low byte is the primary code: https://www.sqlite.org/rescode.html
    code = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

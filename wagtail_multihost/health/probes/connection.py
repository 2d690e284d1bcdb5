"""
Connections that probes open for one run: without a pool, with deadlines, and always closed.

Django's connections belong to threads, and the sampler's threads serve no requests. A connection that was kept between
runs would say nothing about theirs, and would go stale in a thread where no request ends
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

#: Codes of all probes of databases.
CODES: Mapping[str, str] = {
    "unreachable": "No connection can be opened, or the server does not answer.",
    "foreign_database": "The database belongs to another site, or is retired: the identity fuse refused it.",
    "locked": "The SQLite file stayed locked by others for as long as the probe waits.",
}
# libpq and psycopg treat one second as two
# (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-CONNECT-TIMEOUT).
LEAST_CONNECT_SECONDS = 2
SQLITE_BUSY_PART = 0.5


def unopened_connection(alias: str) -> BaseDatabaseWrapper:
    """Return a new Django connection for an alias, not shared and not opened yet."""
    return connections.create_connection(alias)


@contextmanager
def new_connection(alias: str, seconds: float) -> Iterator[BaseDatabaseWrapper]:
    """
    Open a connection as Django does, including receivers of ``connection_created`` (the identity fuse), but never from
    a pool; close it afterwards. It may take ``seconds`` unless the project sets a timeout.
    """
    connection = unopened_connection(alias)
    connection.settings_dict = probe_settings(connection, seconds)
    with closing_driver(connection), hang_up_after(seconds, lambda: connection.connection):
        connection.ensure_connection()
        yield connection


@contextmanager
def thread_connection(alias: str, seconds: float) -> Iterator[None]:
    """
    Make this thread's connection of Django like one of :func:`new_connection`: it creates no file, and is closed by
    force if the block takes more than ``seconds``. It is closed afterwards.
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
            with suppress(Exception):  # a broken one
                driver.close()


def probe_settings(connection: BaseDatabaseWrapper, seconds: float) -> dict[str, Any]:
    """Return the settings of an alias without its pool, and with deadlines. Does not contact the server."""
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
    Return the name of a SQLite database in a form that creates no file when it is opened: a probe that created one
    would find an empty database if the disk is not mounted (https://www.sqlite.org/uri.html).
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
    """Turn an error of the database into an outcome in the list; the text of the error goes only to the log."""
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

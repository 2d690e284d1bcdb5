"""
Database connections in build mode.

There DATABASES has no NAME, so none can be opened; the error says why, and what to do.
"""

from __future__ import annotations

from typing import NoReturn

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from wagtail_multihost.exceptions import BuildModeError
from wagtail_multihost.running import current, register_reset

MESSAGE = (
    "This command needs a site's database, but no site is named. "
    "Set MULTIHOST_SITE, or run: manage.py multihost_as SITE COMMAND"
)


class ConnectionRefusedInBuildModeError(BuildModeError, OperationalError):
    """Raised where a connection is opened; commands that can do without a database catch OperationalError."""


def refuse_connections() -> None:
    """Make every connection of this process, in every thread, raise instead of connecting."""
    create = connections.create_connection

    def create_refusing(alias: str) -> BaseDatabaseWrapper:
        return make_refusing(create(alias))

    connections.create_connection = create_refusing  # type: ignore[method-assign]
    for connection in connections.all(initialized_only=True):
        make_refusing(connection)


def refuse_without_database() -> None:
    """Refuse connections where the process's settings have no database: build mode, makemigrations without SQLite."""
    running = current()
    if running and not has_database_name(running.values.get("DATABASES")):
        refuse_connections()


@register_reset
def forget_connections() -> None:
    """Drop all connections, so that new ones follow the settings of that time, and refuse them if they lead to no
    database."""
    vars(connections).pop("create_connection", None)
    for connection in connections.all(initialized_only=True):
        connection.close()
        del connections[connection.alias]
    refuse_without_database()
    connections._settings = None  # type: ignore[attr-defined]
    vars(connections).pop("settings", None)


def has_database_name(databases: object) -> bool:
    return not isinstance(databases, dict) or bool(databases["default"]["NAME"])


def make_refusing(connection: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
    connection.connect = refuse_connection  # type: ignore[method-assign]
    # dbshell: without a name psql would connect to what its environment variables say.
    connection.client.runshell = refuse_connection  # type: ignore[assignment, method-assign]
    if connection.vendor == "sqlite":
        import sqlite3  # loads only with the backend that has loaded it

        # Django asks a connection, in system checks too; SQLite has had JSON functions built in since 3.38.
        connection.features.supports_json_field = sqlite3.sqlite_version_info >= (3, 38)
    return connection


def refuse_connection(*arguments: object) -> NoReturn:
    raise ConnectionRefusedInBuildModeError(MESSAGE)

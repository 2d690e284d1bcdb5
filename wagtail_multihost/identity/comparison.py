"""
The fuse: every new connection is asked for the identity of its database, before anything else uses it.

It sends one query, which bypasses Django's cursors: projects count and log their own queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple
from uuid import UUID

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper

from wagtail_multihost.exceptions import COULD_NOT, IdentityError
from wagtail_multihost.identity.deadline import deadline
from wagtail_multihost.identity.own import OwnIdentity, own_identity
from wagtail_multihost.identity.relation import require_legible
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import HIGHEST_REVISION
from wagtail_multihost.spec.printing import one_line

TABLE = "wagtail_multihost_identity"
# The table's key and constraint allow one row; what a hostile site puts in its place may have any number, and the
# driver would keep them all. Selecting the row by its key would make a new connection to PostgreSQL a fifth slower,
# because the operator is looked up first (measured with PostgreSQL 15).
QUERY = f"SELECT platform, environment, uid, revision, digest, retired_at FROM {TABLE} LIMIT 1"  # noqa: S608
UNDEFINED_TABLE = "42P01"  # https://www.postgresql.org/docs/current/errcodes-appendix.html
NO_TABLE = f"no such table: {TABLE}"  # SQLite's message

_suspended: ContextVar[bool] = ContextVar("wagtail_multihost_identity_suspended", default=False)
_raised: set[UUID] = set()


class FoundIdentity(NamedTuple):
    """The identity that a database has."""

    platform: str
    environment: str
    uid: UUID
    revision: int
    digest: str
    retired_at: object

    def __str__(self) -> str:
        retired = f", retired at {shown(str(self.retired_at))}" if self.retired_at else ""
        names = f"platform {shown(self.platform)}, environment {shown(self.environment)}"
        return f"{names}, uid {one_line(self.uid)}, revision {one_line(self.revision)}{retired}"


class DatabaseIdentityError(IdentityError, CommandError):
    """
    The database has another identity than the process that has connected to it. ``reasons`` has one or more of uid,
    environment, retired, revision and impossible. A CommandError, so that manage.py prints the report and no traceback.
    """

    def __init__(self, message: object, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message, returncode=COULD_NOT)
        self.reasons = reasons


def compare_identity(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    """Raise DatabaseIdentityError, and close ``connection``, when it leads to a database that is not the site's."""
    if connection.alias != DEFAULT_DB_ALIAS or _suspended.get():
        return
    own = own_identity()
    if own is None:
        return
    try:
        with deadline(connection, "returned its identity"):
            compare_with_own(connection, own)
    except BaseException:
        drop_connection(connection)
        raise


def compare_with_own(connection: BaseDatabaseWrapper, own: OwnIdentity) -> None:
    found = identity_of(connection)
    if found is None:
        return
    reasons = tuple(identity_differences(found, own))
    if reasons:
        raise DatabaseIdentityError(identity_report(connection, found, own, reasons), reasons)
    if found.revision < own.revision and own.uid not in _raised:
        _raised.add(own.uid)
        raise_revision(connection, own)


@contextmanager
def suspend_comparison() -> Iterator[None]:
    """Let this thread connect to any database, in order to change its identity."""
    token = _suspended.set(True)
    try:
        yield
    finally:
        _suspended.reset(token)


def identity_of(connection: BaseDatabaseWrapper) -> FoundIdentity | None:
    """Return the identity of the database behind an open connection; None where there is no table or no row."""
    driver: Any = connection
    with connection.wrap_database_errors:
        try:
            with closing(connection.connection.cursor()) as cursor:
                cursor.execute(QUERY)
                row = cursor.fetchone()
        except driver.Database.Error as error:
            if not is_missing_table(error):
                raise
            row = None
        finally:
            if not connection.autocommit and not connection.in_atomic_block:
                connection.connection.rollback()
    if row is None:
        return None
    require_legible(row, f"{TABLE} in {database_name(connection)}")
    platform, environment, uid, *rest = row
    return FoundIdentity(platform, environment, UUID(str(uid)), *rest)


def is_missing_table(error: Exception) -> bool:
    # psycopg has sqlstate, psycopg2 pgcode.
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return code == UNDEFINED_TABLE or str(error) == NO_TABLE


def identity_differences(found: FoundIdentity, own: OwnIdentity) -> Iterator[str]:
    """Yield the reasons for which a process must not use a database."""
    if found.uid != own.uid:
        yield "uid"
    if found.environment != own.platform.environment:
        yield "environment"
    if found.retired_at is not None:
        yield "retired"
    if not 0 <= found.revision <= HIGHEST_REVISION:
        yield "impossible"
    elif found.uid == own.uid and found.revision > own.revision > 0 and found.digest != own.digest:
        yield "revision"


def raise_revision(connection: BaseDatabaseWrapper, own: OwnIdentity) -> None:
    """
    Record that a later revision has reached the database. Where that cannot be written (a standby, a lock), the next
    process does it; nothing waits.
    """
    driver: Any = connection
    raw = driver.connection
    with suppress(driver.Database.Error):
        try:
            with closing(raw.cursor()) as cursor:
                write_revision(cursor, own, connection.vendor)
            if not connection.autocommit:
                raw.commit()
        except BaseException:
            raw.rollback()
            raise


def write_revision(cursor: Any, own: OwnIdentity, vendor: str) -> None:
    own_row = "SELECT id FROM {} WHERE id = 1 AND uid = {} AND revision < {} AND retired_at IS NULL{}"
    statement = "UPDATE {} SET revision = {}, digest = {} WHERE id = ({})"
    values = (own.revision, own.digest, own.uid.hex, own.revision)
    if vendor != "sqlite":
        query = own_row.format(TABLE, "%s", "%s", " FOR UPDATE SKIP LOCKED")
        cursor.execute(statement.format(TABLE, "%s", "%s", query), values)
        return
    timeout = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
    cursor.execute("PRAGMA busy_timeout = 0")
    try:
        cursor.execute(statement.format(TABLE, "?", "?", own_row.format(TABLE, "?", "?", "")), values)
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {timeout}")


def drop_connection(connection: BaseDatabaseWrapper) -> None:
    """Close a connection. Django would keep and reuse one whose receiver raises."""
    with suppress(Exception):
        connection.close()
    connection.connection = None


def database_name(connection: BaseDatabaseWrapper) -> str:
    """Return the database that a connection leads to, as a report may name it."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"the SQLite file {settings['NAME']}"
    return f"the database {settings['NAME']} on {settings['HOST'] or 'this machine'}:{settings['PORT']}"


def identity_report(
    connection: BaseDatabaseWrapper, found: FoundIdentity, own: OwnIdentity, reasons: tuple[str, ...]
) -> str:
    """Return which record points where, what was found, and what to do."""
    site = own.site
    source = site.sources.get("database", "the registry")
    what = {
        "uid": "belongs to another site",
        "environment": f"belongs to the environment {shown(found.environment)}",
        "retired": "is retired: its site has moved elsewhere",
        "revision": (
            f"was used under revision {one_line(found.revision)} of the registry, which keeps the site's data in other "
            f"places; this process has revision {own.revision}"
        ),
        "impossible": f"has the revision {found.revision}, but the highest possible one is {HIGHEST_REVISION}",
    }
    return "\n".join(
        [
            f"The site {site.id} ({source}) points to {database_name(connection)}, which "
            f"{' and '.join(what[reason] for reason in reasons)}. Nothing was written to it.",
            f"  found:  {found}",
            f"  wanted: {own}",
            f"Correct the record of {site.id}, or bring this machine's registry up to date. If the database is meant "
            f"for {site.id} as it is, take it over: manage.py multihost_adopt {site.id}",
        ]
    )

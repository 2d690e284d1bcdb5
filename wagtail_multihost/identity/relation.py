"""Whether the identity's table is the one that ``migrate`` makes, and its row one that this package writes."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.core.management.base import CommandError
from django.db.backends.base.base import BaseDatabaseWrapper

from wagtail_multihost.exceptions import COULD_NOT, IdentityError
from wagtail_multihost.spec.identifiers import shown

# A role's search_path may put other functions and operators before PostgreSQL's.
KINDS = {
    "postgresql": (
        "SELECT relkind::pg_catalog.text FROM pg_catalog.pg_class "
        "WHERE oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(%s)::pg_catalog.oid"
    ),
    "sqlite": "SELECT type FROM sqlite_master WHERE name = %s",
}
TABLES = ("r", "table")
# https://www.postgresql.org/docs/current/catalog-pg-class.html
MEANINGS = {"f": "foreign table", "m": "materialized view", "p": "partitioned table", "v": "view"}
REMEDY = (
    "As the owner of the database, drop it. Then create it again: manage.py multihost_as {site} migrate "
    "wagtail_multihost zero --fake, and manage.py multihost_as {site} migrate wagtail_multihost"
)


class ForeignTableError(IdentityError, CommandError):
    """Something else has the name of the identity's table. A CommandError, so that manage.py prints no traceback."""

    def __init__(self, message: object) -> None:
        super().__init__(message, returncode=COULD_NOT)


def require_table(connection: BaseDatabaseWrapper, table: str, site: str) -> None:
    """Raise ForeignTableError where something other than a table has the name ``table``."""
    query = KINDS.get(connection.vendor)
    if query is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(query, [table])
        row = cursor.fetchone()
    if row and row[0] not in TABLES:
        found = MEANINGS.get(row[0], row[0])
        raise ForeignTableError(
            f"{table} in the database of {site} is not a table but a {shown(found)}. {REMEDY.format(site=site)}"
        )


def require_legible(row: Sequence[object], where: str) -> None:
    """Raise ForeignTableError for a row that this package does not write: its columns have other types."""
    platform, environment, uid, revision, digest, _ = row
    is_text = all(isinstance(value, str) for value in (platform, environment, digest))
    if is_text and isinstance(revision, int) and is_uuid(uid):
        return
    raise ForeignTableError(
        f"The row of {where} was not written by this package: its columns have other types. "
        f"{REMEDY.format(site='SITE')}"
    )


def is_uuid(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True

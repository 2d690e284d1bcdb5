"""Rows in every database."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connections

from wagtail_multihost.testing.canaries.base import Canary, Crossing

TABLE = "multihost_canary"


class DatabaseCanary(Canary):
    """A row in a separate table, in every alias of DATABASES except replicas (those with TEST MIRROR)."""

    name = "database"

    def plant(self, token: str) -> list[str]:
        aliases = [alias for alias in connections if not is_replica(alias)]
        for alias in aliases:
            make_table(alias)
            with connections[alias].cursor() as cursor:
                cursor.execute("INSERT INTO multihost_canary (token) VALUES (%s)", [token])
        return aliases

    def crossed(self, token: str, planted: list[str]) -> Iterator[Crossing]:
        for alias in connections:
            if has_row(alias, token):
                yield Crossing(database_setting(alias), f"The row is in the table {TABLE}.")

    def remove(self, token: str, planted: list[str]) -> None:
        for alias in planted:
            with connections[alias].cursor() as cursor:
                cursor.execute("DELETE FROM multihost_canary WHERE token = %s", [token])


def database_setting(alias: str) -> str:
    return f'DATABASES["{alias}"]'


def is_replica(alias: str) -> bool:
    return bool(connections[alias].settings_dict["TEST"].get("MIRROR"))


def has_table(alias: str) -> bool:
    return TABLE in connections[alias].introspection.table_names()


def make_table(alias: str) -> None:
    if not has_table(alias):
        with connections[alias].cursor() as cursor:
            cursor.execute("CREATE TABLE multihost_canary (token varchar(64) NOT NULL)")


def has_row(alias: str, token: str) -> bool:
    if not has_table(alias):
        return False
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1 FROM multihost_canary WHERE token = %s", [token])
        return cursor.fetchone() is not None

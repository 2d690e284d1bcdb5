"""The control database's roles on the real server, with passwords for the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from tests.servers.postgres import Postgres
from wagtail_multihost.control.roles import COURIER, JOIN, MONITOR, OPERATOR, OWNER, READER, WEB

PASSWORD = "a-password-of-tests-only"
NAMES = (OWNER, WEB, READER, COURIER, OPERATOR, MONITOR, JOIN)


class Roles:
    """The roles of the test database."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.database = str(connection.settings_dict["NAME"])

    def make(self) -> None:
        call_command("multihost_control_roles", "--apply", verbosity=0)
        for name in NAMES:
            query = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(PASSWORD))
            with self.server.connect(self.database) as opened:
                opened.execute(query)

    def connect(self, name: str) -> psycopg.Connection:
        return self.server.connect(self.database, name, PASSWORD)

    def refusal(self, name: str, *statements: str) -> str:
        """Return the code with which one of the statements is refused to a role; blank if none is."""
        with self.connect(name) as opened:
            try:
                for statement in statements:
                    opened.execute(statement)
            except psycopg.Error as error:
                return error.sqlstate or "?"
        return ""

    @contextmanager
    def acting(self, name: str) -> Iterator[None]:
        """Let Django's connection have the rights of a role."""
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(name)).as_string())
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET SESSION AUTHORIZATION")

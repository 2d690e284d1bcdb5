"""Roles of nodes in the test database, and what they read and say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.db import connection
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.control.roles import PASSWORD
from tests.servers.postgres import Postgres
from wagtail_multihost.control.models import NodeIdentity
from wagtail_multihost.nodeapi import node_v1

FIELDS = ("incarnation", "revision", "oldest", "self", "platform", "sites", "count", "gone", "holds")


class NodeLogin:
    """A node's own role on the server."""

    def __init__(self, server: Postgres, node: str) -> None:
        self.server, self.node = server, node
        self.database = str(connection.settings_dict["NAME"])
        self.role = f"{node_v1.ROLE}_{node}"
        self.boot = uuid4()

    def make(self) -> None:
        with self.server.connect(self.database) as opened:
            opened.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}").format(
                    sql.Identifier(self.role), sql.Literal(PASSWORD), sql.Identifier(node_v1.ROLE)
                )
            )
        NodeIdentity.objects.create(node_id=self.node, role=self.role)

    def drop(self) -> None:
        with self.server.connect(self.database) as opened:
            opened.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(self.role)))

    def connect(self) -> psycopg.Connection:
        return self.server.connect(self.database, self.role, PASSWORD)

    def read(self, since: int | None = None, sealed: int = 0, also: list[str] | None = None) -> dict[str, Any]:
        """Return what the node reads, by names."""
        with self.connect() as opened:
            row = opened.execute(node_v1.READ, {"since": since, "sealed": sealed, "also": also or []}).fetchone()
        assert row is not None
        return dict(zip(FIELDS, row, strict=True))

    def report(
        self,
        applied: int,
        boot: UUID | None = None,
        starting: list[str] | None = (),
        **sites: str,  # type: ignore[assignment]
    ) -> bool:
        """Report, and return whether a second node was noticed."""
        with self.connect() as opened:
            values = (boot or self.boot, applied, "0.2", Jsonb([]), Jsonb(sites), Jsonb(starting))
            row = opened.execute(node_v1.REPORT, values).fetchone()
        return bool(row and row[0])

    def enter(self, state: str) -> bool:
        with self.connect() as opened:
            row = opened.execute(node_v1.ENTER_STATE, (state,)).fetchone()
        return bool(row and row[0])


@contextmanager
def node_login(server: Postgres, node: str) -> Iterator[NodeLogin]:
    """Make a node's login while the block runs; the roles of the database are there already."""
    login = NodeLogin(server, node)
    login.make()
    try:
        yield login
    finally:
        login.drop()

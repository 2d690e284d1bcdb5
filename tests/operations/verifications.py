"""A control site's database as the courier sees it, and rows of its table of checks."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.servers.postgres import HOST, Postgres
from wagtail_multihost.nodeapi import courier_v1

DATABASE, OWNER, COURIER, WEB = "control", "multihost_owner", courier_v1.ROLE, "multihost_web"
#: As the control app's migrations make it, and a neighbour table that is none of the courier's business.
TABLES = """
CREATE TABLE control_verification (
    id uuid PRIMARY KEY, name varchar(253) COLLATE "C" NOT NULL, site_id uuid NOT NULL, secret varchar(100) NOT NULL,
    requested_by_id int NULL, requested_at timestamptz NOT NULL DEFAULT now(),
    wanted_at timestamptz NULL, checked_at timestamptz NULL, proven_at timestamptz NULL,
    method varchar(10) NOT NULL DEFAULT '', problem text NOT NULL DEFAULT '',
    lease uuid NULL, lease_until timestamptz NULL, lease_holder varchar(60) NOT NULL DEFAULT '',
    lease_wish timestamptz NULL
);
CREATE TABLE control_site (uid uuid PRIMARY KEY, record jsonb NOT NULL);
CREATE TABLE control_hostname (name text PRIMARY KEY, site_id uuid, verified_at timestamptz, problem text);
"""
ADD = """
INSERT INTO control_verification (id, name, site_id, secret, wanted_at)
VALUES (%s, %s, %s, %s, CASE WHEN %s THEN clock_timestamp() END)
"""


@dataclass
class Verifications:
    """The server, and the password of all roles."""

    server: Postgres
    password: str

    def connect(self, role: str = OWNER) -> psycopg.Connection[Any]:
        return self.server.connect(DATABASE, role, self.password)

    def run(self, statement: str, *parameters: object, role: str = OWNER) -> list[tuple[Any, ...]]:
        with self.connect(role) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def add(self, name: str, secret: str = "", *, site: uuid.UUID | None = None, wanted: bool = True) -> uuid.UUID:
        identifier = uuid.uuid4()
        self.run(ADD, identifier, name, site or uuid.uuid4(), secret or f"the-secret-of-{name}-0123456789", wanted)
        return identifier

    def row(self, identifier: uuid.UUID) -> dict[str, Any]:
        ((row,),) = self.run("SELECT to_jsonb(v) FROM control_verification AS v WHERE id = %s", identifier)
        return dict(row)

    def clear(self) -> None:
        self.run("DELETE FROM control_verification")

    def url(self, folder: Path) -> str:
        """Return the courier's URL, whose password is in a file of ``folder``."""
        return f"postgresql://{COURIER}@{HOST}:{self.server.port}/{DATABASE}?passfile={folder}/pgpass"


def prepared(server: Postgres) -> Verifications:
    """Make the database, its roles and what the courier may do."""
    found = Verifications(server, "a-password-of-tests")
    for role in (OWNER, COURIER, WEB):
        server.add_role(role, found.password)
    server.add_database(DATABASE, OWNER)
    for role in (COURIER, WEB):
        server.execute(DATABASE, "GRANT CONNECT ON DATABASE {} TO {}", DATABASE, role)
    server.execute(DATABASE, "GRANT CREATE ON SCHEMA public TO {}", OWNER)
    with found.connect() as connection:
        for script in (TABLES, courier_v1.CREATE, courier_v1.GRANT):
            connection.execute(script)
        connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO multihost_web")
    return found

"""A private PostgreSQL on a loopback port: passwords by SCRAM, and no database open to every role."""

from __future__ import annotations

import contextlib
import secrets
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.servers.accounts import POSTGRES
from tests.servers.processes import STOP_SECONDS, free_port, running, wait_for

HOST = "127.0.0.1"
SUPERUSER = "postgres"
SETTINGS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=60")


def programs() -> Path:
    """Return the folder of the newest server that Debian has; it is in nobody's PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    return folders[-1] if folders else Path("/usr/bin")


@dataclass(frozen=True)
class Postgres:
    """The server's address and its superuser's password."""

    port: int
    password: str

    def connect(self, database: str, user: str = SUPERUSER, password: str = "") -> psycopg.Connection:
        return psycopg.connect(
            host=HOST,
            port=self.port,
            dbname=database,
            user=user,
            password=password or self.password,
            connect_timeout=10,
            autocommit=True,
        )

    def execute(self, database: str, statement: str, *names: str, parameters: tuple[object, ...] = ()) -> list[tuple]:
        """Run a statement whose ``{}`` are identifiers; return its rows, if it has any."""
        query = sql.SQL(statement).format(*map(sql.Identifier, names))
        with self.connect(database) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def add_role(self, name: str, password: str) -> None:
        query = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
        with self.connect(SUPERUSER) as connection:
            connection.execute(query)

    def add_database(self, name: str, owner: str, template: str = "template0") -> None:
        """Make a database that only its owner may connect to."""
        self.execute(SUPERUSER, "CREATE DATABASE {} OWNER {} TEMPLATE {}", name, owner, template)
        self.execute(SUPERUSER, "REVOKE CONNECT ON DATABASE {} FROM PUBLIC", name)

    def is_up(self) -> bool:
        try:
            self.connect(SUPERUSER).close()
        except psycopg.OperationalError:
            return False
        return True


def serve_command(cluster: Path, port: int, *settings: str, binaries: Path | None = None) -> list[str | Path]:
    """Return the words that serve a cluster."""
    words = [word for setting in (*SETTINGS, f"port={port}", *settings) for word in ("-c", setting)]
    return POSTGRES.command((binaries or programs()) / "postgres", "-D", cluster, *words)


def copy_cluster(source: Path, folder: Path) -> None:
    """Copy what ``running_postgres`` made, while it is not served, with its owner."""
    subprocess.run(["cp", "--archive", source, folder], check=True)


@contextlib.contextmanager
def running_postgres(
    folder: Path, *settings: str, binaries: Path | None = None, like: Path | None = None
) -> Iterator[Postgres]:
    """
    Make a cluster in ``folder`` and serve it, with more ``settings``, of which the last counts; with other programs
    than Debian's if their folder is given, and ``like`` the cluster in another folder, which is not served, if that is.
    """
    binaries = binaries or programs()
    cluster, password_file = folder / "cluster", folder / "password"
    if like is None:
        POSTGRES.folder(folder, 0o700)
        POSTGRES.write(password_file, secrets.token_urlsafe(16))
        make = [binaries / "initdb", "--pgdata", cluster, "--username", SUPERUSER, "--pwfile", password_file]
        make += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        with running(POSTGRES.command(*make), folder / "initdb.log", cwd=Path("/")) as process:
            assert process.wait() == 0, (folder / "initdb.log").read_text()
    else:
        copy_cluster(like, folder)
    server = Postgres(free_port(), password_file.read_text())
    serve = serve_command(cluster, server.port, *settings, binaries=binaries)
    with running(serve, folder / "postgres.log", cwd=Path("/")) as process:
        wait_for(server.is_up, "PostgreSQL")
        yield server
        # A fast shutdown: SIGTERM would wait for clients (https://www.postgresql.org/docs/current/server-shutdown.html).
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)

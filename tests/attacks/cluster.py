"""A PostgreSQL with sites made by the documented script, and the proxies that the guide puts in front of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.accounts import passable_folder
from tests.servers.accounts import POSTGRES, Account
from tests.servers.postgres import HOST, SUPERUSER, Postgres, running_postgres
from tests.servers.processes import accepts, running, wait_for

CREATE_SITE = Path(__file__).parents[2] / "docs/examples/create-site.sql"
PROXY = Path("/lib/systemd/systemd-socket-proxyd")
SOCKET = ".s.PGSQL.5432"
#: The connections that a proxy passes on at a time.
BOUND = 10


@dataclass(frozen=True)
class Role:
    """A site's role, which has the database of its own name."""

    server: Postgres
    name: str
    password: str

    def connect(self, **more: object) -> psycopg.Connection:
        """Connect as the site does, past any proxy unless ``host`` and ``port`` say otherwise."""
        target = {"host": HOST, "port": self.server.port, "connect_timeout": 10, **more}
        return psycopg.connect(dbname=self.name, user=self.name, password=self.password, autocommit=True, **target)  # type: ignore[arg-type]

    def is_served(self, **more: object) -> bool:
        try:
            with self.connect(**more) as connection:
                return connection.execute("SELECT count(*) FROM pg_class").fetchone() is not None
        except psycopg.OperationalError:
            return False


@contextlib.contextmanager
def opened_cluster(*settings: str) -> Iterator[tuple[Postgres, Path]]:
    """Serve a cluster; yield it and its folder, which every account may enter."""
    with passable_folder() as folder, running_postgres(folder / "postgres", *settings) as server:
        yield server, folder


def make_site(server: Postgres, folder: Path, name: str) -> Role:
    """Make a role and a database as the guide says, with psql and the documented script."""
    role = Role(server, name, secrets.token_urlsafe(16))
    path = POSTGRES.write(folder / f"{name}.password", f"{role.password}\n", 0o400)
    words = ["psql", "-X", "-q", "-v", f"site_name={name}", "-v", f"password_file={path}", "-f", str(CREATE_SITE)]
    environ = {"PATH": os.defpath, "PGHOST": HOST, "PGPORT": str(server.port), "PGUSER": SUPERUSER}
    # The superuser's own way in is this machine's matter; libpq reads this file, whose owner must be who runs psql.
    passfile = folder / f"{name}.pgpass"
    passfile.touch(mode=0o600)
    passfile.write_text(f"{HOST}:{server.port}:*:{SUPERUSER}:{server.password}\n")
    done = subprocess.run(
        words, env={**environ, "PGPASSFILE": str(passfile)}, capture_output=True, text=True, cwd="/", check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return role


@contextlib.contextmanager
def running_proxy(server_socket: Path, folder: Path, owner: Account) -> Iterator[Path]:
    """Put systemd's own proxy in front, as the guide's units do; yield the folder of a socket for ``owner`` alone."""
    own = owner.folder(folder, 0o700)
    path = own / SOCKET
    inner = ["setpriv", "--reuid", "daemon", "--regid", POSTGRES.group, "--clear-groups", "--"]
    command = ["setpriv", "--pdeathsig", "TERM", "systemd-socket-activate", "-l", path, *inner, PROXY]
    command += [f"--connections-max={BOUND}", server_socket]
    with running([str(word) for word in command], folder.with_suffix(".log"), {"PATH": os.defpath}, Path("/")):
        wait_for(lambda: accepts(path), "the socket of the proxy")
        path.chmod(0o666)  # the folder is what closes it here; systemd sets SocketMode
        yield own


def silent(address: tuple[str, int] | str, count: int) -> list[socket.socket]:
    """
    Open connections that name a role and then say nothing when the server asks for the password. Each takes one of
    ``max_connections``: a slot is given when the name is heard. Those that are refused are left out.
    """
    parameters = b"user\0nobody\0database\0postgres\0\0"
    startup = struct.pack("!ii", 8 + len(parameters), 3 << 16) + parameters
    opened = []
    for _ in range(count):
        connection = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        connection.settimeout(5)
        with contextlib.suppress(OSError):
            connection.connect(address)
            connection.sendall(startup)
            if connection.recv(1) == b"R":  # it asks for the password
                opened.append(connection)
                continue
        connection.close()
    return opened


@contextlib.contextmanager
def kept_silent(address: tuple[str, int] | str, count: int) -> Iterator[int]:
    """Keep silent connections open during the block; yield how many the server has taken."""
    opened = silent(address, count)
    try:
        yield len(opened)
    finally:
        for connection in opened:
            connection.close()

"""A site that listens where its neighbours look for a server of this machine, and what they send it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import needs_root

pytestmark = [pytest.mark.servers, needs_root]

PASSWORD = "the-neighbours-password"
CLEARTEXT = b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big")
#: What a site's process does with the address of its servers, with a driver of its own.
CLIENTS = {
    "redis": (
        "import redis; redis.Redis(host={host!r}, port={port}, username='n', password={password!r}, "
        "socket_timeout=2, retry=None).ping()"
    ),
    "postgresql": (
        "import psycopg; psycopg.connect(host={host!r}, port={port}, user='n', dbname='n', "
        "password={password!r}, connect_timeout=5, {option})"
    ),
}
#: Debian's own file, from which localhost has two addresses.
HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


@contextlib.contextmanager
def listening(address: str) -> Iterator[tuple[int, list[bytes]]]:
    """Listen as a hostile site does, asking for a password as PostgreSQL asks; yield the port and what was heard."""
    heard: list[bytes] = []
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.settimeout(2)
                        hello = connection.recv(1000)
                        heard.append(hello)
                        if hello[4:8] == b"\x04\xd2\x16\x2f":  # libpq asks for TLS
                            connection.sendall(b"N")
                            connection.recv(1000)
                        connection.sendall(CLEARTEXT)
                        heard.append(connection.recv(1000))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1]), heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def connect(client: str, host: str, port: int, hosts: Path, option: str = "") -> None:
    """Let a neighbour's process connect, where ``hosts`` is /etc/hosts."""
    code = CLIENTS[client].format(host=host, port=port, password=PASSWORD, option=option)
    within = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh", str(hosts)]
    subprocess.run([*within, sys.executable, "-c", code], capture_output=True, timeout=60, check=False)


@pytest.fixture(name="hosts")
def _hosts(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text(HOSTS)
    return path


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("name", "address"), [("localhost", "::1"), ("127.0.0.1", "127.0.0.1")])
def test_who_listens_at_a_free_port_is_sent_passwords(hosts: Path, client: str, name: str, address: str) -> None:
    """This is what the check is for: where it no longer is so, it can go."""
    with listening(address) as (port, heard):
        connect(client, name, port, hosts)
        assert any(PASSWORD.encode() in message for message in heard)


@pytest.mark.parametrize("option", ["require_auth='scram-sha-256'", "sslmode='verify-full'"])
def test_documented_options_keep_the_password(hosts: Path, option: str) -> None:
    """With either of them PostgreSQL's client hands nothing to a server that has not shown who it is."""
    with listening("127.0.0.1") as (port, heard):
        connect("postgresql", "127.0.0.1", port, hosts, option)
        assert heard and not any(PASSWORD.encode() in message for message in heard)

"""nginx with the configuration that was emitted, and requests that no browser would send."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from tests.servers.accounts import ROOT
from tests.servers.processes import running, wait_for

PROGRAM = Path("/usr/sbin/nginx")
SECONDS = 30


@contextlib.contextmanager
def running_nginx(config: Path, log: Path, port: int) -> Iterator[None]:
    """Serve ``config``; root starts nginx, which gives its workers to the account that ``config`` names."""
    with running(ROOT.command(PROGRAM, "-e", "stderr", "-c", config, "-g", "daemon off;"), log) as process:
        wait_for(lambda: process.poll() is not None or accepts(port), "nginx")
        assert process.poll() is None, log.read_text()
        yield


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True


def exchange(connection: socket.socket, request: str) -> str:
    """Send ``request`` as it stands, without a blank line at its end; return all that comes until the end."""
    connection.settimeout(SECONDS)
    connection.sendall(f"{request}\r\n\r\n".encode())
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while block := connection.recv(65536):
            received += block
    return received.decode(errors="replace")


def raw(port: int, *lines: str) -> str:
    """Return the answer, headers and all, to the ``lines`` of a request; blank when the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        return exchange(connection, "\r\n".join([*lines, "Connection: close"]))


def status_of(answer: str) -> int:
    """Return the status in a raw answer, 0 when there is none."""
    return int(answer.split(" ", 2)[1]) if answer else 0

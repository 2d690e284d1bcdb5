"""A Redis server with a certificate of a private authority, which may ask its clients for one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from tests.health.certificates import make
from tests.servers.accounts import OTHERS
from tests.servers.processes import free_port, running, wait_for


@contextlib.contextmanager
def tls_redis(folder: Path, *, name: str = "localhost", asks_clients: bool = False) -> Iterator[int]:
    """Serve with TLS alone; yield the port. ``authority.pem``, ``client.pem`` and ``client.key`` are in ``folder``."""
    folder.mkdir(0o755)
    authority = make("Rig", 30)
    authority.write(folder, "authority")
    make("aurora", 30, authority).write(folder, "client")
    pair, port = make(name, 30, authority), free_port()
    own = OTHERS.folder(folder / "own", 0o700)
    lines = [
        "bind 127.0.0.1",
        "port 0",
        f"tls-port {port}",
        f"tls-cert-file {OTHERS.write(own / 'server.pem', pair.pem.decode())}",
        f"tls-key-file {OTHERS.write(own / 'server.key', pair.key_pem.decode())}",
        f"tls-ca-cert-file {folder / 'authority.pem'}",
        f"tls-auth-clients {'yes' if asks_clients else 'no'}",
        'save ""',
        f"dir {own}",
    ]
    config = OTHERS.write(own / "redis.conf", "".join(f"{line}\n" for line in lines))
    with running(OTHERS.command("redis-server", config), own / "redis.log", cwd=own):
        wait_for(lambda: answers(port), "Redis")
        yield port


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True

"""A private Redis on a loopback port, with a password and nothing on disk."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError

from tests.servers.accounts import OTHERS
from tests.servers.processes import free_port, running, wait_for


@dataclass(frozen=True)
class RedisServer:
    """The server's address and password."""

    port: int
    password: str

    def all_keys(self) -> list[str]:
        """Return every key of every site."""
        with self.client() as client:
            return [key.decode() for key in client.scan_iter()]

    def client(self) -> Redis:
        return Redis("127.0.0.1", self.port, password=self.password)

    def is_up(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except ConnectionError:
            return False


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    OTHERS.folder(folder, 0o700)
    server = RedisServer(free_port(), secrets.token_urlsafe(16))
    lines = ["bind 127.0.0.1", f"port {server.port}", f"requirepass {server.password}", 'save ""', f"dir {folder}"]
    config = OTHERS.write(folder / "redis.conf", "".join(f"{line}\n" for line in lines))
    with running(OTHERS.command("redis-server", config), folder / "redis.log", cwd=folder):
        wait_for(server.is_up, "Redis")
        yield server

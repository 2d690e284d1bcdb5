"""A private Redis on a loopback port, with nothing on disk: with one password, or with the users of sites."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError

from tests.servers.accounts import OTHERS
from tests.servers.processes import free_port, running, wait_for
from wagtail_multihost.spec.redis_rules import site_rules


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

    def add_user(self, name: str, password: str, key_prefix: str) -> None:
        """Make a site's user, with the rules of the guide."""
        with self.client() as client:
            client.execute_command("ACL", "SETUSER", name, *site_rules(key_prefix).split(), f">{password}")

    def is_up(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except ConnectionError:
            return False


EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
USERS = EXAMPLES / "redis-users.acl"
#: The guide's configuration, without the place of the users.
LIMITS = [line for line in (EXAMPLES / "redis.conf").read_text().splitlines() if not line.startswith("aclfile ")]
#: The passwords of the documentation's example.
PASSWORDS = {"aurora": "replace-this-password-1", "borealis": "replace-this-password-2"}


@dataclass(frozen=True)
class SharedRedis:
    """A server with the users of the documentation's example, and an operator who may do everything."""

    port: int
    address: Path

    def operator(self) -> Redis:
        return Redis("127.0.0.1", self.port, username="operator", password="operator")

    def of_site(self, site: str, **options: Any) -> Redis:
        return Redis("127.0.0.1", self.port, username=site, password=PASSWORDS[site], **options)

    def is_up(self) -> bool:
        with contextlib.suppress(ConnectionError), self.operator() as client:
            return bool(client.ping())
        return False


@contextlib.contextmanager
def shared_redis(*lines: str) -> Iterator[SharedRedis]:
    """Run a server as the guide says, with ``lines`` of configuration on top."""
    folder = OTHERS.take(Path(tempfile.mkdtemp(prefix="mh-")), 0o700)
    server = SharedRedis(free_port(), folder / "redis.sock")
    users = OTHERS.write(folder / "users.acl", f"{USERS.read_text()}user operator on >operator ~* &* +@all\n")
    stated = ["bind 127.0.0.1", f"port {server.port}", f"unixsocket {server.address}", f"dir {folder}", 'save ""']
    config = OTHERS.write(folder / "redis.conf", "\n".join([*stated, f"aclfile {users}", *lines, ""]))
    try:
        with running(OTHERS.command("redis-server", config), folder / "redis.log"):
            wait_for(server.is_up, "Redis")
            yield server
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    OTHERS.folder(folder, 0o700)
    server = RedisServer(free_port(), secrets.token_urlsafe(16))
    lines = ["bind 127.0.0.1", f"port {server.port}", f"requirepass {server.password}", 'save ""', f"dir {folder}"]
    config = OTHERS.write(folder / "redis.conf", "".join(f"{line}\n" for line in lines))
    with running(OTHERS.command("redis-server", config), folder / "redis.log", cwd=folder):
        wait_for(server.is_up, "Redis")
        yield server

"""
What each site's process has for settings, to be held against what stock Django, Wagtail and their helpers do.

Every test here shows a finding on the installed libraries first, and then that this package does not have it.
"""

from __future__ import annotations

import importlib
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.accounts import OTHERS
from tests.servers.postgres import Postgres, running_postgres
from tests.servers.processes import free_port, running, wait_for
from tests.servers.redis import RedisServer, running_redis
from wagtail_multihost.resolver import resolve

if TYPE_CHECKING:
    from tests.servers.s3 import S3Server

RESOLVED = importlib.import_module("wagtail_multihost.resolver.resolved")  # not by attribute: a function has the name
REGISTRY = """
[platform]
name = "aviary"
secret_key = "a-platform-key-0123456789-0123456789-0123456789"
[sites.aurora]
hostnames = ["aurora.example.org"]
[sites.borealis]
hostnames = ["borealis.example.org"]
"""
SettingsOf = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def own_settings_return(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the settings of the run after a test that was the process of another site."""
    monkeypatch.setattr("wagtail_multihost.running._current", None)
    monkeypatch.setattr("wagtail_multihost.running._resets", {})


@pytest.fixture
def settings_of(tmp_path: Path) -> SettingsOf:
    """Become the process of a site: return its settings, on top of the project's and with other variables."""

    def make(
        site: str,
        *,
        registry: str = REGISTRY,
        project: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        path = tmp_path / "sites.toml"
        path.write_text(registry, encoding="utf-8")
        namespace: dict[str, Any] = dict(project or {})
        resolve(path, environ=MappingProxyType({"MULTIHOST_SITE": site, **(environ or {})})).apply(namespace)
        return namespace

    return make


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that the accounts of servers may enter."""
    folder = Path(tempfile.mkdtemp(prefix="mh-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[Postgres]:
    with running_postgres(server_folder / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def redis(server_folder: Path) -> Iterator[RedisServer]:
    with running_redis(server_folder / "redis") as server:
        yield server


@pytest.fixture(scope="session")
def memcached(server_folder: Path) -> Iterator[str]:
    """The address of a memcached."""
    port = free_port()
    OTHERS.folder(server_folder / "memcached", 0o700)
    command = OTHERS.command("memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0")
    with running(command, server_folder / "memcached.log", cwd=server_folder):
        wait_for(lambda: answers(port), "memcached")
        yield f"127.0.0.1:{port}"


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 server in a thread: the servers' own accounts need not be able to read this environment."""
    from moto.server import ThreadedMotoServer

    from tests.servers.s3 import S3Server

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield S3Server(f"http://{host}:{port}")
    server.stop()

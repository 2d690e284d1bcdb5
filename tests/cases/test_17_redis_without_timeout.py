"""Case 17: nobody waits for ever for a server that accepts a connection and never answers."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cases.processes import asked, registry_of

#: The oldest that pyproject.toml allows, one that case 17 was seen with, and the installed one.
RELEASES = ("5.0.0", "5.2.1", "")
BOUND = 15  # seconds: redis-py 8 tries again, and the whole process starts in them too
STOCK = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"
PYMEMCACHE = "django.core.cache.backends.memcached.PyMemcacheCache"
TIMED = """
import time
from django.core.cache import caches
from django.db import connection
start = time.monotonic()
try:
    {statement}
except Exception as error:
    print(f"{{type(error).__name__}} {{time.monotonic() - start:.1f}}")
"""


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections and never answer, as a firewall or a paused machine does; yield the port."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for each in kept:
        each.close()


@pytest.fixture(scope="module")
def silent() -> Iterator[int]:
    with silent_server() as port:
        yield port


@pytest.fixture(scope="module", params=RELEASES, ids=lambda release: f"redis-py {release or 'installed'}")
def redis_py(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A folder with a release of redis-py alone, None for the installed one."""
    if not request.param:
        return None
    folder = tmp_path_factory.mktemp("redis-py")
    wanted = f"redis=={request.param}"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), wanted]
    subprocess.run(pip, check=True, capture_output=True)
    return folder


def outcome(registry: Path, statement: str, project: dict[str, Any] | None = None, path: Path | None = None) -> str:
    """Return the class of the error that a statement ends with, when it does not take longer than it may."""
    variables = {"CASE_PROJECT": json.dumps(project or {})}
    asking = asked(registry, TIMED.format(statement=statement), variables, path=path)
    name, _, seconds = asking.stdout.strip().partition(" ")
    assert seconds, asking.stderr
    assert float(seconds) < BOUND, asking.stdout
    return name


@pytest.mark.servers
@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_cache_that_never_answers_is_an_error_after_seconds(
    silent: int, redis_py: Path | None, tmp_path: Path, scheme: str
) -> None:
    """With every release that is allowed, in the clear and with TLS."""
    registry = registry_of(tmp_path, f'cache = "{scheme}://127.0.0.1:{silent}/0"\n')
    assert outcome(registry, 'caches["default"].get("page")', path=redis_py) == "TimeoutError"


@pytest.mark.servers
def test_timeout_of_the_registry_is_before_the_projects(silent: int, redis_py: Path | None, tmp_path: Path) -> None:
    """A site waits as long as its table says, or else as long as the project does."""
    for cache, stated, seconds in (
        (f'{{ backend = "redis", host = "127.0.0.1", port = {silent}, timeout = 1 }}', 60, 2),
        (f'"redis://127.0.0.1:{silent}/0"', 1, 2),
    ):
        options = {"socket_timeout": stated, "socket_connect_timeout": stated}
        project = {"CACHES": {"default": {"BACKEND": STOCK, "OPTIONS": options}}}
        registry = registry_of(tmp_path, f"cache = {cache}\n")
        start = time.monotonic()
        assert outcome(registry, 'caches["default"].get("page")', project, redis_py) == "TimeoutError"
        assert time.monotonic() - start < seconds + BOUND


@pytest.mark.servers
@pytest.mark.parametrize("backend", [STOCK, DJANGO_REDIS, PYMEMCACHE])
def test_alias_of_the_project_that_never_answers_is_an_error_after_seconds(
    silent: int, tmp_path: Path, backend: str
) -> None:
    """Caches that the project has beside the site's are waited for no longer."""
    location = f"127.0.0.1:{silent}" if backend == PYMEMCACHE else f"redis://127.0.0.1:{silent}/0"
    project = {"CACHES": {"pages": {"BACKEND": backend, "LOCATION": location}}}
    registry = registry_of(tmp_path, "")
    assert outcome(registry, 'caches["pages"].get("page")', project) in ("ConnectionInterrupted", "TimeoutError")


@pytest.mark.servers
@pytest.mark.parametrize("options", [{}, {"pool": True}], ids=["connection", "pool"])
def test_database_that_never_answers_is_an_error_after_seconds(
    silent: int, tmp_path: Path, options: dict[str, bool]
) -> None:
    """A connection that the server accepts and leaves there ends too, whether a pool makes it or not."""
    table = f'{{ engine = "postgresql", host = "127.0.0.1", port = {silent}, password = "x" }}'
    registry = registry_of(tmp_path, f"database = {table}\n")
    project = {"DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": options}}}
    assert outcome(registry, "connection.ensure_connection()", project) == "OperationalError"

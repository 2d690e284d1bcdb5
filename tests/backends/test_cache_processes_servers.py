"""What one process of a site does to its cache, and another one sees, on real servers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.servers.processes import accepts, free_port, running, wait_for
from wagtail_multihost.backends import generations
from wagtail_multihost.backends.cache import SiteRedisCache
from wagtail_multihost.backends.django_redis import SiteDjangoRedisCache

pytestmark = pytest.mark.servers

KINDS = pytest.mark.parametrize("kind", [SiteRedisCache, SiteDjangoRedisCache])


@pytest.fixture(scope="module")
def addresses() -> Iterator[tuple[str, str]]:
    """The addresses of a Redis and of its replica, which takes no writes."""
    folder = Path(tempfile.mkdtemp(prefix="mh-"))
    primary, replica = folder / "a.sock", folder / "b.sock"
    command = ["redis-server", "--save", "", "--dir", folder, "--port"]
    port = str(free_port())
    try:
        with (
            running([*command, port, "--bind", "127.0.0.1", "--unixsocket", primary], folder / "a.log"),
            running([*command, "0", "--unixsocket", replica, "--replicaof", "127.0.0.1", port], folder / "b.log"),
        ):
            wait_for(lambda: accepts(primary) and accepts(replica) and is_linked(replica), "Redis and its replica")
            yield f"unix://{primary}?db=0", f"unix://{replica}?db=0"
    finally:
        shutil.rmtree(folder)


def is_linked(replica: Path) -> bool:
    with Redis(unix_socket_path=str(replica)) as client:
        return bool(client.info("replication")["master_link_status"] == "up")


@pytest.fixture
def another_process(become: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Become a process that knows nothing of any cache yet."""
    become()

    def start() -> None:
        monkeypatch.setattr(generations, "_known", {})

    start()
    return start


@KINDS
def test_clear_reaches_a_process_that_starts_later(
    addresses: tuple[str, str], another_process: Callable[[], None], kind: type
) -> None:
    """What was cached before clear() is not found by another process, although the entry may still be there."""
    prefix = f"aviary.{kind.__name__.lower()}"
    cache = kind(addresses[0], {"KEY_PREFIX": prefix})
    cache.remove_entries = lambda: None  # as for a user who may not list keys
    cache.set("a", "old")
    before = cache.generation()
    cache.clear()
    another_process()
    other = kind(addresses[0], {"KEY_PREFIX": prefix})
    assert (other.get("a"), other.generation() != before) == (None, True)
    for each in (cache, other):
        each.primary().connection_pool.disconnect()


@KINDS
def test_owner_is_written_where_there_is_a_replica(
    addresses: tuple[str, str], another_process: Callable[[], None], kind: type
) -> None:
    """Reads may go to the replica; the mark, which must be the newest, is asked and written on the primary alone."""
    prefix = f"aviary.replicated-{kind.__name__.lower()}"
    cache = kind(list(addresses), {"KEY_PREFIX": prefix})
    for number in range(5):
        another_process()
        cache.set("a", number)
        cache.clear()
    assert cache.primary().role()[0] in (b"master", "master")
    cache.primary().connection_pool.disconnect()
    for connection in getattr(cache._cache, "_pools", {}).values() if kind is SiteRedisCache else ():
        connection.disconnect()

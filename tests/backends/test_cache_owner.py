"""The one key by which processes of a site agree about a cache: read, made once and written where all see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from wagtail_multihost.backends import generations
from wagtail_multihost.backends.cache import SiteRedisCache
from wagtail_multihost.backends.django_redis import SiteDjangoRedisCache
from wagtail_multihost.backends.memcached import SitePyMemcacheCache

Become = Callable[..., None]
PREFIX = "aviary.aurora"


class Server:
    """What a server has, asked as redis-py and pymemcache ask; a ``replica`` takes no writes and has nothing new."""

    def __init__(self, replica: bool = False) -> None:
        self.values: dict[str, Any] = {}
        self.replica = replica

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def set(self, key: str, value: Any, expire: int | None = None, *, nx: bool = False) -> None:
        assert not self.replica, "READONLY You can't write against a read only replica."
        assert expire in (None, 0), "It would be forgotten."
        if not (nx and key in self.values):
            self.values[key] = value

    def add(self, key: str, value: Any, expire: int) -> None:
        self.set(key, value, expire, nx=True)

    def scan_iter(self, match: str, count: int) -> list[str]:
        return [key for key in self.values if key.startswith(match.rstrip("*"))]

    def unlink(self, *keys: str) -> None:
        for key in keys:
            del self.values[key]


class Pair:
    """A server and its replica, as Django's and django-redis's clients choose between them."""

    def __init__(self) -> None:
        self.primary, self.replica = Server(), Server(replica=True)

    def get_client(self, key: str | None = None, *, write: bool = False) -> Server:
        return self.primary if write else self.replica


def redis(pair: Pair) -> SiteRedisCache:
    cache = SiteRedisCache("redis://127.0.0.1:9/0", {"KEY_PREFIX": PREFIX})
    cache.__dict__["_cache"] = pair
    return cache


def django_redis(pair: Pair) -> SiteDjangoRedisCache:
    cache = SiteDjangoRedisCache("redis://127.0.0.1:9/0", {"KEY_PREFIX": PREFIX})
    cache.__dict__["client"] = cache._client = pair
    return cache


def memcached(pair: Pair) -> SitePyMemcacheCache:
    cache = SitePyMemcacheCache("127.0.0.1:9", {"KEY_PREFIX": PREFIX})
    cache.__dict__["_cache"] = pair.primary
    return cache


Make = Callable[[Pair], Any]
KINDS = pytest.mark.parametrize("make", [redis, django_redis, memcached], ids=lambda make: make.__name__)


@pytest.fixture(autouse=True)
def of_a_site(become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "_known", {})
    become()


@KINDS
def test_owner_is_read_and_written_on_the_primary(make: Make) -> None:
    """A replica may lag: what was written is what is read, and nothing is asked of the other."""
    cache = make(pair := Pair())
    assert cache.read_owner() is None
    cache.write_owner(b"one")
    assert cache.read_owner() == b"one"
    assert (pair.primary.values, pair.replica.values) == ({cache.owner_key: b"one"}, {})


@KINDS
def test_owner_that_is_there_is_not_replaced_by_adding(make: Make) -> None:
    """Of two processes that start at once the first one decides; writing, as clear() does, replaces it."""
    cache = make(Pair())
    cache.add_owner(b"one")
    cache.add_owner(b"two")
    assert cache.read_owner() == b"one"
    cache.write_owner(b"three")
    assert cache.read_owner() == b"three"


@KINDS
def test_clear_tells_other_processes(make: Make) -> None:
    """The generation on the server is a new one after clear(), which a process that knows nothing reads."""
    cache = make(pair := Pair())
    before = cache.current_generation(None)
    cache.clear()
    generations._known.clear()
    after = make(pair).current_generation(None)
    assert before != after == json.loads(pair.primary.values[cache.owner_key])["generation"]


@pytest.mark.parametrize("make", [redis, django_redis])
def test_clear_removes_the_entries_of_every_generation_and_no_other(make: Make) -> None:
    """Entries below the prefix go, the owner stays, and so does what only starts alike."""
    cache = make(pair := Pair())
    cache.current_generation(None)
    others = {f"{PREFIX}.pages:@1:1:a": 1, f"{PREFIX}-b:@1:1:a": 1, "aviary.borealis:@1:1:a": 1}
    pair.primary.values |= {f"{PREFIX}:@1:1:a": 1, f"{PREFIX}:@2:1:b": 1, **others}
    cache.clear()
    assert pair.primary.values.keys() == {cache.owner_key, *others}

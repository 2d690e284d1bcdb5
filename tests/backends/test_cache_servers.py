"""Caches of sites that share a real Redis or a real memcached."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.test import override_settings
from redis import Redis
from redis.exceptions import NoPermissionError

from tests.servers.accounts import OTHERS
from tests.servers.processes import accepts, running, wait_for
from tests.servers.redis import PASSWORDS, shared_redis
from tests.spec.samples import a_site, redis
from wagtail_multihost.backends import generations
from wagtail_multihost.backends.cache import BATCH, SiteRedisCache
from wagtail_multihost.backends.django_redis import SiteDjangoRedisCache
from wagtail_multihost.backends.memcached import SitePyMemcacheCache
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.health.probes.cache import keeps_value
from wagtail_multihost.resolver.caches import KEY_FUNCTION, cache_settings
from wagtail_multihost.resolver.setting import reveal_secrets
from wagtail_multihost.spec.secret import Secret

pytestmark = pytest.mark.servers

Become = Callable[..., None]
REDIS_CLASSES = (SiteRedisCache, SiteDjangoRedisCache)


@pytest.fixture(scope="module")
def redis_socket() -> Iterator[Path]:
    """The socket of a Redis with the users of the documentation's example, and one who may do everything."""
    with shared_redis() as server:
        yield server.address


@pytest.fixture(scope="module")
def memcached() -> Iterator[str]:
    folder = OTHERS.take(Path(tempfile.mkdtemp(prefix="mh-")), 0o700)
    address = folder / "memcached.sock"
    try:
        with running(OTHERS.command("memcached", "-s", address), folder / "memcached.log"):
            wait_for(lambda: accepts(address), "memcached")
            yield f"unix:{address}"
    finally:
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def site(become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "_known", {})
    become()


@pytest.fixture
def opened(redis_socket: Path, memcached: str) -> Iterator[Callable[..., Any]]:
    """Make a cache of a class under a prefix, as the user of a site where the class asks for one."""
    made: list[BaseCache] = []

    def make(kind: type[Any], prefix: str, user: str = "operator", **params: Any) -> Any:
        location = memcached
        if kind in REDIS_CLASSES:
            location = f"unix://{user}:{PASSWORDS.get(user, user)}@{redis_socket}?db=0"
        cache = kind(location, {"KEY_PREFIX": prefix, "KEY_FUNCTION": KEY_FUNCTION, **params})
        made.append(cache)
        return cache

    yield make
    for cache in made:
        close(cache)


def close(cache: Any) -> None:
    cache.close()
    with contextlib.suppress(AttributeError):
        for pool in cache._cache._pools.values():
            pool.disconnect()
    with contextlib.suppress(AttributeError):
        cache.primary().connection_pool.disconnect()


def unique() -> str:
    return f"aviary.{secrets.token_hex(4)}"


@pytest.mark.parametrize("kind", [*REDIS_CLASSES, SitePyMemcacheCache])
def test_clear_takes_the_keys_of_its_own_prefix_only(opened: Callable[..., Any], kind: type[Any]) -> None:
    """However many keys a site has, clear takes them all, and no key of a site whose id only starts alike."""
    prefix = unique()
    own, longer, alias = (opened(kind, name) for name in (prefix, f"{prefix}-b", f"{prefix}.pages"))
    names = [str(number) for number in range(BATCH + 1)]
    own.set_many(dict.fromkeys(names, 1))
    own.set("versioned", 1, version=2)
    longer.set("kept", "kept")
    alias.set("kept", "kept")
    for _ in range(2):
        own.clear()
        assert own.get_many(names) == {}
        assert own.get("versioned", version=2) is None
        assert (longer.get("kept"), alias.get("kept")) == ("kept", "kept")


@pytest.mark.parametrize("kind", REDIS_CLASSES)
def test_clear_frees_the_memory_of_redis(opened: Callable[..., Any], redis_socket: Path, kind: type[Any]) -> None:
    """A user who may list keys leaves none behind but the mark."""
    prefix = unique()
    own = opened(kind, prefix)
    own.set_many({"a": 1, "b": 2})
    own.clear()
    with Redis(unix_socket_path=str(redis_socket), username="operator", password="operator") as client:
        assert [key.decode() for key in client.scan_iter(match=f"{prefix}*")] == [f"{prefix}:owner"]


@pytest.mark.parametrize("kind", REDIS_CLASSES)
def test_cache_does_all_that_djangos_does_under_the_rules(opened: Callable[..., Any], kind: type[Any]) -> None:
    """With the rules of the documentation's example every method of Django's cache works, in each alias."""
    own = opened(kind, "aviary.aurora", user="aurora")
    pages = opened(kind, "aviary.aurora.pages", user="aurora")
    for cache in (own, pages):
        cache.clear()
        cache.set("a", 1)
        cache.set("gone", 1, timeout=0)
        cache.set_many({"b": 1, "c": "2", "d": [3]}, timeout=60)
        cache.set_many({"e": 5}, timeout=None)
        assert cache.add("a", 2) is False and cache.add("f", 6, timeout=60)
        assert cache.get_many(["a", "b", "c", "d", "e", "f", "gone"]) == {
            **{"a": 1, "b": 1, "c": "2"},
            **{"d": [3], "e": 5, "f": 6},
        }
        assert (cache.incr("b"), cache.incr("b", 10), cache.decr("b", 2), cache.get("b")) == (2, 12, 10, 10)
        assert (cache.incr_version("a"), cache.get("a"), cache.get("a", version=2)) == (2, None, 1)
        assert cache.touch("b", 30) and cache.touch("b", None) and not cache.touch("none")
        assert cache.get_or_set("g", lambda: 7) == 7 and cache.has_key("g") and "none" not in cache
        assert cache.delete("g") and not cache.delete("g")
        cache.delete_many(["c", "d"])
        assert cache.get_many(["c", "d"]) == {}
        assert keeps_value(cache)
        for count in (cache.incr, cache.decr):
            with pytest.raises(ValueError, match="none"):
                count("none")
    own.clear()
    assert (own.get("b"), own.get("e"), pages.get("b")) == (None, None, 10)
    assert own.add("b", 3)


@pytest.mark.parametrize("kind", REDIS_CLASSES)
def test_many_entries_are_written_with_their_timeout(
    opened: Callable[..., Any], redis_socket: Path, kind: type[Any]
) -> None:
    """Entries that are written together expire, are kept or are removed as those that are written one by one."""
    prefix = unique()
    cache = opened(kind, prefix)
    cache.set_many({"short": 1}, timeout=60)
    cache.set_many({"kept": 1}, timeout=None)
    cache.set_many({"kept-not": 1}, timeout=60)
    cache.set_many({"kept-not": 2}, timeout=0)
    with Redis(unix_socket_path=str(redis_socket), username="operator", password="operator") as client:
        left = {key.decode().rsplit(":", 1)[1]: client.ttl(key) for key in client.scan_iter(match=f"{prefix}:@*")}
    assert set(left) == {"short", "kept"} and left["kept"] == -1 and 0 < left["short"] <= 60


def test_django_redis_does_all_that_is_documented_under_the_rules(opened: Callable[..., Any]) -> None:
    """Times to live and counters of django-redis work; what would hold or show other sites' keys is refused."""
    cache = opened(SiteDjangoRedisCache, "aviary.aurora", user="aurora")
    cache.set("a", 1, timeout=60)
    assert 0 < cache.ttl("a") <= 60 and 0 < cache.pttl("a") <= 60_000
    assert cache.expire("a", 30) and cache.pexpire("a", 30_000)
    assert cache.expire_at("a", int(time.time()) + 30) and cache.pexpire_at("a", int(time.time() * 1000) + 30_000)
    assert cache.persist("a") and cache.ttl("a") is None
    assert cache.set("a", 2, nx=True) is False and cache.incr("new", ignore_key_check=True) == 1
    cache.set("large", 2**70)
    assert cache.incr("large") == 2**70 + 1
    refused: list[Callable[[], object]] = [
        *(lambda: cache.keys("*"), lambda: list(cache.iter_keys("*")), lambda: cache.delete_pattern("*")),
        *(lambda: cache.sadd("s", 1), lambda: cache.hset("h", "a", 1), lambda: cache.zadd("z", {"a": 1})),
    ]
    for call in refused:
        with pytest.raises(NoPermissionError):
            call()
    lock = cache.lock("l", timeout=1)
    assert lock.acquire()
    with pytest.raises(NoPermissionError):
        lock.release()


@pytest.mark.parametrize("kind", [*REDIS_CLASSES, SitePyMemcacheCache])
def test_session_survives_a_change_of_the_sites_key(opened: Callable[..., Any], settings: Any, kind: type[Any]) -> None:
    """Processes before and after the change of SECRET_KEY read, change and end one session, under one name."""
    cache, entry = opened(kind, unique()), "django.contrib.sessions.cachekey"
    before, after = (lambda: change("a", ["b"])), (lambda: change("b", ["a"]))

    def change(key: str, fallbacks: list[str]) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key * 50, [each * 50 for each in fallbacks]

    before()
    cache.set(entry, 1)
    after()
    assert (cache.get(entry), entry in cache, cache.get("django.contrib.sessions.cacheother", "none")) == (
        1,
        True,
        "none",
    )
    cache.set(entry, 2)
    before()
    assert cache.get(entry) == 2
    cache.set(entry, 3)
    after()
    assert cache.get(entry) == 3
    assert cache.delete(entry)
    before()
    assert cache.get(entry) is None and entry not in cache
    cache.set(entry, 4)
    change("b", [])
    assert cache.get(entry) is None


@pytest.mark.parametrize("kind", REDIS_CLASSES)
def test_cache_on_another_database_number_works_under_the_rules(
    opened: Callable[..., Any], redis_socket: Path, kind: type[Any]
) -> None:
    """The record's number of a database may be any."""
    location = f"unix://aurora:{PASSWORDS['aurora']}@{redis_socket}?db=3"
    cache = kind(location, {"KEY_PREFIX": "aviary.aurora"})
    cache.set("a", 1)
    assert cache.get("a") == 1
    close(cache)


@pytest.mark.parametrize("kind", [*REDIS_CLASSES, SitePyMemcacheCache])
def test_cache_of_another_sites_prefix_is_refused(
    opened: Callable[..., Any], become: Become, monkeypatch: pytest.MonkeyPatch, kind: type[Any]
) -> None:
    """A process whose record has another site's server and prefix is told so, and reads nothing."""
    prefix = unique()
    opened(kind, prefix).set("a", 1)
    monkeypatch.setattr(generations, "_known", {})
    become(id="borealis", uid=UUID("00000000-0000-5000-8000-000000000001"))
    foreign = opened(kind, prefix)
    for use in (lambda: foreign.get("a"), lambda: foreign.set("a", 2), foreign.clear):
        with pytest.raises(IdentityError, match=prefix):
            use()
    monkeypatch.setattr(generations, "_known", {})
    become()
    assert opened(kind, prefix).get("a") == 1


def test_keys_that_django_redis_lists_are_those_that_were_given(opened: Callable[..., Any]) -> None:
    """Lists, patterns and locks of django-redis work, and see the site's own keys alone."""
    prefix = unique()
    own, other = opened(SiteDjangoRedisCache, prefix), opened(SiteDjangoRedisCache, f"{prefix}-b")
    for cache in (own, other):
        cache.set_many({"page:1": 1, "page:2": 2, "menu": 3})
    assert sorted(own.keys("page:*")) == ["page:1", "page:2"]
    assert own.delete_pattern("page:*") == 2
    own.set("django.contrib.sessions.cachekey", 1)
    assert "django.contrib.sessions.cachekey" in own
    assert own.delete_many(own.keys("django.contrib.sessions.cache*")) == 1
    own.set("django.contrib.sessions.cachekey", 1)
    assert own.delete_pattern("django.contrib.sessions.cache*") == 1
    assert (own.get("menu"), other.get("page:1")) == (3, 1)
    with own.lock("a", timeout=5):
        assert own.get("menu") == 3


def test_django_redis_that_ignores_errors_ignores_a_server_that_is_down(tmp_path: Path) -> None:
    """IGNORE_EXCEPTIONS covers the question for the mark too."""
    params = {"KEY_PREFIX": unique(), "OPTIONS": {"IGNORE_EXCEPTIONS": True}}
    cache = SiteDjangoRedisCache(f"unix://{tmp_path}/none.sock?db=0", params)
    assert cache.get("a", "default") == "default"
    assert cache.set("a", 1) is None
    assert cache.clear() is None


@pytest.mark.parametrize("stock", ["django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache"])
def test_alias_of_the_project_reads_no_neighbours_entries(
    become: Become, redis_socket: Path, opened: Callable[..., Any], stock: str
) -> None:
    """
    The project names the server with a login that reads every site; the alias works under the site's prefix, and the
    server refuses it everything else.
    """
    shared = f"unix://operator:operator@{redis_socket}?db=0"
    site = a_site(cache=redis(host=str(redis_socket), username="aurora", password=Secret(PASSWORDS["aurora"])))
    project = {"CACHES": {"renditions": {"BACKEND": stock, "LOCATION": shared, "TIMEOUT": 60}}}
    [setting] = cache_settings(site, Path("/srv/data"), project)
    neighbour = opened(SiteRedisCache, "aviary.borealis.renditions", "operator")
    become(uid=UUID(int=2))
    neighbour.set("page", "the neighbour's")
    there = neighbour.make_key("page")
    assert raw_client(neighbour).get(there)
    become()
    with override_settings(CACHES=reveal_secrets(setting.value)):
        renditions = caches["renditions"]
        try:
            renditions.set("page", "own")
            assert renditions.get("page") == "own"
            assert renditions.make_key("page").startswith("aviary.aurora.renditions:")
            server = raw_client(renditions)
            with pytest.raises(NoPermissionError):
                server.get(there)
            with pytest.raises(NoPermissionError):
                server.keys("*")
            renditions.clear()
        finally:
            close(renditions)
    assert neighbour.get("page") == "the neighbour's"


def raw_client(cache: Any) -> Any:
    """Return redis-py's client with the cache's own address and login."""
    return cache._cache.get_client(None) if isinstance(cache, SiteRedisCache) else cache.primary()

"""Caches of sites that share a real Redis or a real memcached."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.cache.backends.base import BaseCache
from redis import Redis
from redis.exceptions import NoPermissionError

from tests.servers.accounts import OTHERS
from tests.servers.processes import running, wait_for
from tests.servers.redis import PASSWORDS, shared_redis
from wagtail_multihost.backends import generations
from wagtail_multihost.backends.cache import BATCH, SiteRedisCache
from wagtail_multihost.backends.django_redis import SiteDjangoRedisCache
from wagtail_multihost.backends.memcached import SitePyMemcacheCache
from wagtail_multihost.exceptions import IdentityError

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
            wait_for(address.exists, "memcached")
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
        cache = kind(location, {"KEY_PREFIX": prefix, **params})
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
def test_clear_works_for_a_user_who_sees_no_other_keys(
    opened: Callable[..., Any], redis_socket: Path, kind: type[Any]
) -> None:
    """With the rules of the documentation's example a site may not SCAN, uses its cache in full, and clears it."""
    own = opened(kind, "aviary.aurora", user="aurora")
    pages = opened(kind, "aviary.aurora.pages", user="aurora")
    for cache in (own, pages):
        cache.set("a", 1)
        cache.set_many({"b": 1, "c": 2})
        assert cache.add("a", 2) is False
        assert (cache.incr("b"), cache.get_many(["a", "b", "c"])) == (2, {"a": 1, "b": 2, "c": 2})
        assert cache.touch("a") and cache.delete("c") and "c" not in cache
    own.clear()
    assert (own.get("a"), own.get("b"), pages.get("a")) == (None, None, 1)
    assert own.add("a", 3)
    with Redis(unix_socket_path=str(redis_socket), username="aurora", password=PASSWORDS["aurora"]) as client:
        with pytest.raises(NoPermissionError):
            client.scan()
        with pytest.raises(NoPermissionError):
            client.get("aviary.borealis:owner")


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

"""Findings 4 and 5 with a real Redis and a real memcached."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import CacheHandler
from django.core.cache.backends.base import BaseCache

from tests.findings.conftest import REGISTRY, SettingsOf
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.servers

REDIS = "django.core.cache.backends.redis.RedisCache"
MEMCACHED = "django.core.cache.backends.memcached.PyMemcacheCache"
SITES = ("aurora", "borealis")


@contextlib.contextmanager
def opened(*options: dict[str, Any]) -> Iterator[list[BaseCache]]:
    """Yield a cache for each table of options, as a process of its own would have it."""
    caches = [CacheHandler({"default": each})["default"] for each in options]
    try:
        yield caches
    finally:
        for cache in caches:
            close(cache)


def close(cache: BaseCache) -> None:
    """Close a cache's sockets, which Django's Redis client keeps in a pool."""
    cache.close()
    client = getattr(cache, "_cache", None)
    for pool in getattr(client, "_pools", {}).values():
        pool.disconnect()


def stock(redis: RedisServer, *prefixes: str) -> list[dict[str, Any]]:
    location = f"redis://:{redis.password}@127.0.0.1:{redis.port}/0"
    return [{"BACKEND": REDIS, "LOCATION": location, "KEY_PREFIX": prefix} for prefix in prefixes]


@pytest.fixture
def on_redis(redis: RedisServer, settings_of: SettingsOf) -> list[dict[str, Any]]:
    """The default cache of two sites on one Redis."""
    server = f'backend = "redis", host = "127.0.0.1", port = {redis.port}, password = "{redis.password}"'
    registry = REGISTRY.replace("[sites.aurora]", f"cache = {{ {server} }}\n[sites.aurora]")
    return [settings_of(site, registry=registry)["CACHES"]["default"] for site in SITES]


def test_prefix_on_one_redis_keeps_sites_apart(redis: RedisServer, on_redis: list[dict[str, Any]]) -> None:
    """On Redis too the prefix "a:1" is no namespace beside "a"; a site's is."""
    with opened(*stock(redis, "a:1", "a")) as (one, other):
        one.set("foo", "of one")
        assert other.get("foo", version="1:1") == "of one"
    with opened(*on_redis) as (one, other):
        one.set("foo", "of one")
        assert other.get("foo") is None


def test_clear_on_one_redis_keeps_the_neighbours(redis: RedisServer, on_redis: list[dict[str, Any]]) -> None:
    """Django's clear empties the whole database of the server; a site's takes its own keys."""
    with opened(*stock(redis, "a", "b")) as (one, other):
        other.set("kept", "kept")
        one.clear()
        assert other.get("kept") is None
    with opened(*on_redis) as (one, other):
        one.set("gone", "gone")
        other.set("kept", "kept")
        one.clear()
        assert (one.get("gone"), other.get("kept")) == (None, "kept")


def test_clear_of_another_alias_on_one_redis_keeps_the_neighbours(redis: RedisServer, settings_of: SettingsOf) -> None:
    """A project's further alias of Django's own class is scoped like the default."""
    project = {"CACHES": {"renditions": stock(redis, "")[0]}}
    with opened(*(settings_of(site, project=project)["CACHES"]["renditions"] for site in SITES)) as (one, other):
        one.set("gone", "gone")
        other.set("kept", "kept")
        one.clear()
        assert (one.get("gone"), other.get("kept")) == (None, "kept")


def test_clear_on_one_memcached_keeps_the_neighbours(memcached: str, settings_of: SettingsOf) -> None:
    """Django's clear on memcached is ``flush_all``, whatever the prefix; a site's makes its own keys unreachable."""
    options = [{"BACKEND": MEMCACHED, "LOCATION": memcached, "KEY_PREFIX": prefix} for prefix in ("a", "b")]
    with opened(*options) as (one, other):
        other.set("kept", "kept")
        assert other.get("kept") == "kept"
        one.clear()
        assert other.get("kept") is None
    project = {"CACHES": {"sessions": {"BACKEND": MEMCACHED, "LOCATION": memcached}}}
    with opened(*(settings_of(site, project=project)["CACHES"]["sessions"] for site in SITES)) as (one, other):
        one.set("gone", "gone")
        other.set("kept", "kept")
        one.clear()
        assert (one.get("gone"), other.get("kept")) == (None, "kept")

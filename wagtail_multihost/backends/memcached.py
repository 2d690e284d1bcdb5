"""Caches of a site on a memcached that other sites use too. It cannot list keys, and ``flush_all`` empties it for all
sites."""

from __future__ import annotations

from typing import Any, cast

from django.core.cache.backends.memcached import BaseMemcachedCache, PyLibMCCache, PyMemcacheCache

from wagtail_multihost.backends.generations import GenerationCache

NO_EXPIRY = 0  # seconds; https://github.com/memcached/memcached/wiki/Commands


class SiteMemcachedCache(GenerationCache, BaseMemcachedCache):
    """Mixin for Django's memcached backends: whose the prefix is, and ``clear`` by a new generation."""

    _cache: Any

    def read_owner(self) -> bytes | None:
        return cast("bytes | None", self._cache.get(self.owner_key))

    def add_owner(self, value: bytes) -> None:
        self._cache.add(self.owner_key, value, NO_EXPIRY)

    def write_owner(self, value: bytes) -> None:
        self._cache.set(self.owner_key, value, NO_EXPIRY)


class SitePyMemcacheCache(SiteMemcachedCache, PyMemcacheCache):
    """Django's PyMemcacheCache, for one of several sites."""


class SitePyLibMCCache(SiteMemcachedCache, PyLibMCCache):
    """Django's PyLibMCCache, for one of several sites."""

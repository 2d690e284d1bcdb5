"""
The cache of a site on a Redis server that other sites use too.

It sends no transactions and no scripts, which block the server for all sites (spec.redis_rules).
"""

from __future__ import annotations

import contextlib
from typing import Any, cast

from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from wagtail_multihost.backends.generations import GenerationCache
from wagtail_multihost.backends.redis_tls import tls_connection_class

BATCH = 1000  # keys


class PlainCacheClient(RedisCacheClient):
    """
    Django's client, which writes many entries in a transaction; here each is written with its timeout. Connections with
    TLS are our own.
    """

    _serializer: Any

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, **{**tls_connection_class(servers), **options})

    def set_many(self, data: Any, timeout: Any) -> None:
        pipeline = self.get_client(None, write=True).pipeline(transaction=False)
        for key, value in data.items():
            if timeout == 0:
                pipeline.delete(key)
            else:
                pipeline.set(key, self._serializer.dumps(value), ex=timeout)
        pipeline.execute()


class SiteRedisCache(GenerationCache, RedisCache):
    """Django's RedisCache, with a mark that says whose it is, and a ``clear`` that leaves other sites' keys alone."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = PlainCacheClient

    def read_owner(self) -> bytes | None:
        return cast("bytes | None", self.primary().get(self.owner_key))

    def add_owner(self, value: bytes) -> None:
        self.primary().set(self.owner_key, value, nx=True)

    def write_owner(self, value: bytes) -> None:
        self.primary().set(self.owner_key, value)

    def primary(self) -> Any:
        return self._cache.get_client(None, write=True)

    def remove_entries(self) -> None:
        remove_keys(self.primary(), self.site_prefix)


def remove_keys(client: Any, prefix: str) -> None:
    """
    Remove the entries of all generations below ``prefix``; nothing where the user may not SCAN, which shows
    the names of every site's keys, and among them the keys of sessions.
    """
    from redis.exceptions import NoPermissionError  # loads with the first client, as Django's backend has it

    with contextlib.suppress(NoPermissionError):
        keys = []
        # A prefix has no character that is special in a pattern (spec.names).
        for key in client.scan_iter(match=f"{prefix}:@*", count=BATCH):
            keys.append(key)
            if len(keys) == BATCH:
                client.unlink(*keys)
                keys.clear()
        if keys:
            client.unlink(*keys)

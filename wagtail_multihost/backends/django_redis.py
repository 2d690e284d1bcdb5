"""django-redis's cache, for a site on a Redis server that other sites use too. Needs django-redis."""

from __future__ import annotations

import re
from typing import Any, cast

from django_redis.cache import RedisCache, omit_exception
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import ConnectionError, TimeoutError

from wagtail_multihost.backends.cache import remove_keys
from wagtail_multihost.backends.generations import GenerationCache, KnownGeneration
from wagtail_multihost.backends.redis_tls import tls_connection_class
from wagtail_multihost.backends.session_names import HashedName, session_prefix

LOST = (ConnectionError, TimeoutError, OSError)


class PlainClient:
    """A client as django-redis's counters and ``set_many`` use it, which ask it for a script and a transaction."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def pipeline(self) -> Any:
        return self.client.pipeline(transaction=False)

    def eval(self, script: str, count: int, key: str, delta: int) -> int | None:
        """Do what the script of ``DefaultClient._incr`` does, in two steps, as Django's own backend does it."""
        if "EXISTS" in script and not self.client.exists(key):
            return None
        return cast("int", self.client.incrby(key, delta))


class SiteDjangoRedisCache(GenerationCache, RedisCache):  # type: ignore[misc]  # django-redis has no types
    """django-redis's RedisCache, with a mark that says whose it is, and a ``clear`` that spares other sites' keys."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        options = dict(params.get("OPTIONS") or {})
        servers = re.split("[;,](?=[a-z]+://)", server) if isinstance(server, str) else list(server)
        if own := tls_connection_class(servers):
            options["CONNECTION_POOL_KWARGS"] = {**own, **(options.get("CONNECTION_POOL_KWARGS") or {})}
        made = {"REVERSE_KEY_FUNCTION": f"{__name__}.reverse_key", **params, "OPTIONS": options}
        super().__init__(server, made)

    def read_owner(self) -> bytes | None:
        return cast("bytes | None", self.primary().get(self.owner_key))

    def add_owner(self, value: bytes) -> None:
        self.primary().set(self.owner_key, value, nx=True)

    def write_owner(self, value: bytes) -> None:
        self.primary().set(self.owner_key, value)

    def primary(self) -> Any:
        if hasattr(self.client, "get_server"):  # a client that spreads keys over several servers
            return self.client.get_server(self.owner_key)
        return self.client.get_client(write=True)

    def current_generation(self, known: KnownGeneration | None) -> str:
        try:
            return super().current_generation(known)
        except LOST as error:
            # What IGNORE_EXCEPTIONS is for.
            raise ConnectionInterrupted(connection=None) from error

    @omit_exception  # type: ignore[untyped-decorator]
    def clear(self) -> None:
        super().clear()

    def set_many(self, data: Any, *arguments: Any, **options: Any) -> Any:
        return super().set_many(data, *arguments, **self.plain(options))

    def incr(self, key: Any, *arguments: Any, **options: Any) -> Any:
        return super().incr(key, *arguments, **self.plain(options))

    def decr(self, key: Any, *arguments: Any, **options: Any) -> Any:
        return super().decr(key, *arguments, **self.plain(options))

    def plain(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options of a call with a client that runs neither scripts nor transactions."""
        if hasattr(self.client, "get_server") or options.get("client") is not None:
            return options
        return {**options, "client": PlainClient(self.client.get_client(write=True))}

    def remove_entries(self) -> None:
        if not hasattr(self.client, "get_server"):
            remove_keys(self.primary(), self.site_prefix)


def reverse_key(key: str) -> str:
    """
    Return the key that a site's code gave, from the one on the server: prefix, generation, version, key. A session's
    key cannot be recovered; the name of its entry is returned, in a type that reaches the entry.
    """
    name = key.split(":", 3)[3]
    return HashedName(name) if session_prefix(name) else name

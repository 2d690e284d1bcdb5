"""django-redis's cache, for a site on a Redis server that other sites use too. Needs django-redis."""

from __future__ import annotations

from typing import Any, cast

from django_redis.cache import RedisCache, omit_exception
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import ConnectionError, TimeoutError

from wagtail_multihost.backends.cache import remove_keys
from wagtail_multihost.backends.generations import GenerationCache, Known

LOST = (ConnectionError, TimeoutError, OSError)


class SiteDjangoRedisCache(GenerationCache, RedisCache):  # type: ignore[misc]  # django-redis has no types
    """django-redis's RedisCache, with a mark that says whose it is, and a ``clear`` that spares other sites' keys."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, {"REVERSE_KEY_FUNCTION": f"{__name__}.reverse_key", **params})

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

    def current_generation(self, known: Known | None) -> str:
        try:
            return super().current_generation(known)
        except LOST as error:
            # What IGNORE_EXCEPTIONS is for.
            raise ConnectionInterrupted(connection=None) from error

    @omit_exception  # type: ignore[untyped-decorator]
    def clear(self) -> None:
        super().clear()

    def remove_entries(self) -> None:
        if not hasattr(self.client, "get_server"):
            remove_keys(self.primary(), self.site_prefix)


def reverse_key(key: str) -> str:
    """Return the key that a site's code gave, from the one on the server: prefix, generation, version, key."""
    return key.split(":", 3)[3]

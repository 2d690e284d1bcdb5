"""Whether a cache keeps what is written to it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import DatabaseCache
from django.db import router

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.health.once_logger import log_failure
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed
from wagtail_multihost.health.probes.connection import thread_connection
from wagtail_multihost.health.probes.deadline import hang_up_after

PREFIX = "multihost-probe-"
KEPT_SECONDS = 10
# A replica, from which Django reads if LOCATION has several servers, may be a moment behind.
READINGS = 5
PAUSE = 0.02


@dataclass(frozen=True, kw_only=True)
class CacheProbe(Probe):
    """
    Writes a value under a random key, reads it back and removes it. A dummy cache keeps nothing, and fails.

    The probe uses a cache object of its own and closes its connections, so those of requests are not affected.
    """

    component: ClassVar[str] = "datastore"
    codes: ClassVar[Mapping[str, str]] = {
        "value_lost": "A value was written, but cannot be read back.",
        "unreachable": "The cache does not answer, or refuses access.",
        "foreign_cache": "The cache has the mark of another site.",
    }

    alias: str = field(default="default", metadata={"meaning": "The alias in `CACHES`."})

    def measure(self) -> Iterator[Outcome]:
        cache = caches.create_connection(self.alias)
        try:
            with limit_time(self.timeout, cache):
                is_kept = keeps_value(cache)
            yield passed() if is_kept else failed("value_lost")
        except IdentityError:
            log_failure("The cache %s has the mark of another site.", self.alias, traceback=True)
            yield failed("foreign_cache")
        except Exception:  # clients raise errors of many classes
            log_failure("The cache %s does not answer.", self.alias, traceback=True)
            yield failed("unreachable")
        finally:
            disconnect_cache(cache)


def limit_time(seconds: float, cache: BaseCache) -> AbstractContextManager[None]:
    """Close the cache's connection after ``seconds``: a server that has vanished never answers."""
    if isinstance(cache, DatabaseCache):
        return thread_connection(router.db_for_write(cache.cache_model_class), seconds)
    return hang_up_after(seconds, lambda: busy_socket(cache))


def busy_socket(cache: BaseCache) -> Any:
    """Return the socket that Django's RedisCache is using; None if there is none."""
    for pool in pools_of(cache):
        for connection in tuple(getattr(pool, "_in_use_connections", ())):
            return getattr(connection, "_sock", None)
    return None


def pools_of(cache: BaseCache) -> Iterable[Any]:
    return tuple(getattr(getattr(cache, "_cache", None), "_pools", {}).values())


def keeps_value(cache: BaseCache) -> bool:
    """Return whether a value that is written can be read back; it is removed, or else expires soon."""
    key, value = f"{PREFIX}{secrets.token_hex(16)}", secrets.token_hex(8)
    cache.set(key, value, KEPT_SECONDS)
    try:
        return reads_back(cache, key, value)
    finally:
        cache.delete(key)


def reads_back(cache: BaseCache, key: str, value: str) -> bool:
    for _ in range(READINGS):
        if cache.get(key) == value:
            return True
        time.sleep(PAUSE)
    return False


def disconnect_cache(cache: BaseCache) -> None:
    """Close the connections of a cache object that nothing else uses."""
    cache.close()
    # Django's RedisCache.close() does nothing: its pools belong to the object, and live as long as it does.
    # https://github.com/django/django/blob/stable/5.2.x/django/core/cache/backends/redis.py
    for pool in pools_of(cache):
        pool.disconnect()

"""Whether a cache keeps what it is given."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed

PREFIX = "multihost-probe-"
KEPT_SECONDS = 10
# Where reads go to a replica, as Django's do when LOCATION has several servers, it may be a moment behind.
READINGS = 5
PAUSE = 0.02

logger = logging.getLogger("wagtail_multihost.health")


@dataclass(frozen=True, kw_only=True)
class CacheProbe(Probe):
    """
    Writes a value under a key of its own, reads it back and removes it. A dummy cache keeps none, and fails.

    It has a cache object of its own, whose connections it closes: those of requests are left alone.
    """

    component: ClassVar[str] = "datastore"
    codes: ClassVar[Mapping[str, str]] = {
        "value_lost": "What was written is not read back.",
        "unreachable": "The cache does not answer, or refuses.",
        "foreign_cache": "What is there has the mark of another site.",
    }

    alias: str = field(default="default", metadata={"meaning": "The alias in `CACHES`."})

    def measure(self) -> Iterator[Outcome]:
        cache = caches.create_connection(self.alias)
        try:
            yield passed() if keeps(cache) else failed("value_lost")
        except IdentityError:
            logger.exception("The cache %s has the mark of another site.", self.alias)
            yield failed("foreign_cache")
        except Exception:  # clients raise errors of many classes
            logger.exception("The cache %s does not answer.", self.alias)
            yield failed("unreachable")
        finally:
            disconnect(cache)


def keeps(cache: BaseCache) -> bool:
    """Return whether what is written is read back; it is removed, and expires soon where it cannot be."""
    key, value = f"{PREFIX}{secrets.token_hex(16)}", secrets.token_hex(8)
    cache.set(key, value, KEPT_SECONDS)
    try:
        return reads(cache, key, value)
    finally:
        cache.delete(key)


def reads(cache: BaseCache, key: str, value: str) -> bool:
    for _ in range(READINGS):
        if cache.get(key) == value:
            return True
        time.sleep(PAUSE)
    return False


def disconnect(cache: BaseCache) -> None:
    """Close the connections of a cache that nobody else has."""
    cache.close()
    # Django's RedisCache.close() does nothing: its pools live as long as the object, and are the object's own.
    # https://github.com/django/django/blob/stable/5.2.x/django/core/cache/backends/redis.py
    for pool in getattr(getattr(cache, "_cache", None), "_pools", {}).values():
        pool.disconnect()

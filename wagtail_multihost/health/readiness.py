"""Whether this process can serve its site: its database and its cache answer."""

from __future__ import annotations

import logging
import secrets

from django.core.cache import caches
from django.db import connections

CACHE_SECONDS = 10

logger = logging.getLogger("wagtail_multihost.health")


def is_ready() -> bool:
    """Return whether the default database and the default cache answer; a failure is logged, never raised."""
    try:
        return database_answers() and cache_answers()
    except Exception:  # drivers raise errors of many classes, and a probe must get an answer
        logger.exception("The site is not ready.")
        return False


def database_answers() -> bool:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def cache_answers() -> bool:
    """Return whether a value written under a key of its own is read back; a dummy cache has none and passes not."""
    key, value = f"multihost-ready-{secrets.token_hex(8)}", secrets.token_hex(8)
    cache = caches["default"]
    cache.set(key, value, CACHE_SECONDS)
    try:
        return bool(cache.get(key) == value)
    finally:
        cache.delete(key)

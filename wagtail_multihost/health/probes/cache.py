"""Whether a cache keeps what it is given."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from django.core.cache import caches

from wagtail_multihost.health.probe import Outcome, Probe, failed, passed

KEPT_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class CacheProbe(Probe):
    """Writes a value under a key of its own, reads it back and removes it. A dummy cache keeps none, and fails."""

    component: ClassVar[str] = "datastore"
    codes: ClassVar[Mapping[str, str]] = {"value_lost": "What was written is not read back."}

    alias: str = field(default="default", metadata={"meaning": "The alias in `CACHES`."})

    def measure(self) -> Iterator[Outcome]:
        key, value = f"multihost-probe-{secrets.token_hex(8)}", secrets.token_hex(8)
        cache = caches[self.alias]
        try:
            cache.set(key, value, KEPT_SECONDS)
            kept = cache.get(key) == value
            cache.delete(key)
        finally:
            cache.close()
        yield passed() if kept else failed("value_lost")

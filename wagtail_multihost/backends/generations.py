"""
Caches on shared servers: the mark of a prefix's site, and a ``clear`` that leaves other sites' entries alone.

Beside its entries each cache alias of a site has one key, ``<prefix>:owner``, with the site's mark and a random
generation. Entries have the generation in their prefix, so that a new one empties the cache, whatever the server lets
the site list or delete. Each process reads the key at most once a second.
"""

from __future__ import annotations

import secrets
import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from wagtail_multihost.backends.markers import check_mark, encode_mark, own_mark
from wagtail_multihost.backends.session_names import older_names
from wagtail_multihost.running import register_reset

OWNER = "owner"
FRESH = 1.0  # seconds
GENERATION = "generation"


class KnownGeneration(NamedTuple):
    """The generation of a prefix, and until when it need not be read again (seconds of the monotonic clock)."""

    generation: str
    until: float


# Of this process: Django makes a cache object per thread. The key is server and prefix.
_known: dict[tuple[str, str], KnownGeneration] = {}
register_reset(_known.clear)


class GenerationCache(BaseCache):
    """
    Mixin for a cache on a shared server. ``site_prefix`` is the alias's KEY_PREFIX; ``key_prefix`` has the current
    generation in it too. Raises IdentityError where the prefix is another site's.
    """

    site_prefix: str
    _missing_key: object

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)  # type: ignore[call-arg]  # the backend's, after this in the MRO
        self.place = (str(server), self.site_prefix)

    # Set by Django, from KEY_PREFIX.
    @property
    def key_prefix(self) -> str:
        return f"{self.site_prefix}:@{self.generation()}"

    @key_prefix.setter
    def key_prefix(self, prefix: str) -> None:
        self.site_prefix = prefix

    @property
    def owner_key(self) -> str:
        """The key of the mark, as the server has it. No entry has it: theirs contain a generation."""
        return f"{self.site_prefix}:{OWNER}"

    @abstractmethod
    def read_owner(self) -> bytes | None:
        """Return what the server has under the owner key."""

    @abstractmethod
    def add_owner(self, value: bytes) -> None:
        """Write the owner key, without expiry, unless there is one."""

    @abstractmethod
    def write_owner(self, value: bytes) -> None:
        """Write the owner key, without expiry."""

    def generation(self) -> str:
        known = _known.get(self.place)
        if known is None or time.monotonic() >= known.until:
            known = KnownGeneration(self.current_generation(known), time.monotonic() + FRESH)
            _known[self.place] = known
        return known.generation

    def current_generation(self, known: KnownGeneration | None) -> str:
        """Return the generation that the server has; one of this process alone where the server keeps none."""
        new = new_generation()
        own = own_mark()
        found = None
        if own is not None:
            found = self.read_owner()
            if found is None:
                # Also when the server has dropped the key: what it has of an older generation must not come back.
                self.add_owner(encode_mark({**own, GENERATION: new}))
                found = self.read_owner()
        if own is None or found is None:
            return known.generation if known else new
        return str(check_mark(found, own, f"the cache prefix {self.site_prefix}").get(GENERATION, ""))

    def get(self, key: Any, default: Any = None, *arguments: Any, **options: Any) -> Any:
        """Return an entry; a session's also under the name that an earlier SECRET_KEY gave it."""
        for name in (key, *older_names(key)):
            found = super().get(name, self._missing_key, *arguments, **options)
            if found is not self._missing_key:
                return found
        return default

    def has_key(self, key: Any, *arguments: Any, **options: Any) -> bool:
        names = (key, *older_names(key))
        return any(super(GenerationCache, self).has_key(name, *arguments, **options) for name in names)

    def set(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None, *arguments: Any, **options: Any
    ) -> Any:
        """Write an entry. A session's has one name at a time, even while SECRET_KEY is changed."""
        done = super().set(key, value, timeout, version, *arguments, **options)
        if done is not False:  # a write that a condition (nx, xx) of django-redis prevented replaces nothing
            place = {"client": client} if (client := client_argument(arguments, options)) is not None else {}
            for name in older_names(key):
                super().delete(name, version=version, **place)
        return done

    def delete(self, key: Any, *arguments: Any, **options: Any) -> bool:
        done = super().delete(key, *arguments, **options)
        for name in older_names(key):
            done = super().delete(name, *arguments, **options) or done
        return done

    def clear(self) -> None:
        """
        Remove every entry of this cache, and no other site's. Other processes follow within a second, and the
        server forgets the entries when they expire, if they cannot be removed at once.
        """
        own = own_mark()
        self.current_generation(None)
        generation = new_generation()
        if own is not None:
            self.write_owner(encode_mark({**own, GENERATION: generation}))
        _known[self.place] = KnownGeneration(generation, time.monotonic() + FRESH)
        self.remove_entries()

    def remove_entries(self) -> None:
        """Remove the entries of all generations, where the server can list them."""


def client_argument(arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """Return the client that a call of django-redis names, after the version or by its name; None for the usual one."""
    return arguments[0] if arguments else options.get("client")


def new_generation() -> str:
    return secrets.token_hex(4)

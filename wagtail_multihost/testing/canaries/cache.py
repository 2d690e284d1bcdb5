"""Entries in every cache."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.core.cache import caches

from wagtail_multihost.testing.canaries.base import Canary, Crossing

#: The same for every site, as Wagtail's keys are.
CONSTANT_KEY = "multihost-canary"


class CacheCanary(Canary):
    """An entry with a random key and one with a constant key, in every alias of CACHES."""

    name = "cache"
    setting = 'CACHES["default"]'

    def plant(self, token: str) -> list[str]:
        for alias in caches:
            for key in keys_of(token):
                caches[alias].set(key, token)
        # A dummy cache keeps nothing.
        return [alias for alias in caches if has_entry(alias, token_key(token), token)]

    def crossed(self, token: str, planted: list[str]) -> Iterator[Crossing]:
        for alias in caches:
            for key in keys_of(token):
                if has_entry(alias, key, token):
                    yield Crossing(cache_setting(alias), f"The entry {key} is there.")

    def disturb(self, token: str, planted: list[str]) -> None:
        for alias in caches:
            # A cache that cannot clear only one site's keys may refuse.
            with contextlib.suppress(Exception):
                caches[alias].clear()

    def lost(self, token: str, planted: list[str]) -> Iterator[Crossing]:
        for alias in planted:
            if not has_entry(alias, token_key(token), token):
                yield Crossing(cache_setting(alias), "The other site's clear() has emptied it.")

    def remove(self, token: str, planted: list[str]) -> None:
        for alias in planted:
            caches[alias].delete_many(keys_of(token))


def token_key(token: str) -> str:
    return f"{CONSTANT_KEY}-{token}"


def keys_of(token: str) -> tuple[str, str]:
    return (token_key(token), CONSTANT_KEY)


def cache_setting(alias: str) -> str:
    return f'CACHES["{alias}"]'


def has_entry(alias: str, key: str, token: str) -> bool:
    return bool(caches[alias].get(key) == token)

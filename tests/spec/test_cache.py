"""What cache a site has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.spec.samples import CACHE_PASSWORD, problem_keys, redis
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec import CacheSpec, Secret


@pytest.mark.parametrize(
    "changes",
    [{}, {"tls": True}, {"host": "/run/redis.sock"}, {"username": "aurora"}, {"number": 15}, {"password": None}],
)
def test_redis_cache_is_accepted(changes: dict[str, Any]) -> None:
    """A Redis cache has a host or a unix socket, and credentials where the server asks for them."""
    cache = redis(**changes)
    assert all(getattr(cache, key) == value for key, value in changes.items())
    assert CACHE_PASSWORD not in repr(cache)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"backend": "memcached"}, "backend"),
        ({"host": ""}, "host"),
        ({"host": "redis.example/0"}, "host"),
        ({"host": "a\nb"}, "host"),
        ({"port": 0}, "port"),
        ({"number": -1}, "number"),
        ({"username": "a\nb"}, "username"),
        ({"host": "/run/redis.sock", "tls": True}, "tls"),
    ],
    ids=ascii,
)
def test_redis_cache_with_one_mistake_names_its_key(changes: dict[str, Any], key: str) -> None:
    """Each mistake in a Redis cache is one problem with the key that has it."""
    with pytest.raises(ConfigurationError) as refused:
        redis(**changes)
    assert problem_keys(refused.value) == [key]
    assert CACHE_PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("host", "cache.internal"), ("username", "a"), ("password", Secret("x")), ("tls", True), ("number", 1)],
)
def test_locmem_cache_takes_no_other_key(key: str, value: object) -> None:
    """A cache in the process has no address; a key that says one is reported."""
    changes: dict[str, Any] = {key: value}
    with pytest.raises(ConfigurationError) as refused:
        CacheSpec(backend="locmem", **changes)
    assert problem_keys(refused.value) == [key]

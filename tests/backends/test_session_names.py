"""The names of cache entries: those of sessions have a keyed hash, all others are Django's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from django.contrib.sessions.backends import cache as cache_engine
from django.contrib.sessions.backends import cached_db
from django.core.cache import caches
from django.core.cache.backends.base import default_key_func
from django.test import override_settings

from wagtail_multihost.backends.session_names import ENGINES, LENGTH, HashedName, entry_name, hashed_name
from wagtail_multihost.resolver.caches import KEY_FUNCTION

KEY = "abcdefghijklmnopqrstuvwxyz012345"
OWN_PREFIX = "street.sessions."
BACKENDS = {
    "locmem": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "files": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache"},
    "database": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache_table"},
}


class OwnStore(cached_db.SessionStore):
    """The session store of a project that derives from Django's, as its documentation says."""

    cache_key_prefix = OWN_PREFIX


@pytest.fixture
def own_engine(settings: Any) -> Iterator[None]:
    name = "street_sessions"
    module: Any = ModuleType(name)
    module.SessionStore = OwnStore
    sys.modules[name] = module
    settings.SESSION_ENGINE = name
    yield
    del sys.modules[name]


def test_prefixes_are_those_of_djangos_engines() -> None:
    """The engines put before their keys what the package looks for."""
    assert ENGINES == (cache_engine.KEY_PREFIX, cached_db.KEY_PREFIX)


@pytest.mark.parametrize("prefix", ENGINES)
def test_name_of_a_session_has_a_hash_in_place_of_its_key(prefix: str) -> None:
    """The session's key is gone, the engine's prefix stays, and the name is as long as it was."""
    name = entry_name(prefix + KEY, "aviary.aurora", 1)
    assert name.startswith(f"aviary.aurora:1:{prefix}")
    assert KEY not in name
    assert len(name) == len(default_key_func(prefix + KEY, "aviary.aurora", 1))


def test_hash_depends_on_the_sites_key_the_session_and_the_engine(settings: Any) -> None:
    """Another SECRET_KEY, session or engine has another name; the same have the same."""
    settings.SECRET_KEY = "a" * 50
    first, again = (entry_name(ENGINES[0] + KEY, "a", 1) for _ in range(2))
    assert first == again
    digests = {first[-LENGTH:]}
    digests.add(entry_name(ENGINES[0] + KEY[::-1], "a", 1)[-LENGTH:])
    digests.add(entry_name(ENGINES[1] + KEY, "a", 1)[-LENGTH:])
    settings.SECRET_KEY = "b" * 50
    digests.add(entry_name(ENGINES[0] + KEY, "a", 1)[-LENGTH:])
    assert len(digests) == 4


def test_hash_put_in_the_place_of_the_key_is_hashed_again() -> None:
    """What is read in a name leads to another name, so it is no key of a session."""
    name = entry_name(ENGINES[0] + KEY, "a", 1).removeprefix("a:1:")
    assert entry_name(name, "a", 1) != f"a:1:{name}"
    assert entry_name(HashedName(name), "a", 1) == f"a:1:{name}"


@pytest.mark.parametrize(
    "key",
    [
        *("menu", "", 7, None, "page:1", "django.contrib.sessions", "django.contrib.sessions*", "*", "x*[a]?"),
        *(f"my.{ENGINES[0]}", "template.cache.abc", "django.contrib.sessions.cache*", f"{ENGINES[1]}?b*"),
    ],
)
def test_other_names_and_patterns_are_djangos(key: object) -> None:
    """Keys of projects stay readable, and patterns stay patterns, those for all sessions too."""
    for version in (1, 2, "[*]"):
        assert entry_name(key, "aviary.aurora", version) == default_key_func(key, "aviary.aurora", version)


def test_engine_of_a_project_follows(own_engine: None) -> None:
    """An engine with a prefix of its own has hashed names too, and Django's go on having them."""
    for prefix in (OWN_PREFIX, *ENGINES):
        assert entry_name(prefix + KEY, "a", 1) == f"a:1:{hashed_name(prefix, KEY)}"


@pytest.mark.parametrize("engine", ["street.no_such_engine", "django.contrib.sessions.backends.signed_cookies"])
def test_engine_without_a_prefix_changes_nothing(settings: Any, engine: str) -> None:
    """An engine that cannot be loaded, or keeps nothing in a cache, leaves other names alone."""
    settings.SESSION_ENGINE = engine
    assert entry_name("menu", "a", 1) == "a:1:menu"
    assert KEY not in entry_name(ENGINES[0] + KEY, "a", 1)


@pytest.mark.django_db
@pytest.mark.parametrize("engine", ["cache", "cached_db"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_sessions_work_on_every_backend(tmp_path: Any, backend: str, engine: str) -> None:
    """A session is saved, found, changed and ended, whatever backend the alias of sessions has."""
    if backend == "database":
        from django.core.management import call_command

        call_command("createcachetable", "cache_table", verbosity=0)
    alias = {"LOCATION": str(tmp_path), **BACKENDS[backend], "KEY_PREFIX": "a.b", "KEY_FUNCTION": KEY_FUNCTION}
    store = import_module(f"django.contrib.sessions.backends.{engine}").SessionStore
    with override_settings(CACHES={"default": alias, "visitors": alias}, SESSION_CACHE_ALIAS="visitors"):
        session = store()
        session["a"] = 1
        session.save()
        found = store(session.session_key)
        assert found["a"] == 1 and found.exists(found.session_key)
        found["a"] = 2
        found.save()
        assert store(session.session_key)["a"] == 2
        assert caches["visitors"].get(f"django.contrib.sessions.{engine}{session.session_key}") is not None
        found.flush()
        assert "a" not in store(session.session_key) and not store().exists(session.session_key)
        caches["visitors"].clear()

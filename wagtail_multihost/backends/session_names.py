"""
Names of cache entries that do not reveal the keys of sessions.

The key of a session is what its cookie holds: whoever reads it, in a shared server's list of keys, its monitor or its
slow log, has the session. Entries of session engines therefore have a keyed hash instead. All other names are as Django
makes them.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from django.apps import apps
from django.conf import settings
from django.utils.crypto import salted_hmac

# django.contrib.sessions.backends.cache.KEY_PREFIX and cached_db's, which are not loaded for those who use neither.
ENGINES = ("django.contrib.sessions.cache", "django.contrib.sessions.cached_db")
# What makes a name a pattern to django-redis. No key of a session has one.
WILDCARDS = frozenset("*?[")
SALT = "wagtail_multihost.backends.session_names"
# Half of the digest, as RFC 2104 allows, so that names are no longer than with the session's key itself.
LENGTH = 32


class HashedName(str):
    """The name of a session's entry as the server has it. It has its own type, so that no string from outside can be
    one."""

    __slots__ = ()


def entry_name(key: object, key_prefix: str, version: object) -> str:
    """Return the name of an entry: Django's ``KEY_FUNCTION`` of every cache of a site."""
    prefix, session_key = split_session_key(key)
    name = hashed_name(prefix, session_key) if prefix else key
    return f"{key_prefix}:{version}:{name}"


def older_names(key: object) -> list[HashedName]:
    """Return the names that a session's entry has with the site's earlier keys; none for other entries."""
    prefix, session_key = split_session_key(key)
    return [hashed_name(prefix, session_key, secret) for secret in settings.SECRET_KEY_FALLBACKS] if prefix else []


def split_session_key(key: object) -> tuple[str, str]:
    """Return the prefix of a session engine and a session's key; a blank prefix where ``key`` is anything else."""
    name = str(key)
    prefix = session_prefix(name)
    session_key = name[len(prefix) :]
    if isinstance(key, HashedName) or WILDCARDS.intersection(session_key):
        return "", name
    return prefix, session_key


def session_prefix(name: str) -> str:
    """Return what the session engine puts before its keys, where ``name`` begins with it; blank where not."""
    prefixes = session_prefixes(settings.SESSION_ENGINE)
    if not name.startswith(prefixes):
        return ""
    return max((prefix for prefix in prefixes if name.startswith(prefix)), key=len)


def hashed_name(prefix: str, session_key: str, secret: str | bytes | None = None) -> HashedName:
    """Return the name that a session's entry has with ``secret``, which is SECRET_KEY unless given."""
    digest = salted_hmac(SALT, prefix + session_key, secret=secret, algorithm="sha256").hexdigest()
    return HashedName(prefix + digest[:LENGTH])


def session_prefixes(engine: str) -> tuple[str, ...]:
    if not apps.ready:
        return ENGINES
    try:
        return (*ENGINES, *engine_prefix(engine))
    except Exception:  # an engine that cannot be loaded has no sessions, and the cache must still work
        return ENGINES


@lru_cache(maxsize=8)
def engine_prefix(engine: str) -> tuple[str, ...]:
    """Return the ``cache_key_prefix`` of an engine that derives from Django's, if it has its own."""
    prefix = getattr(import_module(engine).SessionStore, "cache_key_prefix", "")
    return (str(prefix),) if prefix and prefix not in ENGINES else ()

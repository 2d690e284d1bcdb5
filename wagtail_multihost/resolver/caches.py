"""CACHES: every alias of the project gets a key prefix of the site."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.cache_options import (
    TIMEOUT,
    django_redis_options,
    local_options,
    redis_options,
    without_credentials,
)
from wagtail_multihost.resolver.setting import Project, Setting, aliases_of
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

CACHE_DEFAULT = "default"
LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
REDIS = "wagtail_multihost.backends.cache.SiteRedisCache"
FILES = "FileBasedCache"
DJANGO_REDIS = "wagtail_multihost.backends.django_redis.SiteDjangoRedisCache"
OWN_REDIS = (REDIS, DJANGO_REDIS)
# Backends whose clear() empties the whole server, and ours, which behave the same otherwise.
REPLACED = {
    "django.core.cache.backends.redis.RedisCache": REDIS,
    "django.core.cache.backends.memcached.PyMemcacheCache": "wagtail_multihost.backends.memcached.SitePyMemcacheCache",
    "django.core.cache.backends.memcached.PyLibMCCache": "wagtail_multihost.backends.memcached.SitePyLibMCCache",
    "django_redis.cache.RedisCache": DJANGO_REDIS,
}
#: Backends whose methods, including clear(), reach only the site's own entries.
SCOPED_BACKENDS = frozenset(
    {
        *REPLACED.values(),
        LOCMEM,
        "django.core.cache.backends.db.DatabaseCache",
        "django.core.cache.backends.dummy.DummyCache",
        "django.core.cache.backends.filebased.FileBasedCache",
    }
)
# What each client calls its timeouts, in seconds
# (https://pymemcache.readthedocs.io/en/latest/apidoc/pymemcache.client.base.html). libmemcached has its own, of 5 s.
TIMEOUTS = {
    REDIS: {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT},
    DJANGO_REDIS: {"SOCKET_CONNECT_TIMEOUT": TIMEOUT, "SOCKET_TIMEOUT": TIMEOUT},
    REPLACED["django.core.cache.backends.memcached.PyMemcacheCache"]: {"connect_timeout": TIMEOUT, "timeout": TIMEOUT},
}
# The names of the option that takes a password beside the address.
PASSWORD_OPTIONS = {REDIS: "password", DJANGO_REDIS: "PASSWORD"}
CREDENTIALS_IN_URL = r"(://[^/?#:]*):([^?#]*)@"
UNSAFE_IN_PREFIX = r"[^A-Za-z0-9_-]"
# The parts of an alias that say where its entries are; the rest (TIMEOUT, OPTIONS …) is kept.
ADDRESS = ("BACKEND", "LOCATION", "KEY_PREFIX", "OPTIONS")
#: Replaces the keys of sessions with a keyed hash, and leaves all other names as Django makes them.
KEY_FUNCTION = "wagtail_multihost.backends.session_names.entry_name"


def cache_settings(site: SiteSpec, data: Path, project: Project) -> Iterator[Setting]:
    """
    Yield CACHES of the site. ``default`` becomes the site's cache, and so does every alias of the project on Redis if
    the site has Redis: its address there may be that of all sites, with a login that reads them all. Other aliases stay
    where they are, under prefixes and folders of the site. Raises ConfigurationError for a KEY_FUNCTION.
    """
    aliases = aliases_of(project, "CACHES")
    for alias, options in aliases.items():
        if options.pop("KEY_FUNCTION", None) not in (None, KEY_FUNCTION):
            raise ConfigurationError.because(
                f"CACHES[{shown(alias)}] has a KEY_FUNCTION, which may leave out the site's prefix. Remove it.",
                where="CACHES",
                site=site.id,
            )
    stated = aliases.pop(CACHE_DEFAULT, {})
    default = {key: value for key, value in stated.items() if key not in ADDRESS}
    value = {CACHE_DEFAULT: {**default, **cache_backend(site, stated), "KEY_PREFIX": site.names.key_prefix}}
    value[CACHE_DEFAULT]["KEY_FUNCTION"] = KEY_FUNCTION
    for alias, options in aliases.items():
        value[alias] = scope_cache(alias, options, site, data)
    yield Setting("CACHES", value, "every alias with the site's key prefix", site.sources.get("cache", ""))


def cache_backend(site: SiteSpec, stated: Mapping[str, object], alias: str = CACHE_DEFAULT) -> dict[str, object]:
    """Return where the site's cache is, and how to connect, as far as the project's ``alias`` has ``stated`` it."""
    cache, named = site.cache, stated.get("BACKEND")
    project = REPLACED.get(str(named), named)
    own = stated.get("OPTIONS")
    own = own if isinstance(own, Mapping) else {}
    if cache.backend == "locmem":
        options = local_options(own) if project == LOCMEM else {}
        return {"BACKEND": LOCMEM, **({"OPTIONS": options} if options else {})}
    if named in OWN_REDIS:  # applied before, and so with the site's own credentials
        own = without_credentials(own)
    if project == DJANGO_REDIS:
        # Its pools are kept by address, so the user is part of that.
        options = django_redis_options(cache, own, site.id, alias)
        return {"BACKEND": DJANGO_REDIS, "LOCATION": redis_url(cache, user=cache.username), "OPTIONS": options}
    # The password stays out of LOCATION, which Django's error pages do not mask.
    options = redis_options(cache, own if project == REDIS else {}, site.id, alias)
    return {"BACKEND": REDIS, "LOCATION": redis_url(cache), "OPTIONS": options}


def redis_url(cache: CacheSpec, user: str = "") -> str:
    """Return the URL of a Redis server, as redis-py reads it."""
    account = f"{quote(user, safe='')}@" if user else ""
    if cache.host.startswith("/"):
        return f"unix://{account}{quote(cache.host)}?db={cache.number}"
    host = f"[{quote(cache.host, safe=':')}]" if ":" in cache.host else cache.host
    return f"{'rediss' if cache.tls else 'redis'}://{account}{host}:{cache.port}/{cache.number}"


def scope_cache(alias: str, options: dict[str, object], site: SiteSpec, data: Path) -> dict[str, object]:
    safe_alias, stated = re.sub(UNSAFE_IN_PREFIX, "-", alias), dict(options)
    options["BACKEND"] = REPLACED.get(str(options.get("BACKEND")), options.get("BACKEND"))
    prefix = f"{site.names.key_prefix}.{safe_alias}"
    scope: dict[str, object] = {"KEY_PREFIX": prefix, "KEY_FUNCTION": KEY_FUNCTION}
    if site.cache.backend == "redis" and options["BACKEND"] in OWN_REDIS:
        kept = {key: value for key, value in stated.items() if key not in ADDRESS}
        return {**kept, **cache_backend(site, stated, alias), **scope}
    if str(options["BACKEND"]).endswith(FILES):
        scope["LOCATION"] = str(file_cache_folder(safe_alias, site, data))
    return {**with_timeouts(move_password_to_options(options)), **scope}


def with_timeouts(options: dict[str, object]) -> dict[str, object]:
    """Return an alias in which nobody waits for ever, unless the project says how long."""
    defaults = TIMEOUTS.get(str(options["BACKEND"]))
    stated = options.get("OPTIONS")
    if defaults is None:
        return options
    return {**options, "OPTIONS": {**defaults, **(stated if isinstance(stated, Mapping) else {})}}


def file_cache_folder(alias: str, site: SiteSpec, data: Path) -> Path:
    """Return the folder of a file cache, which Django makes for its owner alone."""
    folder = data / "sites" / site.id / "cache" / alias
    if site.storage.path is not None and folder.is_relative_to(site.storage.path):
        raise ConfigurationError.because(
            f"The folder of uploads, {shown(str(site.storage.path))}, contains the site's file cache, and the front "
            "server would serve it. Choose another folder for uploads.",
            where=site.sources.get("storage") or "storage",
            site=site.id,
        )
    return folder


def move_password_to_options(options: dict[str, object]) -> dict[str, object]:
    """Move the password of an alias from LOCATION, which error pages show, to OPTIONS, which they mask."""
    option = PASSWORD_OPTIONS.get(str(options["BACKEND"]))
    location = options.get("LOCATION")
    servers = re.split("[;,](?=[a-z]+://)", location) if isinstance(location, str) else location
    if option is None or not isinstance(servers, list | tuple):
        return options
    found = [match[2] for server in servers if (match := re.search(CREDENTIALS_IN_URL, str(server)))]
    # Servers with passwords of their own need them in their addresses.
    if len(found) < len(servers) or len(set(found)) != 1 or not found[0]:
        return options
    # The user name stays: django-redis has a pool of connections per address.
    bare = [
        re.sub(CREDENTIALS_IN_URL, lambda match: f"{match[1]}@" if match[1] != "://" else match[1], str(each))
        for each in servers
    ]
    stated = options.get("OPTIONS")
    own = {option: Secret(unquote(found[0])), **(stated if isinstance(stated, Mapping) else {})}
    return {**options, "LOCATION": ",".join(bare) if isinstance(location, str) else bare, "OPTIONS": own}

"""CACHES: every alias of the project gets keys of the site's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.setting import Project, Setting, table_of
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

CACHE_DEFAULT = "default"
LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
REDIS = "wagtail_multihost.backends.cache.SiteRedisCache"
FILES = "FileBasedCache"
UNSAFE_IN_PREFIX = re.compile(r"[^A-Za-z0-9_-]")
# The parts of an alias that say where its entries are; the rest (TIMEOUT, OPTIONS …) is kept.
ADDRESS = ("BACKEND", "LOCATION", "KEY_PREFIX", "OPTIONS")


def cache_settings(site: SiteSpec, data: Path, project: Project) -> Iterator[Setting]:
    """
    Yield CACHES of the site. ``default`` becomes the site's cache; the project's other aliases stay where
    they are, under prefixes and folders of the site. Raises ConfigurationError for a KEY_FUNCTION.
    """
    aliases = table_of(project, "CACHES")
    for alias, options in aliases.items():
        if options.pop("KEY_FUNCTION", None) is not None:
            raise ConfigurationError.because(
                f"CACHES[{shown(alias)}] has a KEY_FUNCTION, which may leave out the site's prefix. Remove it.",
                where="CACHES",
                site=site.id,
            )
    default = {key: value for key, value in aliases.pop(CACHE_DEFAULT, {}).items() if key not in ADDRESS}
    value = {CACHE_DEFAULT: {**default, **backend(site.cache), "KEY_PREFIX": site.names.key_prefix}}
    for alias, options in aliases.items():
        value[alias] = scoped(alias, options, site, data)
    yield Setting("CACHES", value, "every alias with the site's key prefix", site.sources.get("cache", ""))


def backend(cache: CacheSpec) -> dict[str, object]:
    if cache.backend == "locmem":
        return {"BACKEND": LOCMEM}
    host = f"[{cache.host}]" if ":" in cache.host else cache.host
    if host.startswith("/"):
        location = f"unix://{host}?db={cache.number}"
    else:
        location = f"{'rediss' if cache.tls else 'redis'}://{host}:{cache.port}/{cache.number}"
    # The password stays out of LOCATION, which Django's error pages do not mask.
    credentials = {"username": cache.username, "password": cache.password}
    options = {key: value for key, value in credentials.items() if value}
    return {"BACKEND": REDIS, "LOCATION": location, **({"OPTIONS": options} if options else {})}


def scoped(alias: str, options: dict[str, object], site: SiteSpec, data: Path) -> dict[str, object]:
    safe_alias = UNSAFE_IN_PREFIX.sub("-", alias)
    scope: dict[str, object] = {"KEY_PREFIX": f"{site.names.key_prefix}.{safe_alias}"}
    if str(options.get("BACKEND")).endswith(FILES):
        scope["LOCATION"] = str(data / "sites" / site.id / "cache" / safe_alias)
    return {**options, **scope}

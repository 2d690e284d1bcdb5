"""Caches that were set without the resolver, or after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string

from wagtail_multihost.backends.session_names import ENGINES, session_prefixes
from wagtail_multihost.checks import TAG
from wagtail_multihost.resolver.caches import KEY_FUNCTION
from wagtail_multihost.running import current, own_site
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

OWN = "wagtail_multihost."
CACHE_ENGINES = ("django.contrib.sessions.backends.cache", "django.contrib.sessions.backends.cached_db")
# They keep nothing outside this process or the site's own database.
CONTAINED = (
    "django.core.cache.backends.db.DatabaseCache",
    "django.core.cache.backends.dummy.DummyCache",
    "django.core.cache.backends.locmem.LocMemCache",
)

FILES = "django.core.cache.backends.filebased.FileBasedCache"


@register(TAG)
def check_caches(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E008, W003, W025: an alias without the prefix, one whose clear() empties the server, one that shows session
    keys."""
    site = own_site()
    if site is None:
        return []
    return [message for alias, options in settings.CACHES.items() for message in cache_messages(alias, options, site)]


def cache_messages(alias: str, options: Mapping[str, object], site: SiteSpec) -> Iterator[CheckMessage]:
    backend = str(options.get("BACKEND"))
    if backend in CONTAINED:
        return
    if shows_sessions(alias, options):
        yield Warning(
            f"CACHES[{shown(alias)}] has sessions, and the names of its entries reveal the visitors' session keys.",
            hint=f'Set its KEY_FUNCTION to "{KEY_FUNCTION}", or set CACHES before resolve().apply(globals()).',
            id="wagtail_multihost.W025",
        )
    fault = prefix_fault(options, site.names.key_prefix)
    if fault:
        yield Error(
            f"CACHES[{shown(alias)}] {fault}, so sites could read each other's entries.",
            hint="Set CACHES before resolve().apply(globals()), which gives every alias the site's prefix.",
            id="wagtail_multihost.E008",
        )
    elif not is_contained(backend) and not is_in_folder(backend, options, site):
        yield Warning(
            f"CACHES[{shown(alias)}] has the backend {shown(backend)}, whose clear() may remove the entries of all "
            "sites on its server.",
            hint="Never call clear() on it, or give each site its own server or database number. Backends of "
            "this package remove only the site's entries.",
            id="wagtail_multihost.W003",
        )


def shows_sessions(alias: str, options: Mapping[str, object]) -> bool:
    """Return whether the names of an alias's entries hold the keys of sessions, as Django makes them."""
    engine = settings.SESSION_ENGINE
    keeps_sessions = engine in CACHE_ENGINES or session_prefixes(engine) != ENGINES
    return alias == settings.SESSION_CACHE_ALIAS and keeps_sessions and not options.get("KEY_FUNCTION")


def prefix_fault(options: Mapping[str, object], prefix: str) -> str:
    """Return what is wrong with the prefix of an alias; blank when it is the site's."""
    if options.get("KEY_FUNCTION") not in (None, KEY_FUNCTION):
        return "has a KEY_FUNCTION, which may leave out the site's prefix"
    own = str(options.get("KEY_PREFIX"))
    return "" if own == prefix or own.startswith(f"{prefix}.") else "does not have the site's KEY_PREFIX"


def is_in_folder(backend: str, options: Mapping[str, object], site: SiteSpec) -> bool:
    """Return whether a cache keeps its entries in files, in the site's own folder."""
    running = current()
    platform = running.platform if running else None
    folder = platform.local_path(site.id, "") if platform else None
    return backend == FILES and folder is not None and Path(str(options.get("LOCATION"))).is_relative_to(folder)


def is_contained(backend: str) -> bool:
    """Return whether a backend is, or derives from, one of ours or of CONTAINED."""
    try:
        found = import_string(backend)
        return isinstance(found, type) and (
            issubclass(found, tuple(import_string(name) for name in CONTAINED))
            or any(base.__module__.startswith(OWN) for base in found.__mro__)
        )
    except ImportError:  # Django's own error is better
        return True

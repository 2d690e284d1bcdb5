"""The project that this process belongs to, as its Django settings describe it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import DEFAULT_CACHE_ALIAS

from wagtail_multihost.conf import conf
from wagtail_multihost.health.options import read_prefix
from wagtail_multihost.production.transport import Transport
from wagtail_multihost.resolver.setting import aliases_of
from wagtail_multihost.resolver.storages import RENDITIONS, STORAGE_DEFAULT, media_url
from wagtail_multihost.running import current
from wagtail_multihost.spec.codebase import SIGNED_SECONDS, Codebase, protected_folders

EXPIRE = "querystring_expire"
#: Of a cache that states no TIMEOUT (https://docs.djangoproject.com/en/stable/ref/settings/#timeout), and of one
#: whose entries do not expire.
CACHE_SECONDS = 300
ENDLESS = 315_360_000


def static_files() -> list[tuple[str, Path]]:
    """Return the folder of static files, where no site's files may be, in the form that ``Registry.load`` takes."""
    return protected_folders(Path(settings.STATIC_ROOT).absolute() if settings.STATIC_ROOT else None)


def project_settings() -> Mapping[str, object]:
    """Return the project's settings as they were before ``apply``."""
    running = current()
    return running.project if running else {}


def own_codebase() -> Codebase:
    """Return the project as its Django settings describe it."""
    module, _, name = str(settings.WSGI_APPLICATION or default_wsgi()).rpartition(".")
    static_url = str(settings.STATIC_URL)
    return Codebase(
        directory=package_parent(str(settings.SETTINGS_MODULE)),
        virtualenv=Path(sys.prefix),
        wsgi=f"{module}:{name}",
        settings_module=str(settings.SETTINGS_MODULE),
        static_root=Path(settings.STATIC_ROOT).absolute() if settings.STATIC_ROOT else None,
        static_url=static_url if static_url.startswith("/") else None,
        media_url=url if (url := media_url(project_settings())).startswith("/") else None,
        health_prefix=read_prefix(conf.MULTIHOST_HEALTH),
        signed_seconds=project_signed_seconds(),
        page_seconds=project_page_seconds(),
    )


def project_signed_seconds() -> int:
    """Return how long the addresses of files in pages are valid, as the project states it."""
    storages = aliases_of(project_settings(), "STORAGES")
    pages = (STORAGE_DEFAULT, str(getattr(settings, RENDITIONS, None) or STORAGE_DEFAULT))
    common = int(getattr(settings, "AWS_QUERYSTRING_EXPIRE", SIGNED_SECONDS))
    return max(1, min(stated_seconds(storages.get(alias, {}).get("OPTIONS"), common) for alias in pages))


def stated_seconds(options: object, otherwise: int) -> int:
    seconds = options.get(EXPIRE) if isinstance(options, Mapping) else None
    return seconds if isinstance(seconds, int) else otherwise


def project_page_seconds() -> int:
    """
    Return how long middleware keeps whole pages: Django's, or that of wagtail-cache, which goes by its cache's timeout
    (https://docs.coderedcorp.com/wagtail-cache/getting_started/install.html).
    """
    found = [0]
    for name in settings.MIDDLEWARE:
        if not name.endswith(".UpdateCacheMiddleware"):
            continue
        if name.startswith("wagtailcache."):
            alias = getattr(settings, "WAGTAIL_CACHE_BACKEND", DEFAULT_CACHE_ALIAS)
            seconds: Any = aliases_of(project_settings(), "CACHES").get(alias, {}).get("TIMEOUT", CACHE_SECONDS)
        else:
            seconds = settings.CACHE_MIDDLEWARE_SECONDS
        found.append(ENDLESS if seconds is None else int(seconds))
    return max(found)


def own_transport() -> Transport:
    """Return what the settings of this process say about HTTP and HTTPS."""
    return Transport(
        redirects=bool(settings.SECURE_SSL_REDIRECT),
        hsts=int(settings.SECURE_HSTS_SECONDS or 0),
        has_header=bool(settings.SECURE_PROXY_SSL_HEADER),
    )


def default_wsgi() -> str:
    return f"{str(settings.SETTINGS_MODULE).partition('.')[0]}.wsgi.application"


def package_parent(module: str) -> Path:
    """Return the folder that must be on the import path for ``module``."""
    spec = importlib.util.find_spec(module.partition(".")[0])
    places = list(spec.submodule_search_locations or []) if spec else []
    origin = places[0] if places else (spec.origin if spec and spec.origin else "settings.py")
    return Path(origin).absolute().parent

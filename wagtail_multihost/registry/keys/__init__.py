"""
Every key that a registry accepts, declared once: the reference and ``multihost_explain --variables`` are made of it.

A site's process never imports this module. Tests hold it equal to what the readers take and to the specs' defaults.
"""

from __future__ import annotations

from wagtail_multihost.registry.keys.key import Key
from wagtail_multihost.registry.keys.parts import (
    CACHE_KEYS,
    DATABASE_KEYS,
    FRONTEND_KEYS,
    MAIL_KEYS,
    STORAGE_KEYS,
    TLS_KEYS,
)
from wagtail_multihost.registry.keys.platform import PLATFORM_KEYS, option_keys
from wagtail_multihost.registry.keys.site import NAMES_KEYS, SITE_KEYS, settings_keys, site_option_keys
from wagtail_multihost.registry.targets import SITE_TABLES, TARGETS

KEYS: tuple[Key, ...] = (
    *PLATFORM_KEYS,
    *(key for target in TARGETS for key in option_keys(target)),
    *SITE_KEYS,
    *NAMES_KEYS,
    *DATABASE_KEYS,
    *CACHE_KEYS,
    *STORAGE_KEYS,
    *MAIL_KEYS,
    *FRONTEND_KEYS,
    *TLS_KEYS,
    *(key for table in SITE_TABLES for key in site_option_keys(table)),
    *settings_keys(),
)
TABLES: tuple[str, ...] = tuple(dict.fromkeys(key.table for key in KEYS))

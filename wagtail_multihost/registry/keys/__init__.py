"""
Every key that a registry accepts, with what is declared of it: the reference, ``multihost_explain --variables``, its
JSON Schema, and forms that change a registry are made of it.

A site's process never imports this package.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from wagtail_multihost.registry.fields import URL_PARSERS
from wagtail_multihost.registry.keys.key import NONE, PLATFORM, REQUIRED, SETTINGS, SITE, Key, key_of
from wagtail_multihost.registry.keys.settings import settings_keys
from wagtail_multihost.registry.platform_record import NAMES
from wagtail_multihost.registry.reading import spec_class
from wagtail_multihost.registry.targets import SITE_TABLES, TARGETS
from wagtail_multihost.spec.declared import Part, declarations, parts
from wagtail_multihost.spec.kinds import TABLES as OPEN_TABLES
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

__all__ = ["NONE", "PLATFORM", "REQUIRED", "SETTINGS", "SITE", "Key", "declared", "tables"]


@cache
def declared() -> tuple[Key, ...]:
    """Return every key: the platform's, its options of each target, a site's, and those of a site's tables."""
    keys = (*platform_keys(), *site_keys(), *part_keys(), *option_keys(), *settings_keys())
    return tuple(key._replace(who="node") if has_key_of_node(key, keys) else key for key in keys)


def tables() -> tuple[str, ...]:
    """Return the names of all tables, in the order of the reference."""
    return tuple(dict.fromkeys(key.table for key in declared()))


def keys_in(table: Key, keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """Return those of ``keys`` that are in the table that a key is; none where it is a value, or its names are free."""
    if not table.type.endswith("table"):
        return ()
    name = f"{PLATFORM}.{table.name}" if table.table == PLATFORM else table.name
    own = tuple(key for key in keys if key.table == name)
    if own or table.table != PLATFORM:
        return own
    return tuple(key for key in keys if key.table == table.name and key.is_shared)


def has_key_of_node(table: Key, keys: tuple[Key, ...]) -> bool:
    """Return whether who writes a table as a whole, or as a URL, writes a key of the node."""
    return any(key.who == "node" for key in keys_in(table, keys))


def platform_keys() -> Iterator[Key]:
    for one, found in declarations(PlatformSpec):
        yield from key_of(PLATFORM, one, found)
    for name, part in parts(SiteSpec):
        if name != NAMES:
            yield table_key(PLATFORM, name, part, part.default, "The default of all sites.")
    yield Key(PLATFORM, SETTINGS, "table", NONE, "The default of all sites.", who="platform")
    for target, options in TARGETS.items():
        front = is_for_fronts(target)
        for one, found in declarations(options):
            yield from key_of(f"{PLATFORM}.{target}", one, found._replace(front=front))


def site_keys() -> Iterator[Key]:
    for one, found in declarations(SiteSpec):
        yield from key_of(SITE, one, found)
    for name, part in parts(SiteSpec):
        default = part.default if name == NAMES else "the platform's"
        yield table_key(SITE, name, part, default, part.meaning)


def part_keys() -> Iterator[Key]:
    for name, part in parts(SiteSpec):
        for one, found in declarations(spec_class(part.spec)):
            yield from key_of(name, one, found, is_shared=name != NAMES)


def option_keys() -> Iterator[Key]:
    """Yield the options of servers that a site may have of its own."""
    tables = {one.name: found for one, found in declarations(SiteSpec) if found.kind in OPEN_TABLES}
    for table, options in SITE_TABLES.items():
        for one, found in declarations(options):
            if found.per_site:
                who = "node" if "node" in (found.who, tables[table].who) else found.who
                own = found._replace(words="the platform's", front=tables[table].front, who=who)
                yield from key_of(table, one, own)


def is_for_fronts(target: str) -> bool:
    return any(one.name == target and found.front for one, found in declarations(PlatformSpec))


def table_key(table: str, name: str, part: Part, default: str, meaning: str) -> Key:
    kind = "URL or table" if name in URL_PARSERS else "table"
    return Key(table, name, kind, default, meaning, front=part.front)

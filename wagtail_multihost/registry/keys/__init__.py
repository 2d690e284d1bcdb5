"""
Every key that a registry accepts, with its declaration: the reference, ``multihost_explain --variables``, its
JSON Schema, and forms that change a registry are made from it.

A site's process never imports this package.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from wagtail_multihost.registry.declarations import CODEBASES, ENV, PROJECT_SETTINGS
from wagtail_multihost.registry.fields import URL_PARSERS
from wagtail_multihost.registry.keys.key import NAME, NONE, PLATFORM, REQUIRED, SETTINGS, SITE, Key, field_keys
from wagtail_multihost.registry.keys.settings import settings_keys
from wagtail_multihost.registry.platform_record import NAMES
from wagtail_multihost.registry.reading import spec_class
from wagtail_multihost.registry.targets import options_by_target
from wagtail_multihost.spec.code import CodeOptions
from wagtail_multihost.spec.declared import Declared, Part, declarations, parts
from wagtail_multihost.spec.kinds import TARGETS
from wagtail_multihost.spec.options import Options, front_fields
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.project_settings import ProjectSetting
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.variables import Variable

__all__ = ["NAME", "NONE", "PLATFORM", "REQUIRED", "SETTINGS", "SITE", "Key", "declared", "tables"]


@cache
def declared() -> tuple[Key, ...]:
    """Return every key: the platform's, its options of each target, a site's, and those of a site's tables."""
    keys = (*platform_keys(), *site_keys(), *part_keys(), *option_keys(), *settings_keys(), *declaration_keys())
    return tuple(key._replace(who="node") if has_key_of_node(key, keys) else key for key in keys)


def table_names() -> tuple[str, ...]:
    """Return the names of all tables, in the order of the reference."""
    return tuple(dict.fromkeys(key.table for key in declared()))


def keys_in(table: Key, keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """Return those of ``keys`` that are in the table ``table``; none if it is a value, or its names are free."""
    if table.type.endswith("of declarations"):
        return tuple(key for key in keys if key.table == f"{table.path}.{NAME}")
    if not table.type.endswith("table"):
        return ()
    name = f"{PLATFORM}.{table.name}" if table.table == PLATFORM else table.name
    own = tuple(key for key in keys if key.table == name)
    if own or table.table != PLATFORM:
        return own
    return tuple(key for key in keys if key.table == table.name and key.is_shared)


def has_key_of_node(table: Key, keys: tuple[Key, ...]) -> bool:
    """Return whether writing a table as a whole, or as a URL, writes a key of the node."""
    return any(key.who == "node" for key in keys_in(table, keys))


def platform_keys() -> Iterator[Key]:
    yield from own_keys(PLATFORM, PlatformSpec)
    for name, part in parts(SiteSpec):
        if name != NAMES:
            yield table_key(PLATFORM, name, part, part.default, "The default of all sites.")
    yield Key(PLATFORM, SETTINGS, "table", NONE, "The default of all sites.", who="platform")
    for target, options in options_by_target().items():
        for one, found in declarations(options):
            yield from field_keys(f"{PLATFORM}.{target}", one, found._replace(front=options.front or found.front))


def site_keys() -> Iterator[Key]:
    yield from own_keys(SITE, SiteSpec)
    for name, part in parts(SiteSpec):
        default = part.default if name == NAMES else "the platform's"
        yield table_key(SITE, name, part, default, part.meaning)


def own_keys(table: str, spec: type) -> Iterator[Key]:
    """Yield the keys that a spec declares, among them the table of each target that has options."""
    for one, found in declarations(spec):
        for key in field_keys(table, one, found):
            if found.kind is not TARGETS:
                yield key
                continue
            for target, options in options_by_target().items():
                meaning = found.meaning.format(target=target)
                yield key._replace(name=target, meaning=meaning, front=bool(front_fields(options)))


def part_keys() -> Iterator[Key]:
    for name, part in parts(SiteSpec):
        for one, found in declarations(spec_class(part.spec)):
            yield from field_keys(name, one, found, is_shared=name != NAMES)


def option_keys() -> Iterator[Key]:
    """Yield the options that a site may have of its own."""
    outer = {one.name: found for one, found in declarations(SiteSpec)}
    tables: list[tuple[type[Options], Declared]] = [(CodeOptions, outer["code"])]
    tables += [(options, outer["options"]) for options in options_by_target().values()]
    for options, table in tables:
        for one, found in declarations(options):
            if found.per_site:
                who = "node" if "node" in (found.who, table.who) else found.who
                own = found._replace(default_text="the platform's", front=options.front or found.front, who=who)
                yield from field_keys(options.target, one, own)


def declaration_keys() -> Iterator[Key]:
    """Yield the keys of what the platform declares under names of its own choice, which ``NAME`` stands for."""
    for table, spec in ((PROJECT_SETTINGS, ProjectSetting), (ENV, Variable), (CODEBASES, CodeOptions)):
        outer = {one.name: found for one, found in declarations(PlatformSpec)}[table]
        for one, found in declarations(spec):
            who = "node" if "node" in (found.who, outer.who) else found.who
            # An option's default is that of the code, which nothing in a registry states.
            told = found._replace(who=who, default_text="the platform's" if spec is CodeOptions else found.default_text)
            yield from field_keys(f"{PLATFORM}.{table}.{NAME}", one, told)


def table_key(table: str, name: str, part: Part, default: str, meaning: str) -> Key:
    kind = "URL or table" if name in URL_PARSERS else "table"
    return Key(table, name, kind, default, meaning, front=part.front)

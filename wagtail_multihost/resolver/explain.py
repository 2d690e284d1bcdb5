"""Everything about a site, where it came from, and what it replaced in the project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath

from wagtail_multihost.registry.environment import PLATFORM_PREFIX, SITE_PREFIX
from wagtail_multihost.registry.keys import PLATFORM, SITE, declared
from wagtail_multihost.resolver.masking import JsonValue, certain_secrets, mask_known_secrets, mask_setting, mask_value
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.setting import Project
from wagtail_multihost.spec.secret import MASK, Secret

__all__ = ["JsonValue", "Row", "explain", "explain_project", "site_facts", "mask_value"]

Row = dict[str, JsonValue]
Located = Mapping[str, str]
NOWHERE: Located = {}
MISSING = object()
#: What settings do not show, or not in one place: who the site is, and where its data goes.
PLATFORM_FACTS = ("name", "environment", "data", "revision")
SITE_FACTS = ("id", "uid", "pinned", "epoch", "key_id")
PARTS = ("names", "database", "cache", "storage", "mail", "frontend", "tls")


def explain(resolved: ResolvedSettings, project: Project, located: Located = NOWHERE) -> list[Row]:
    """
    Return one table per setting: ``kind`` (``setting``), ``name``, ``value`` (secrets as ``***``), ``rule``,
    ``source`` (with the line, where ``located`` has it), ``overrides`` (whether the project had another value)
    and ``overrode`` (that value).
    """
    secrets = find_secrets(project)
    rows = []
    for setting in sorted(resolved.settings(project), key=lambda setting: setting.name):
        before = project.get(setting.name, MISSING)
        differs = before is not MISSING and not is_same_value(setting.value, before)
        is_secret = isinstance(setting.value, Secret)  # whatever its name is, the project's value is one too
        rows.append(
            make_row(
                "setting",
                setting.name,
                mask_known_secrets(mask_setting(setting.name, setting.value), secrets),
                setting.rule,
                located.get(setting.source, setting.source),
                overrides=differs,
                overrode=mask_before(setting.name, before, secrets, is_secret=is_secret) if differs else None,
            )
        )
    return rows


def mask_before(name: str, before: object, secrets: frozenset[str], *, is_secret: bool) -> JsonValue:
    """Return what may be shown of what the project had."""
    return MASK if is_secret and before else mask_known_secrets(mask_setting(name, before), secrets)


def make_row(
    kind: str,
    name: str,
    value: JsonValue,
    rule: str,
    source: str,
    *,
    overrides: bool = False,
    overrode: JsonValue = None,
) -> Row:
    return {
        "kind": kind,
        "name": name,
        "value": value,
        "rule": rule,
        "source": source,
        "overrides": overrides,
        "overrode": overrode,
    }


def is_same_value(value: object, other: object) -> bool:
    """Return whether two values are equal as settings. A secret is equal to nothing: it is not read."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return value.keys() == other.keys() and all(is_same_value(inner, other[key]) for key, inner in value.items())
    if isinstance(value, list | tuple) and isinstance(other, list | tuple):
        return len(value) == len(other) and all(map(is_same_value, value, other))
    if isinstance(value, Secret) or isinstance(other, Secret):
        return False
    if isinstance(value, PurePath) or isinstance(other, PurePath):
        return str(value) == str(other)
    return bool(value == other)


def explain_project(resolved: ResolvedSettings, project: Project, current: Project, defaults: Project) -> list[Row]:
    """
    Return a row of the kind ``project`` for each setting of ``current`` that the resolver leaves alone and that is
    not Django's default, masked.
    """
    ours = {setting.name for setting in resolved.settings(project)}
    secrets = find_secrets({**project, **current})
    rows = []
    for name in sorted(current):
        if name in ours or (name in defaults and is_same_value(current[name], defaults[name])):
            continue
        value = mask_known_secrets(mask_setting(name, current[name]), secrets)
        rows.append(make_row("project", name, value, "the project's", ""))
    return rows


def find_secrets(project: Project) -> frozenset[str]:
    return frozenset(text for name, value in project.items() for text in certain_secrets(name, value))


def site_facts(resolved: ResolvedSettings, located: Located = NOWHERE) -> list[Row]:
    """Return a row of the kind ``fact`` for each field of the site that says who it is and where its data goes."""
    platform, site = resolved.platform, resolved.site
    if platform is None or site is None:
        return []
    meanings = {(key.table, key.name): key.meaning for key in declared()}
    meanings |= {("env", name): "A variable of its processes." for name, _ in site.env}
    found = [
        ("platform", PLATFORM, key, getattr(platform, key), platform.sources.get(key, "")) for key in PLATFORM_FACTS
    ]
    found += [("site", SITE, key, getattr(site, key), site.sources.get(key, "")) for key in SITE_FACTS]
    # No variable is a secret, and what people put there by mistake is not shown to more than see the files.
    found += [
        ("env", "env", key, mask_setting(key, value), site.sources.get(f"env.{key}", "")) for key, value in site.env
    ]
    for part in PARTS:
        for key, value in stated_fields(getattr(site, part)):
            source = source_of_field(site.sources.get(part, ""), site.id, key, located)
            found.append((part, part, key, value, source))
    return [
        make_row("fact", f"{group}.{key}", jsonable(value), meanings.get((table, key), ""), located.get(source, source))
        for group, table, key, value, source in found
    ]


def stated_fields(part: object) -> Iterator[tuple[str, object]]:
    """Yield the fields of a part of a site that are not empty."""
    if not is_dataclass(part):
        return
    for field in fields(part):
        value = getattr(part, field.name)
        if value is not None and value not in ("", ()):
            yield field.name, dict(value) if field.name == "options" else value


def source_of_field(source: str, site: str, key: str, located: Located) -> str:
    """
    Return the source of one field of a part whose source is known: its own key where a file or the environment has
    it, the platform's where the site's table is laid over it, and ``default`` where neither states it.
    """
    stated = stated_key(source, key, located)
    is_a_table = any(label.startswith((f"{source}.", f"{source}__")) for label in located)
    if stated or not is_a_table:
        return stated or source
    if stated_key(source, "engine", located) or stated_key(source, "backend", located):
        return source  # a table of another kind than the platform's replaces it
    platform = source.replace(f"sites.{site}.", "platform.").replace(SITE_PREFIX, PLATFORM_PREFIX)
    return stated_key(platform, key, located) or "default"


def stated_key(source: str, key: str, located: Located) -> str:
    names = (key, f"{key}_file")
    labels = [f"{source}.{name}" for name in names] + [f"{source}__{name.upper()}" for name in names]
    return next((label for label in labels if label in located), "")


def jsonable(value: object) -> JsonValue:
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, dict):
        return {str(key): jsonable(inner) for key, inner in value.items()}
    return value if isinstance(value, int | str) else str(value)

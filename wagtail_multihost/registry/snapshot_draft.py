"""What a snapshot of a site holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wagtail_multihost.registry.base import Contents, Registry
from wagtail_multihost.registry.snapshot import FORMAT, SUFFIX, Snapshot
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret

#: Of no use to the site's process, and a change of them is none for it.
SERVER_FIELDS = frozenset({"templates", "snapshots", "nodes", "nginx", "uwsgi", "systemd", "user", "runner"})
PLATFORM_LEFT_OUT = frozenset({"secret_key", "secret_keys", "key_id", "revision", "sources"}) | SERVER_FIELDS
SITE_LEFT_OUT = frozenset({"pinned", "sources", "state", "code"}) | SERVER_FIELDS
#: Fields of pairs, which are tables in a registry.
TABLES = frozenset({"options", "settings"})


def drafts(folder: Path, registry: Registry, contents: Contents, now: datetime) -> Iterator[Snapshot]:
    """Yield a snapshot of each site of ``contents``, all of whose keys must be its own."""
    platform = contents.platform
    keys = [key.file for key in platform.keyring.values() if key.file]
    for site in contents.sites:
        document = {
            "format": FORMAT,
            "revision": platform.revision,
            "created": now.isoformat(timespec="seconds"),
            "registry": registry.url,
            "private": sorted(str(path) for path in (*registry.files, *keys)),
            "platform": {**table_of(platform, PLATFORM_LEFT_OUT), **account(platform)},
            "site": table_of(site, SITE_LEFT_OUT),
        }
        yield Snapshot(document, folder / f"{site.id}{SUFFIX}")


def account(platform: PlatformSpec) -> dict[str, object]:
    """Return who the processes run as, which those that look after it ask for, whichever table of servers says it."""
    return {"user": platform.account} if platform.account else {}


def table_of(spec: object, left_out: frozenset[str] = frozenset()) -> dict[str, object]:
    """Return a spec as a registry's table: what is not the default, every secret in the clear."""
    stated: dict[str, object] = {}
    for field in fields(spec):  # type: ignore[arg-type]  # specs are dataclasses
        value = getattr(spec, field.name)
        if field.name not in left_out and not is_default(field, value):
            stated[field.name] = dict(value) if field.name in TABLES else plain(value)
    return stated


def is_default(field: Field[Any], value: object) -> bool:
    return value is None or (field.default is not MISSING and bool(value == field.default))


def plain(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if is_dataclass(value):
        return table_of(value)
    return value if isinstance(value, bool | int | str) else str(value)

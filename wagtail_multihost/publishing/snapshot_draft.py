"""What a snapshot of a site holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wagtail_multihost.registry.base import Contents, Registry
from wagtail_multihost.registry.snapshot import SUFFIX, Snapshot
from wagtail_multihost.registry.snapshot_formats import FORMATS, newest_format
from wagtail_multihost.spec.declared import DECLARED, PART
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret

#: Fields of a site that a snapshot has, though no registry states them.
UNDECLARED = frozenset({"id"})
NEWEST_ALONE: Mapping[str, int] = {}


def draft_snapshots(
    folder: Path, registry: Registry, contents: Contents, now: datetime, formats: Mapping[str, int] = NEWEST_ALONE
) -> Iterator[Snapshot]:
    """
    Yield a snapshot of each site of ``contents``, all of whose keys must be its own. ``formats`` has the formats of
    sites, by id, that do not read the newest.
    """
    platform = contents.platform
    keys = [key.file for key in platform.keyring.values() if key.file]
    for site in contents.sites:
        version = formats.get(site.id, newest_format())
        document = {
            "format": version,
            "revision": platform.revision,
            "created": now.isoformat(timespec="seconds"),
            "registry": registry.url,
            "private": sorted(str(path) for path in (*registry.files, *keys)),
            "platform": {**spec_table(platform), **account_key(platform)},
            "site": spec_table(site),
        }
        yield Snapshot(FORMATS[version].write(document), folder / f"{site.id}{SUFFIX}")


def account_key(platform: PlatformSpec) -> dict[str, object]:
    """Return the key ``user`` with the account of sites' processes, whichever of the servers' tables states it."""
    return {"user": platform.account} if platform.account else {}


def spec_table(spec: object) -> dict[str, object]:
    """Return a spec as a registry's table: the kept fields that differ from their defaults, secrets in clear text."""
    stated: dict[str, object] = {}
    for field in fields(spec):  # type: ignore[arg-type]  # specs are dataclasses
        value = getattr(spec, field.name)
        if is_kept(field) and not is_default(field, value):
            is_table = DECLARED in field.metadata and field.metadata[DECLARED].kind.type is dict
            stated[field.name] = {name: plain_value(inner) for name, inner in value} if is_table else plain_value(value)
    return stated


def is_kept(field: Field[Any]) -> bool:
    """Return whether snapshots hold a field: what a site's process has no use for is left out."""
    if DECLARED in field.metadata:
        return bool(field.metadata[DECLARED].snapshot == "kept")
    return PART in field.metadata or field.name in UNDECLARED


def is_default(field: Field[Any], value: object) -> bool:
    return value is None or (field.default is not MISSING and bool(value == field.default))


def plain_value(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, tuple):
        return [plain_value(item) for item in value]
    if is_dataclass(value):
        return spec_table(value)
    return value if isinstance(value, bool | int | str) else str(value)

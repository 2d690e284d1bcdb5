"""Reading the options of servers, by their declarations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import Field, fields
from typing import Any

from wagtail_multihost.registry.reading import key_readers, read_spec
from wagtail_multihost.registry.record import PLATFORM, Record
from wagtail_multihost.spec.options import Options, Overrides, Stated, site_fields


def read_platform_options(table: Record, kind: type[Stated]) -> Stated:
    """Return the options in the platform's ``table``; the defaults when it has problems (all of them reported)."""
    return read_spec(table, kind) or kind()


def read_site_options(table: Record, platform: Options) -> Overrides:
    """Return what a site's ``table`` states over the ``platform``'s options; problems are reported."""
    kind = type(platform)
    report_shared_options(table, kind)
    stated = [found for found in key_readers(kind) if found[1].per_site and found[0] in table.entries]
    values = tuple((name, take(table, name, default)) for name, _, take, default in stated)
    table.known.extend(field_names(site_fields(kind)))
    table.close()
    return values if table.build(lambda: platform.with_overrides(values)) else ()


def report_shared_options(table: Record, kind: type[Options]) -> None:
    """Report and remove the options that a site cannot have of its own."""
    shared = set(field_names(fields(kind))).difference(field_names(site_fields(kind)))
    for key in shared.intersection(table.entries):
        entry = table.entries.pop(key)
        table.report(f"It is the same for all sites: state it in [{PLATFORM}.{table.path[-1]}].", entry.path)


def field_names(declarations: Iterable[Field[Any]]) -> list[str]:
    return [declared.name for declared in declarations]

"""Reading the options of servers, by their declarations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from wagtail_multihost.registry.record import PLATFORM, Record
from wagtail_multihost.spec.options import Options, OptionValue, Overrides, Stated, site_fields


def read_options(table: Record, kind: type[Stated]) -> Stated:
    """Return the options in the platform's ``table``; the defaults when it has problems (all of them reported)."""
    values = {declared.name: take(table, declared) for declared in fields(kind)}
    table.close()
    return table.build(lambda: kind(**values)) or kind()


def read_overrides(table: Record, kind: type[Options], platform: Options | None) -> Overrides:
    """Return what a site's ``table`` states over the platform's options; problems are reported."""
    refuse_shared(table, kind)
    stated = [declared for declared in site_fields(kind) if declared.name in table.entries]
    values = tuple((declared.name, take(table, declared)) for declared in stated)
    table.known.extend(names(site_fields(kind)))
    table.close()
    return values if table.build(lambda: (platform or kind()).overlaid(values)) else ()


def refuse_shared(table: Record, kind: type[Options]) -> None:
    """Report, and take out, the options that are all sites' in one."""
    shared = set(names(fields(kind))).difference(names(site_fields(kind)))
    for key in shared.intersection(table.entries):
        entry = table.entries.pop(key)
        table.report(f"It is one for all sites: state it in [{PLATFORM}.{table.path[-1]}].", entry.path)


def names(declarations: Iterable[Field[Any]]) -> list[str]:
    return [declared.name for declared in declarations]


def take(table: Record, declared: Field[Any]) -> OptionValue:
    takers: dict[type, Callable[[str, Any], OptionValue]] = {
        bool: table.take_boolean,
        int: table.take_integer,
        str: table.take_text,
        tuple: table.take_texts,
        Path: table.take_path,
    }
    return takers[declared.metadata["kind"].type](declared.name, declared.default)

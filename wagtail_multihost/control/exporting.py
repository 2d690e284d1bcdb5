"""The registry as a file again: what the database says, joined with what the node's file says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.models import ManagedSite, Platform
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.control.splitting import REVISION, joined, tables_of
from wagtail_multihost.registry.record import PLATFORM
from wagtail_multihost.registry.used import NAME_KEYS, USED


def export_tables(node: Table) -> dict[str, Any]:
    """
    Return the tables of a registry file: the platform with the revision that the database has, its sites, and who has
    or had which id.
    """
    with transaction.atomic():
        # Nobody changes anything in between.
        revision = lock_head().revision
        platform = Platform.objects.get(pk=1).record
        rows = list(ManagedSite.objects.order_by("removed_revision", "identifier"))
    own = dict(tables_of(node, "sites"))
    sites = {
        row.identifier: joined(row.record, own.get(row.identifier, {}))
        for row in sorted(rows, key=lambda row: str(row.identifier))
        if row.retired_at is None
    }
    whole = {**joined(platform, node.get(PLATFORM, {})), REVISION: revision}
    return {PLATFORM: whole, "sites": sites, USED: holders(rows)}


def holders(rows: Iterable[ManagedSite]) -> dict[str, list[dict[str, Any]]]:
    """Return who has and had each id; the rows are ordered by when they were removed, and those that are not last."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        names = row.record.get("names", {})
        line = {"uid": str(row.uid), **{key: names[key] for key in NAME_KEYS}}
        found.setdefault(row.identifier, []).append(line | ({"removed": True} if row.retired_at else {}))
    return found


def export_text(node: Table) -> str:
    """Return the registry as TOML."""
    import tomlkit  # loads only for this command

    from wagtail_multihost.publishing.pin_text import HEAD, holder_array

    tables = export_tables(node)
    used = [f"{site} = {holder_array(lines).as_string()}\n" for site, lines in tables.pop(USED).items()]
    return "".join([tomlkit.dumps(tables), HEAD, *used])

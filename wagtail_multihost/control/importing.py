"""
Taking a registry file over: what nodes alone may know goes into the node's file, everything else into the database, in
one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import (
    Change,
    CreateSite,
    EditPlatform,
    EditSite,
    Outcome,
    RecordRetired,
    RetireSite,
)
from wagtail_multihost.control.declared_keys import PINS, Table
from wagtail_multihost.control.edits import replace_record
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.node_document import merged_text, write_node_document
from wagtail_multihost.control.observed import Observed
from wagtail_multihost.control.registration import apply_changes, lock_head, raise_head
from wagtail_multihost.control.splitting import Splitter
from wagtail_multihost.exceptions import ConfigurationError, MultihostError, Problem
from wagtail_multihost.registry.base import Contents
from wagtail_multihost.registry.record import PLATFORM
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.registry.typed import TypedSource
from wagtail_multihost.registry.used import NAME_KEYS, Holder
from wagtail_multihost.registry.watch import Watch, watch_nothing

MOST_NAMED = 10
REASON = "import of {file}"


class StatedSite(NamedTuple):
    """A site of the file: its uid and its names, stated or derived, and its record for the database."""

    uid: UUID
    names: dict[str, str]
    record: dict[str, Any]


@dataclass(frozen=True)
class RegistryFile:
    """
    What a registry file says: for the database the ``platform``, the ``sites`` by id and the ``former`` holders of ids;
    for the node's file the tables of ``node``. ``contents`` are the specs that it makes.
    """

    path: Path
    contents: Contents
    platform: Table
    sites: Mapping[str, StatedSite]
    former: tuple[Holder, ...]
    node: dict[str, Any] = field(default_factory=dict)


class Wishes(NamedTuple):
    """
    What an import may do: ``retired`` is the number of sites to retire because the file does not have them, None for
    none; ``confirmed`` the number of sites that may stop. ``at_once`` makes no wave of it.
    """

    retired: int | None = None
    confirmed: int | None = None
    dry_run: bool = False
    at_once: bool = False


class Imported(NamedTuple):
    """
    What came of an import: the ``outcome``, whether the node's file ``changed``, and the ids of the sites that only the
    database ``has``.
    """

    outcome: Outcome
    changed: bool
    kept: tuple[str, ...]


def read_file(registry: TomlRegistry, watch: Watch = watch_nothing) -> RegistryFile:
    """Return what a registry file says; raises ConfigurationError with all that is wrong or cannot be taken over."""
    contents = registry.load(requires_pins=False, watch=watch)
    document = registry.document()
    source = TypedSource(registry.path, {}, reads_secrets=False)
    stated: Any = document.get(PLATFORM, {})
    tables: Any = document.get("sites", {})
    splitter = Splitter(stated, registry.path.parent, source)
    platform = splitter.split_platform()
    problems = [*platform.problems]
    node: dict[str, Any] = {PLATFORM: {"data": str(contents.platform.data), **platform.node}}
    sites = {}
    for site in contents.sites:
        table = {key: value for key, value in tables[site.id].items() if key not in PINS}
        parts = splitter.split_site(site.id, table)
        problems += parts.problems
        names = {key: getattr(site.names, key) for key in NAME_KEYS}
        sites[site.id] = StatedSite(site.uid, names, parts.record)
        if parts.node:
            node.setdefault("sites", {})[site.id] = parts.node
    if problems:
        raise ConfigurationError(registry.locate(problems))
    live = {site.uid for site in contents.sites}
    former = [holder for holders in registry.used.values() for holder in holders if holder.uid not in live]
    return RegistryFile(registry.path, contents, platform.record, sites, tuple(former), node)


def import_file(
    authority: Authority,
    file: RegistryFile,
    node_file: Path,
    wishes: Wishes,
    observed: Observed,
    watch: Watch = watch_nothing,
) -> Imported:
    """
    Make the registry in the database what the file says, and write the node's file; all of it, or nothing.

    Raises ConfigurationError, and what :func:`~wagtail_multihost.control.registration.apply_changes` raises.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # Many records are read while the head is locked: the bound of a web process is for those that hang.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        lock_head()
        text = merged_text(node_file, file.node)
        changes, missing = plan_changes(file)
        if wishes.retired is not None:
            changes += retirements(missing, wishes.retired)
        stops = sum(row.enabled for row in missing) if wishes.retired is not None else None
        raise_head(authority, observed.revision)
        outcome = apply_changes(
            authority,
            changes,
            reason=REASON.format(file=file.path.name),
            confirmed=stops if wishes.confirmed is None else wishes.confirmed,
            dry_run=wishes.dry_run,
            at_once=wishes.at_once,
            watch=watch,
        )
        if wishes.dry_run:
            transaction.set_rollback(True)
            changed = False
        else:
            changed = write_node_document(node_file, text)
    kept = () if wishes.retired is not None else tuple(row.identifier for row in missing)
    return Imported(outcome, changed, kept)


def plan_changes(file: RegistryFile) -> tuple[list[Change], list[ManagedSite]]:
    """
    Return the changes that make the database what the file says, and the sites that only the database has. Raises
    ConfigurationError where a site of one is another in the other.
    """
    rows = list(ManagedSite.objects.all())
    by_uid = {row.uid: row for row in rows}
    by_id = {row.identifier: row for row in rows if row.retired_at is None}
    changes: list[Change] = [EditPlatform(replace_record(file.platform))]
    problems = []
    for identifier, stated in file.sites.items():
        row = by_uid.get(stated.uid)
        if why := refuse_identity(identifier, stated, row, by_id.get(identifier)):
            problems.append(Problem(f"{file.path.name}: sites.{identifier}", why, identifier))
        elif row is None:
            changes.append(CreateSite(identifier, stated.record, uid=stated.uid, names=stated.names))
        else:
            changes.append(EditSite(row.uid, replace_record(stated.record)))
    if problems:
        raise ConfigurationError(problems)
    known = {stated.uid for stated in file.sites.values()}
    changes += (RecordRetired(one.site, one.uid, one.names) for one in file.former if one.uid not in by_uid)
    return changes, [row for row in by_id.values() if row.uid not in known]


def refuse_identity(identifier: str, stated: StatedSite, row: ManagedSite | None, holder: ManagedSite | None) -> str:
    """Return why a site of the file is not the one of the database; blank if it is, or is new."""
    if row is None and holder is not None:
        return f"The database has a site of this id, with the uid {holder.uid}; in the file it has {stated.uid}."
    if row is None:
        return ""
    if row.retired_at is not None:
        return f"The site with the uid {stated.uid} was retired in the database. Remove it from the file."
    if row.identifier != identifier:
        return f"The uid {stated.uid} belongs to the site {row.identifier} in the database."
    if row.record.get("names") != stated.names:
        return "It has other names in the database, and names never change."
    return ""


def retirements(missing: Iterable[ManagedSite], count: int) -> list[Change]:
    """Return the retirement of sites that the file does not have; raises MultihostError if they are not ``count``."""
    rows = list(missing)
    if len(rows) != count:
        raise MultihostError(
            f"The database has {len(rows)} sites that the file does not have, not {count}: {named(rows)}. Nothing was "
            "changed."
        )
    return [RetireSite(row.uid) for row in rows]


def named(rows: Iterable[ManagedSite]) -> str:
    return named_ids(sorted(row.identifier for row in rows))


def named_ids(ids: Iterable[str]) -> str:
    """Return ids for a sentence, the first of them if they are many."""
    found = list(ids)
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more if found else "none"

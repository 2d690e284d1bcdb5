"""
Which ids were ever used, by whom: the table ``used`` of a registry file, which ``multihost_sites --pin`` keeps.

It outlives the tables of the sites, so that an id that was removed and is used again is known to be used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import NamedTuple
from uuid import UUID

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.registry.record import Record
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.names import Names
from wagtail_multihost.spec.site import SiteSpec

USED = "used"
NAME_KEYS = tuple(field.name for field in fields(Names))
KEYS = frozenset({"uid", "removed", *NAME_KEYS})
ACCEPTED = f"a list of tables, each with uid, {', '.join(NAME_KEYS)}, and removed = true where its site is gone"

KEPT = "multihost_sites --pin writes it; restore it from a copy of the file rather than write it by hand."


class Holder(NamedTuple):
    """Who had the id ``site``: the ``uid`` and ``names`` that were pinned, and whether its site was ``removed``."""

    site: str
    uid: UUID
    names: Mapping[str, str]
    removed: bool = False


Used = Mapping[str, tuple[Holder, ...]]
NOTHING: Used = {}


def read_used(table: object, record: Record) -> Used:
    """Return the holders of each id; a table of any other form is reported to ``record``."""
    if not isinstance(table, dict):
        record.report("It must be a table of ids.", (USED,))
        return NOTHING
    found = {}
    for site, entries in table.items():
        holders = tuple(holder_of(site, entry) for entry in entries) if isinstance(entries, list) else ()
        if not holders or None in holders:
            record.report(f"It must be {ACCEPTED}. {KEPT}", (USED, site))
        found[site] = tuple(holder for holder in holders if holder is not None)
    return found


def holder_of(site: str, entry: object) -> Holder | None:
    """Return the holder that an entry describes; None if it describes none."""
    if not isinstance(entry, dict) or not KEYS.issuperset(entry) or not isinstance(entry.get("removed", False), bool):
        return None
    names = {key: entry.get(key) for key in NAME_KEYS}
    try:
        uid = UUID(entry.get("uid"))
    except (ValueError, TypeError, AttributeError):
        return None
    stated = {key: name for key, name in names.items() if isinstance(name, str)}
    return Holder(site, uid, stated, entry.get("removed", False)) if len(stated) == len(NAME_KEYS) else None


def report_reused_ids(used: Used, records: Iterable[Record]) -> None:
    """Report each site that states no uid, although its id was used: it would get the uid and the names of that one."""
    for record in records:
        if "uid" not in record.written and (holders := used.get(record.site, ())):
            other = "" if all(holder.removed for holder in holders) else f" --new {record.site}"
            record.report(
                f"The id was used before, by the uid {holders[-1].uid}, and the site states no uid: it is not known "
                f"whether it is the same site. If it is: multihost_sites --pin --keep {record.site}. If it is another "
                f"one: multihost_sites --pin{other}",
                record.path,
            )


def held_name_problems(used: Used, sites: Iterable[SiteSpec], live: Collection[UUID]) -> Iterator[Problem]:
    """
    Yield a problem for each name of a site that a removed one had: the data that it kept there may still exist.
    The names of ``live`` uids are compared with each other elsewhere.
    """
    taken = {
        (key, name): holder
        for holders in used.values()
        for holder in holders
        if holder.uid not in live
        for key, name in holder.names.items()
    }
    for site in sites if taken else ():
        for key in NAME_KEYS:
            holder = taken.get((key, getattr(site.names, key)))
            if holder is not None and holder.uid != site.uid:
                yield held_name_problem(site, key, holder)


def held_name_problem(site: SiteSpec, key: str, holder: Holder) -> Problem:
    where = site.sources.get("id", f"sites.{site.id}")
    return Problem(
        f"{where}.names.{key}",
        f"The name {shown(getattr(site.names, key))} belonged to the site {holder.site} with the uid "
        f"{holder.uid}, but the site {site.id} has the uid {site.uid}. Use another name, or that uid if it is the same "
        "site.",
        site.id,
    )


def live_uids(records: Iterable[Record]) -> frozenset[UUID]:
    """Return the uids that the records of sites state; what is not a uid is reported elsewhere."""
    found = set()
    for record in records:
        try:
            found.add(UUID(str(record.written["uid"].value)))
        except (KeyError, ValueError):
            continue
    return frozenset(found)

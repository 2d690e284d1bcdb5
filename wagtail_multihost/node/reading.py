"""What the database says to this node, and what becomes known by it. Nothing here is written or asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.spec.identifiers import parse_site_id

Table = Mapping[str, Any]


#: No record nests as deeply, and what reads one goes into it level by level: Python ends that at some thousand.
MOST_LEVELS = 50
#: Takes the place of a value that nests too deeply: it is refused of every key, and so the site is, alone.
REFUSED_VALUE: Table = {"": {}}
#: What is made of a node's own row; the rest of it is for people, and changes with each report.
PLACE = ("id", "holds", "address")


class WentBackError(MultihostError):
    """The database is at an earlier state than the one that this node has applied."""


class IncompleteError(MultihostError):
    """The answer is not whole, so it is not used."""


class NodeReading(NamedTuple):
    """
    An answer, all of one moment: the registry's ``revision``, the ``node`` itself, the ``platform`` if it has changed,
    the ``sites`` that have, how many are ``placed`` here, which are ``gone``, and the ``holds``.
    """

    incarnation: str
    revision: int
    oldest: int
    node: Table
    platform: Table | None
    sites: Mapping[str, Table]
    placed: int
    gone: tuple[Table, ...]
    holds: tuple[Table, ...]
    is_whole: bool


class Known(NamedTuple):
    """
    What a node knows of the registry: the records of the platform and of its sites as of a ``revision``, and the
    highest ``serial`` of what is sealed for it. The ``missing`` ones of the sites are those that the registry lists no
    more, although nothing says that they are gone: they stay as they are.
    """

    incarnation: str
    revision: int
    serial: int
    node: Table
    platform: Table
    sites: Mapping[str, Table]
    holds: tuple[Table, ...] = ()
    missing: tuple[str, ...] = ()


class Merged(NamedTuple):
    """
    What is ``known`` now, the ids of the sites that were ``touched`` and of those that are ``gone``, and whether what
    all sites depend on has changed: the platform, or the node itself.
    """

    known: Known
    touched: frozenset[str]
    gone: frozenset[str]
    platform_changed: bool = False


def parse_reading(row: tuple[Any, ...] | None, *, is_whole: bool) -> NodeReading:
    """Return the answer that a row is; raises IncompleteError."""
    if row is None:
        raise IncompleteError(
            "The database has no registry yet: it has no head. Run the migrations of the control site."
        )
    incarnation, revision, oldest, node, platform, sites, placed, gone, holds = row
    if node is None:
        raise IncompleteError("The database does not know this login as a node. Let it join, or add it again.")
    if not isinstance(sites, dict) or (is_whole and len(sites) != placed):
        raise IncompleteError(
            f"The answer has {len(sites)} sites, but the database says that this node has {placed}. An answer that is "
            "not whole is not used."
        )
    refuse_foreign_ids((*sites, *(one["id"] for one in gone)))
    refuse_deep_platform(platform["record"] if platform else None)
    return NodeReading(
        str(incarnation),
        int(revision),
        int(oldest),
        # What it has reported is not known by what it reads.
        {key: value for key, value in node.items() if key != "applied"},
        platform,
        without_deep_values(sites),
        int(placed),
        tuple(gone),
        tuple(holds),
        is_whole,
    )


def refuse_foreign_ids(sites: Iterable[str]) -> None:
    """Raise IncompleteError for an id that no site has: root names files by it, and removes them."""
    for site in sites:
        try:
            parse_site_id(site)
        except ValueError as error:
            raise IncompleteError(f"{error} Nothing of the answer is used.") from None


def refuse_deep_platform(record: object) -> None:
    """Raise IncompleteError for a record of the platform that nests too deeply."""
    if nests_deeply(record):
        raise IncompleteError(f"The platform's record nests deeper than {MOST_LEVELS} levels. It is not used.")


def without_deep_values(sites: Mapping[str, Table]) -> dict[str, Table]:
    """Return the sites with another value, which is refused, for each one in a record that nests too deeply."""
    return {site: {**table, "record": bounded_record(table["record"])} for site, table in sites.items()}


def bounded_record(record: Any) -> Any:
    if not nests_deeply(record):
        return record
    if not isinstance(record, dict):
        return {}
    return {key: REFUSED_VALUE if nests_deeply(value) else value for key, value in record.items()}


def nests_deeply(value: object) -> bool:
    """Return whether tables and lists are within one another in more than MOST_LEVELS levels."""
    level = [value]
    for _ in range(MOST_LEVELS):
        tables = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [inner for table in tables for inner in table]
        if not level:
            return False
    return True


def parse_front_reading(row: tuple[Any, ...] | None, *, is_whole: bool) -> NodeReading:
    """Return the answer to a front server, to which the nodes of the fleet belong; raises IncompleteError."""
    reading = parse_reading(row[:-1] if row else None, is_whole=is_whole)
    return reading._replace(node={**reading.node, "nodes": row[-1] if row else []})


def merge_reading(
    before: Known | None, reading: NodeReading, on_disk: Mapping[str, str] | None = None
) -> Merged | None:
    """
    Return what is known with an answer on top; None if that does not give as many sites as there must be, so that all
    has to be read. ``on_disk`` are the uids of sites that have files here and were not known ``before``: they can be
    gone too. Raises WentBackError and IncompleteError.
    """
    if before is not None:
        refuse_going_back(before, reading)
    platform = reading.platform["record"] if reading.platform else (before.platform if before else None)
    if not platform:
        raise IncompleteError("The database has no platform yet. Save one in the control site, or import a registry.")
    old = dict(before.sites) if before else {}
    gone = find_gone(reading, {**(on_disk or {}), **{site: str(table["uid"]) for site, table in old.items()}})
    listed = set(reading.sites)
    if not reading.is_whole:
        listed |= old.keys() - gone - set(before.missing if before else ())
    if len(listed) != reading.placed:
        return None
    sites = {site: table for site, table in {**old, **reading.sites}.items() if site not in gone}
    serials = [int(table["serial"] or 0) for table in sites.values()]
    known = Known(
        reading.incarnation,
        reading.revision,
        max(serials, default=0),
        reading.node,
        platform,
        sites,
        reading.holds,
        tuple(sorted(sites.keys() - listed)),
    )
    touched = frozenset(site for site, table in reading.sites.items() if old.get(site) != table)
    changed = before is None or before.platform != platform or stands(before.node) != stands(reading.node)
    return Merged(known, touched, gone, changed)


def find_gone(reading: NodeReading, uids: Mapping[str, str]) -> frozenset[str]:
    """
    Return the ids of the sites, of those with these ``uids``, that the registry says are gone. An id that was used
    again is not, whoever had it before.
    """
    gone = {one["id"] for one in reading.gone if str(one["uid"]) == uids.get(one["id"])}
    return frozenset(gone - reading.sites.keys())


def stands(node: Table) -> Table:
    """Return what files are made of, of what the registry says of a node: what it has applied changes all the time."""
    return {key: node.get(key) for key in ("id", "address", "holds", "nodes")}


def refuse_going_back(before: Known, reading: NodeReading) -> None:
    """Raise WentBackError for a state before the known one; another incarnation counts with a higher revision only."""
    is_other = reading.incarnation != before.incarnation
    if reading.revision < before.revision or (is_other and reading.revision == before.revision):
        raise WentBackError(
            f"The registry went back: its revision is {reading.revision}, but this node knows {before.revision}. "
            "Nothing is made of an older state. If its database was restored, run multihost_control_advance there."
        )


def needs_whole(before: Known | None, reading: NodeReading) -> bool:
    """
    Return whether what changed since cannot be told by an answer that is not whole: another incarnation, or events that
    are gone.
    """
    if before is None or reading.is_whole:
        return False
    return reading.incarnation != before.incarnation or reading.oldest > before.revision + 1

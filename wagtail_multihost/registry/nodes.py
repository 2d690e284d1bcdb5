"""Rules for sites that several nodes serve: which nodes, and what must not be on a single machine."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.registry.record import Record
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.storage import StorageSpec


def report_unknown_nodes(record: Record, known: tuple[str, ...], nodes: tuple[str, ...]) -> None:
    """Report every node that the site names and the platform does not have."""
    for node in nodes:
        if node not in known:
            accepted = f"accepted: {', '.join(known)}" if known else "the platform has none"
            record.report(f"The node {shown(node)} is not known; {accepted}.", (*record.path, "nodes"))


def report_local_parts(
    record: Record,
    nodes: tuple[str, ...],
    database: DatabaseSpec | None,
    cache: CacheSpec | None,
    storage: StorageSpec | None,
) -> None:
    """Report everything that a site on two or more ``nodes`` would have on each of them separately; None is skipped."""
    places = tuple(dict.fromkeys(nodes))
    if len(places) < 2:
        return
    more = f" and {len(places) - 2} more" if len(places) > 2 else ""
    for key, found, accepted in local_parts(database, cache, storage):
        record.report(
            f"The nodes {shown(places[0])}, {shown(places[1])}{more} serve the site, and each would have {found} of "
            f"its own; accepted: {accepted}, or one node in the site's nodes.",
            (*record.path, key),
        )


def local_parts(
    database: DatabaseSpec | None, cache: CacheSpec | None, storage: StorageSpec | None
) -> Iterator[tuple[str, str, str]]:
    """Yield the key of each part that is on one machine only, what it is, and what is accepted instead."""
    if database is not None and database.engine == "sqlite":
        yield "database", "a SQLite database", "postgresql"
    if cache is not None and cache.backend == "locmem":
        yield "cache", "a cache in local memory", "redis"
    if storage is not None and storage.backend == "files":
        yield "storage", "local files", "s3"

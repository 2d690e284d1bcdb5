"""Telling the registry what the sites of this node run. Each site's own process wrote it, so it may be anything."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from wagtail_multihost.files.reading import read_below
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.node.specs import Specs
from wagtail_multihost.nodeapi import inventory_v1
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.version_file import FILE_NAME, MOST_BYTES, Versions, parse_versions
from wagtail_multihost.resolver.uploads import TEMPORARY
from wagtail_multihost.spec.platform import PlatformSpec

logger = logging.getLogger(__name__)

#: Seconds between two looks, and after which everything is told again: a database may have been restored.
PERIOD, AGAIN = 300.0, 6 * 3600.0
#: So many calls are made in one look; what is left is told in the next one.
MOST_CALLS = 8

#: What was told of a site.
Told = tuple[UUID, Versions]


class InventoryReporter:
    """Says what changed of what the sites run, and by which sites that is kept."""

    def __init__(self, database: NodeDatabase, clock: Callable[[], float] = time.monotonic) -> None:
        self.database, self.clock = database, clock
        self.told: dict[str, Told] = {}
        self.looked_at = self.began_at = -AGAIN

    @property
    def is_due(self) -> bool:
        return self.clock() - self.looked_at >= PERIOD

    def report(self, specs: Specs | None) -> None:
        """Look at what the sites say, if it is time, and tell what is new. Nothing depends on it."""
        if specs is None or not self.is_due:
            return
        self.looked_at = self.clock()
        if self.looked_at - self.began_at >= AGAIN:
            self.began_at, self.told = self.looked_at, {}
        found = dict(read_inventories(specs))
        self.told = {site: told for site, told in self.told.items() if site in found}
        news = {site: told for site, told in found.items() if self.told.get(site) != told}
        try:
            for batch in [*split_batches(news)][:MOST_CALLS] or [{}]:
                self.tell(batch)
        except (UnreachableError, RefusedError) as error:
            logger.warning("What the sites run cannot be told: %s", error)

    def tell(self, batch: Mapping[str, Told]) -> None:
        documents = {site: versions._asdict() for site, (_, versions) in batch.items()}
        row = self.database.ask(inventory_v1.REPORT, (json.dumps(documents),))
        kept = row[0] if row and row[0] else ()
        self.told |= {site: batch[site] for site in kept if site in batch}


def read_inventories(specs: Specs) -> Iterator[tuple[str, Told]]:
    """Yield what each enabled site says that it runs; those that say nothing, or nothing that is any, are left out."""
    for site in specs.sites.values():
        if site.enabled and (versions := read_versions(specs.platform, site.id)):
            yield site.id, (site.uid, versions)


def read_versions(platform: PlatformSpec, site: str) -> Versions | None:
    """Return what a site's process wrote; None if it wrote nothing that is of this form."""
    with suppress(OSError):
        data = read_below(platform.data, "sites", site, TEMPORARY, FILE_NAME, most=MOST_BYTES)
        return None if data is None else parse_versions(data)
    return None


def split_batches(news: Mapping[str, Told]) -> Iterator[dict[str, Any]]:
    """Yield parts that a call takes each."""
    batch: dict[str, Told] = {}
    size = 0
    for site, told in news.items():
        length = document_size(told[1])
        if batch and size + length > inventory_v1.MOST_REPORT_BYTES:
            yield batch
            batch, size = {}, 0
        batch[site] = told
        size += length
    if batch:
        yield batch


def document_size(versions: Versions) -> int:
    """Return how long what is told of a site is at most, as PostgreSQL writes it."""
    return 200 + sum(quoted_lengths(versions.packages.items()))


def quoted_lengths(packages: Iterable[tuple[str, str]]) -> Iterator[int]:
    return (len(name) + len(version) + len('"": "", ') for name, version in packages)

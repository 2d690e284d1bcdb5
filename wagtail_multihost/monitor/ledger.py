"""
What was concluded and counted and is still to be told: bounded, so that a database may be away for as long as it likes.
Of what does not fit, the newest conclusion of each hostname stays, and latencies are added up over a longer time.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from wagtail_multihost.nodeapi.observations_v1 import MOST_LATENCIES, MOST_OBSERVATIONS
from wagtail_multihost.nodeapi.probe_files import MOST_COUNT, Batch, Observation
from wagtail_multihost.nodeapi.probe_states import BUCKETS, bucket_of

#: Of one report, so that neither a statement nor its row locks take long.
CHANGES_AT_ONCE, ROWS_AT_ONCE = MOST_OBSERVATIONS, MOST_LATENCIES
#: Of what waits while nobody can be told.
MOST_CHANGES, MOST_WAITING = 40_000, 60


class News(NamedTuple):
    """
    What is told at once: changes by their serial number, batches of latencies, and since when all was looked at, if
    nothing else is left to be told. ``observations`` are all that count, where all of them are told each time.
    """

    at: float
    changes: dict[int, Observation]
    batches: tuple[Batch, ...]
    covered_since: float | None
    observations: tuple[Observation, ...] = ()


class Ledger:
    """Changes and latencies in the order in which they came."""

    def __init__(self) -> None:
        self.serial = 0
        self.changes: dict[int, Observation] = {}
        self.batches: list[Batch] = []
        self.counts: dict[str, list[int]] = {}

    def note_change(self, observation: Observation) -> None:
        self.serial += 1
        self.changes[self.serial] = observation
        if len(self.changes) > MOST_CHANGES:
            newest = {one.hostname: serial for serial, one in self.changes.items()}
            kept = set(newest.values())
            # With more hostnames than that the oldest are lost, and come again with their next change.
            self.changes = {serial: one for serial, one in self.changes.items() if serial in kept}
            while len(self.changes) > MOST_CHANGES:
                del self.changes[next(iter(self.changes))]

    def count(self, hostname: str, milliseconds: int) -> None:
        """Count the latency of a good answer."""
        counts = self.counts.get(hostname)
        if counts is None:
            counts = self.counts[hostname] = [0] * BUCKETS
        counts[bucket_of(milliseconds)] += 1

    def close_counts(self, at: float, most: int = ROWS_AT_ONCE) -> None:
        """Make batches of what was counted until ``at``, of at most so many hostnames each."""
        counted = iter(self.counts.items())
        while part := dict(islice(counted, most)):
            self.serial += 1
            self.batches.append(Batch(self.serial, at, {name: tuple(counts) for name, counts in part.items()}))
        self.counts = {}
        while len(self.batches) > MOST_WAITING:
            self.batches[:2] = [add_batches(*self.batches[:2])]

    def make_news(self, at: float, covered_since: float | None) -> News:
        """Return the next that is to be told."""
        changes: dict[int, Observation] = {}
        names = set()
        # One report says one thing of a hostname.
        for serial, one in islice(self.changes.items(), CHANGES_AT_ONCE):
            if one.hostname in names:
                break
            names.add(one.hostname)
            changes[serial] = one
        batches = tuple(self.batches[:1])
        is_all = len(changes) == len(self.changes) and len(batches) == len(self.batches)
        return News(at, changes, batches, covered_since if is_all else None)

    def forget(self, news: News) -> None:
        """Forget what was told."""
        for serial in news.changes:
            self.changes.pop(serial, None)
        told = {batch.serial for batch in news.batches}
        self.batches = [batch for batch in self.batches if batch.serial not in told]

    def forget_hostnames(self, names: Iterable[str]) -> None:
        """Forget what was counted of hostnames that are gone."""
        for name in names:
            self.counts.pop(name, None)

    @property
    def has_changes(self) -> bool:
        return bool(self.changes)

    @property
    def has_news(self) -> bool:
        return bool(self.changes or self.batches)


def add_batches(first: Batch, second: Batch) -> Batch:
    """Return two batches as one, which counts as of the later time."""
    counts = dict(first.counts)
    for name, more in second.counts.items():
        known = counts.get(name, (0,) * BUCKETS)
        counts[name] = tuple(min(MOST_COUNT, one + other) for one, other in zip(known, more, strict=True))
    return Batch(second.serial, second.at, counts)

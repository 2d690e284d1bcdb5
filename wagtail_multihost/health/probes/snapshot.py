"""Whether the process matches its snapshot, and could start again with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from wagtail_multihost.health.once_logger import log_failure
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.status import Criticality
from wagtail_multihost.registry.snapshot import SUFFIX, Snapshot, SnapshotRegistry, read_snapshot, signed_content
from wagtail_multihost.running import current

DAY = 86_400
# Fields that differ between two snapshots of the same content.
PASSING = ("created", "revision")


@dataclass(frozen=True, kw_only=True)
class SnapshotProbe(Probe):
    """Compares the site's snapshot with the one that this process started with."""

    codes: ClassVar[Mapping[str, str]] = {
        "changed": "The snapshot has changed since the process started: reload the process.",
        "missing": "The snapshot is missing: the process could not start again.",
        "refused": "The snapshot cannot be read or trusted: the process could not start again.",
        "too_old": "The snapshot has not been written for too long.",
        "not_applicable": "The site was not read from a snapshot.",
    }

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    timeout: float = field(default=5, metadata={"meaning": "How long, in seconds, a run may take."})
    interval: float = field(default=60, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})
    retry: float = field(default=60, metadata={"meaning": "Seconds until the next run after any other; 0: `RETRY`."})
    max_age: float = field(default=0, metadata={"meaning": "The accepted age of a snapshot in days; 0: any."})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_age < 0:
            raise ValueError("The max_age is not accepted: it must be 0 or more days.")

    def measure(self) -> Iterator[Outcome]:
        running = current()
        registry, site = (running.opened, running.site) if running else (None, None)
        if isinstance(registry, SnapshotRegistry) and site and site.id in registry.read:
            yield self.outcome(registry, registry.read[site.id])
        else:
            yield passed(code="not_applicable")

    def outcome(self, registry: SnapshotRegistry, started: Snapshot) -> Outcome:
        path = registry.folder / f"{started.site}{SUFFIX}"
        if not os.path.lexists(path):
            return failed("missing")
        found, problem = read_snapshot(path)
        problem = problem or registry.content_problem(found, started.site)
        if problem:
            log_failure("A start would refuse the snapshot %s: %s", path, problem)
            return failed("refused")
        age = age_in_days(found)
        if signed_content(found.document, *PASSING) != signed_content(started.document, *PASSING):
            return warned("changed", age, "days")
        if self.max_age and (age is None or age > self.max_age):
            return warned("too_old", age, "days")
        return passed(age, "days")


def age_in_days(snapshot: Snapshot) -> float | None:
    """Return the age in days; None if the snapshot has no time."""
    created = snapshot.created
    return round((datetime.now(UTC) - created).total_seconds() / DAY, 2) if created else None

"""What is known at one moment, and what it means for the process and for each of its sites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from wagtail_multihost.health.probe import Outcome, Probe
from wagtail_multihost.health.status import Criticality, Status


class Entry(NamedTuple):
    """A configured probe: its ``name``, and the ``site`` that it is about; blank where all sites share the thing."""

    name: str
    probe: Probe
    site: str = ""


class Result(NamedTuple):
    """
    What a probe's last run found. ``ended`` is a reading of the sampler's clock and ``time`` the same moment in seconds
    since the epoch; ``duration`` is in seconds.
    """

    entry: Entry
    outcomes: tuple[Outcome, ...]
    ended: float
    time: float
    duration: float

    @property
    def status(self) -> Status:
        """The worst of what was found."""
        return max((outcome.status for outcome in self.outcomes), default=Status.FAIL)

    @property
    def weight(self) -> Status:
        """What it means for the site, or for the process where sites share the thing."""
        return self.entry.probe.criticality.weigh(self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    All results of one moment. ``sites`` has the status of every site that the process answers for. ``status`` is the
    process's own. ``fresh_until`` is the reading of the sampler's clock beyond which it must not be believed.
    ``is_stale`` and ``is_draining`` are set by who reads it.
    """

    results: tuple[Result, ...] = ()
    sites: Mapping[str, Status] = field(default_factory=dict)
    status: Status = Status.PASS
    fresh_until: float = 0
    made: float = 0
    time: float = 0


def make_report(
    results: Iterable[Result], sites: Iterable[str], *, quorum: int, stale: float, now: float, time: float
) -> Report:
    """
    Return the report on ``sites``. ``quorum`` is the percentage of them that must work, ``stale`` the age in seconds
    that a critical result may reach.
    """
    results = tuple(results)
    statuses = {site: worst(result for result in results if result.entry.site == site) for site in sites}
    critical = [result.ended for result in results if result.entry.probe.criticality is Criticality.CRITICAL]
    return Report(
        results=results,
        sites=statuses,
        status=container_status(worst(result for result in results if not result.entry.site), statuses, quorum),
        fresh_until=min(critical, default=now) + stale,
        made=now,
        time=time,
    )


def worst(results: Iterable[Result]) -> Status:
    return max((result.weight for result in results), default=Status.PASS)


def container_status(shared: Status, sites: Mapping[str, Status], quorum: int) -> Status:
    """
    Return the status of the process. A site that fails is a warning, as long as ``quorum`` percent of the sites, and
    one at least, work: its neighbours must not lose their process.
    """
    failing = sum(status is Status.FAIL for status in sites.values())
    working = len(sites) - failing
    if sites and (not working or working * 100 < quorum * len(sites)):
        return Status.FAIL
    return max(shared, *(min(status, Status.WARN) for status in sites.values()), Status.PASS)

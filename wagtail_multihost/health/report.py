"""What is known at one moment, and what it means for the process and for each of its sites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from wagtail_multihost.health.probe import Outcome, Probe
from wagtail_multihost.health.status import Criticality, Status


class ProbeEntry(NamedTuple):
    """A configured probe: its ``name``, and the ``site`` that it is about; blank where all sites share the thing."""

    name: str
    probe: Probe
    site: str = ""


class ProbeResult(NamedTuple):
    """
    What a probe's last run found. ``ended`` is a reading of the sampler's clock and ``time`` the same moment in seconds
    since the epoch; ``duration`` is in seconds.
    """

    entry: ProbeEntry
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
    process's own. ``fresh_until`` is the reading of the sampler's clock beyond which it must not be believed, ``made``
    the reading when it was made, and ``time`` that moment in seconds since the epoch.
    """

    results: tuple[ProbeResult, ...] = ()
    sites: Mapping[str, Status] = field(default_factory=dict)
    status: Status = Status.PASS
    fresh_until: float = 0
    made: float = 0
    time: float = 0


def make_report(
    results: Iterable[ProbeResult], sites: Iterable[str], *, quorum: int, stale: float, now: float, time: float
) -> Report:
    """
    Return the report on ``sites``. ``quorum`` is the percentage of them that must work, ``stale`` the age in seconds
    that a critical result may reach. A result of a site that is not among them is only listed.
    """
    results = tuple(results)
    statuses = dict.fromkeys(sites, Status.PASS)
    shared = Status.PASS
    for result in results:
        site, weight = result.entry.site, result.weight
        if not site:
            shared = max(shared, weight)
        elif site in statuses:
            statuses[site] = max(statuses[site], weight)
    return Report(
        results=results,
        sites=statuses,
        status=process_status(shared, statuses, quorum),
        fresh_until=min((until for result in results if (until := fresh_until(result, stale))), default=float("inf")),
        made=now,
        time=time,
    )


def fresh_until(result: ProbeResult, stale: float) -> float | None:
    """
    Return the reading of the sampler's clock until which ``result`` is believed; None where that does not matter. An
    old failure is still a failure: it fails what it belongs to, and must not make all else look old. A probe that
    runs seldom, or may take long, has the time for it.
    """
    probe = result.entry.probe
    if probe.criticality is not Criticality.CRITICAL or result.status is Status.FAIL:
        return None
    return result.ended + max(stale, 2 * (probe.interval + probe.timeout))


def process_status(shared: Status, sites: Mapping[str, Status], quorum: int) -> Status:
    """
    Return the status of the process. A site that fails is a warning, as long as ``quorum`` percent of the sites, and
    one at least, work: its neighbours must not lose their process.
    """
    working = sum(status is not Status.FAIL for status in sites.values())
    if sites and (not working or working * 100 < quorum * len(sites)):
        return Status.FAIL
    return max(shared, min(Status.WARN, max(sites.values(), default=Status.PASS)))

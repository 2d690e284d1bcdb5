"""The results at one moment, and what they mean for the process and for each of its sites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from wagtail_multihost.health.probe import Outcome, Probe
from wagtail_multihost.health.status import Criticality, Status


class ProbeEntry(NamedTuple):
    """A configured probe: its ``name``, and the ``site`` that it is about, blank for something that all sites share."""

    name: str
    probe: Probe
    site: str = ""


class ProbeResult(NamedTuple):
    """
    The result of a probe's last run. ``ended`` is when it ended by the sampler's clock, and ``time`` the same moment in
    seconds since the epoch; ``duration`` is in seconds.
    """

    entry: ProbeEntry
    outcomes: tuple[Outcome, ...]
    ended: float
    time: float
    duration: float

    @property
    def status(self) -> Status:
        """The worst status of its outcomes."""
        return max((outcome.status for outcome in self.outcomes), default=Status.FAIL)

    @property
    def weight(self) -> Status:
        """The status that it gives the site, or the process if all sites share the thing."""
        return self.entry.probe.criticality.weigh(self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    All results at one moment. ``sites`` has the status of every site that the process answers for. ``status`` is the
    status of the process. By the sampler's clock, the report was made at ``made`` and must not be believed after
    ``fresh_until``; ``time`` is when it was made in seconds since the epoch.
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
    that a critical result may reach. The results of other sites are only listed.
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
    Return until when ``result`` is believed, by the sampler's clock; None if that does not matter. An old failure is
    still a failure, and must not make everything else look stale. Probes that run rarely or may take long are given
    more time.
    """
    probe = result.entry.probe
    if probe.criticality is not Criticality.CRITICAL or result.status is Status.FAIL:
        return None
    return result.ended + max(stale, 2 * (probe.interval + probe.timeout))


def process_status(shared: Status, sites: Mapping[str, Status], quorum: int) -> Status:
    """
    Return the status of the process. A failing site is only a warning as long as ``quorum`` percent of the sites, and
    at least one, work: its neighbours must not lose their process.
    """
    working = sum(status is not Status.FAIL for status in sites.values())
    if sites and (not working or working * 100 < quorum * len(sites)):
        return Status.FAIL
    return max(shared, min(Status.WARN, max(sites.values(), default=Status.PASS)))

"""Reports, and an endpoint that answers from them, for tests of what is shown to whom."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from wagtail_multihost.health.access import Gate, HealthRequest
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.endpoint import Answer, Endpoint
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.report import ProbeEntry, ProbeResult, Report, make_report
from wagtail_multihost.health.status import Criticality

TOKEN = "sample-token-0123456789-abcdefghijkl"
OTHER = "other-token-0123456789-abcdefghijklm"
EPOCH = 1_790_000_000.25
VERSION = "17.4.1"
SITES = ("aurora", "borealis", "corona")
SUBJECT = "www.aurora.example"
#: What nobody without a token may read in any answer.
SECRETS = (*SITES, VERSION, "database", "behind", "disk", "certificate", "migrations", SUBJECT)


@dataclass(frozen=True, kw_only=True)
class Sample(Probe):
    """A probe that yields nothing."""

    codes: ClassVar[Mapping[str, str]] = {
        "behind": "The database lacks migrations that the code has.",
        "low": "Less is left than is wanted.",
        "expires_soon": "The certificate expires in less than three weeks.",
    }
    component: ClassVar[str] = "datastore"

    def measure(self) -> Iterator[Outcome]:
        yield passed()


def sample(name: str, *outcomes: Outcome, site: str = "", ago: float = 3, criticality: str = "critical") -> ProbeResult:
    probe = Sample(criticality=Criticality(criticality))
    return ProbeResult(ProbeEntry(name, probe, site), outcomes, time.monotonic() - ago, EPOCH - ago, 0.0042)


def results() -> tuple[ProbeResult, ...]:
    certificate = (
        warned("expires_soon", 12, "days", subject=SUBJECT),
        passed(71, "days", subject="aurora.example"),
    )
    return (
        sample("disk", warned("low", 18.25, "percent", subject="temporary"), criticality="degraded"),
        sample("memory", passed(41.5, "percent")),
        sample("database", passed(0.0031, "seconds"), site="aurora"),
        sample("certificate", *certificate, site="aurora", ago=310, criticality="degraded"),
        sample("database", passed(0.0027, "seconds"), site="borealis"),
        sample("migrations", failed("behind"), site="borealis"),
        sample("database", passed(), site="corona"),
        sample("search", failed("stuck"), site="corona", criticality="informative"),
    )


def report(*found: ProbeResult, sites: tuple[str, ...] = SITES) -> Report:
    now = time.monotonic() - 2
    return make_report(found or results(), sites, quorum=50, stale=600, now=now, time=EPOCH)


class Told:
    """A source that already has a report, and counts requests for it."""

    def __init__(self, report: Report | None) -> None:
        self.report = report
        self.asked = 0

    def ask(self) -> Report | None:
        self.asked += 1
        return self.report

    def is_awaited(self) -> bool:
        return self.ask() is None

    def wait(self, seconds: float) -> Report | None:
        return self.ask()


class Switch(Drain):
    """A drain that needs no file."""

    def __init__(self, is_on: bool = False, error: OSError | None = None) -> None:
        self.is_set, self.error = is_on, error

    def is_on(self) -> bool:
        return self.is_set

    def begin(self) -> None:
        self.change(True)

    def end(self) -> None:
        self.change(False)

    def change(self, is_on: bool) -> None:
        if self.error:
            raise self.error
        self.is_set = is_on


def endpoint(
    source: Told | None = None,
    *,
    drain: Drain | None = None,
    networks: tuple[str, ...] = (),
    prefix: str = "/-/",
    metrics_subjects: bool = False,
) -> Endpoint:
    return Endpoint(
        HealthOptions(prefix=prefix, networks=networks, metrics_subjects=metrics_subjects),
        source or Told(report()),
        Gate(lambda: (OTHER, TOKEN), networks),
        drain or Switch(),
        sites=SITES,
        service="aurora",
        version=lambda: VERSION,
    )


def ask(endpoint: Endpoint, path: str, *, token: str = TOKEN, accept: str = "", method: str = "GET") -> Answer:
    """Return the answer to a request with ``token``, or to an anonymous one."""
    authorization = f"Bearer {token}" if token else ""
    answer = endpoint.answer(HealthRequest(method, f"{endpoint.prefix}{path}", authorization, accept))
    assert answer is not None
    return answer


def failing() -> Report:
    """Return a report of a process that is not ready."""
    return report(sample("database", failed("error"), site="aurora"), sites=("aurora",))


def crowded() -> Report:
    """Return a report of a process that answers for many sites."""
    sites = tuple(f"site-{number}" for number in range(40))
    found = [sample("database", passed(0.002, "seconds"), site=site) for site in sites]
    return report(*found, sample("migrations", failed("behind"), site="site-7"), sites=sites)

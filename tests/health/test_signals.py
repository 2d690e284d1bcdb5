"""The signal that tells of changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.health.samplers import Script, Scripted, sampling, until
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.process import announce
from wagtail_multihost.health.report import ProbeEntry, ProbeResult, Report, make_report
from wagtail_multihost.health.sampler import Sampler
from wagtail_multihost.health.status import Criticality, Status
from wagtail_multihost.signals import health_changed

Told = tuple[str, Status | None, Status, list[str]]


@pytest.fixture
def told() -> Iterator[list[Told]]:
    """What was sent: site, before, after and codes."""
    sent: list[Told] = []

    def receive(sender: Any, site: str, before: Status | None, after: Status, codes: list[str], **named: Any) -> None:
        assert sender is Sampler
        assert set(named) == {"signal"}
        sent.append((site, before, after, codes))

    health_changed.connect(receive)
    yield sent
    health_changed.disconnect(receive)


def report(*found: tuple[str, Outcome], sites: tuple[str, ...] = (), criticality: str = "critical") -> Report:
    """Return a report of one result for each pair of a site, blank for what sites share, and an outcome."""
    probe: Probe = Scripted(criticality=Criticality(criticality))
    results = [
        ProbeResult(ProbeEntry(f"p{place}", probe, site), (outcome,), 0, 0, 0)
        for place, (site, outcome) in enumerate(found)
    ]
    return make_report(results, sites, quorum=50, stale=60, now=0, time=0)


def test_first_report_is_told_of_with_nothing_before(told: list[Told]) -> None:
    """Process and site are told of once, also when all is well, each with None before."""
    announce(None, report(("aurora", passed()), sites=("aurora",)))
    assert told == [("", None, Status.PASS, []), ("aurora", None, Status.PASS, [])]


def test_nothing_is_sent_of_what_stays(told: list[Told]) -> None:
    """A report with other results and the same statuses is no change."""
    first = report(("aurora", failed("slow")), ("", passed()), sites=("aurora",))
    announce(first, report(("aurora", failed("refused")), ("", passed(3)), sites=("aurora",)))
    assert told == []


def test_each_change_is_told_once_with_its_codes(told: list[Told]) -> None:
    """A site's change has the site's codes, sorted and without those that pass, the process's has all."""
    sites = ("aurora", "borealis")
    well = report(("aurora", passed()), ("borealis", passed()), ("", passed()), sites=sites)
    ill = report(
        ("aurora", failed("refused")),
        ("aurora", warned("behind")),
        ("borealis", passed()),
        ("", warned("full")),
        sites=sites,
    )
    announce(well, ill)
    assert told == [
        ("", Status.PASS, Status.WARN, ["behind", "full", "refused"]),
        ("aurora", Status.PASS, Status.FAIL, ["behind", "refused"]),
    ]
    told.clear()
    announce(ill, well)
    assert told == [("", Status.WARN, Status.PASS, []), ("aurora", Status.FAIL, Status.PASS, [])]


def test_site_that_is_new_is_told_of(told: list[Told]) -> None:
    """Of a site that was not in the report before, nothing is known before."""
    before = report(("aurora", passed()), sites=("aurora",))
    announce(before, report(("aurora", passed()), ("borealis", passed()), sites=("aurora", "borealis")))
    assert told == [("borealis", None, Status.PASS, [])]


def test_receiver_that_raises_changes_nothing(told: list[Told], caplog: pytest.LogCaptureFixture) -> None:
    """The others hear of it all the same, and what was raised is logged."""

    def broken(**named: Any) -> None:
        raise RuntimeError("receiver")

    def late(**named: Any) -> None:
        heard.append(named["after"])

    heard: list[Status] = []
    health_changed.connect(broken)
    health_changed.connect(late)
    try:
        with caplog.at_level(logging.ERROR):
            announce(None, report())
    finally:
        health_changed.disconnect(broken)
        health_changed.disconnect(late)
    assert (told, heard) == ([("", None, Status.PASS, [])], [Status.PASS])
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["receiver"]


def test_sampler_tells_of_each_change_once(told: list[Told]) -> None:
    """From the probe to the receiver: many runs with two outcomes are two signals each for process and site."""
    is_well = threading.Event()
    is_well.set()
    script = Script(lambda: [passed() if is_well.is_set() else failed("refused")])
    with sampling(Scripted(script=script, interval=0.01, retry=0.01), changed=announce) as sampler:
        assert sampler.wait(30)
        until(lambda: len(told) == 1 and script.runs > 3)
        is_well.clear()
        until(lambda: len(told) == 2)
        runs = script.runs
        until(lambda: script.runs > runs + 3)
    assert told == [("", None, Status.PASS, []), ("", Status.PASS, Status.FAIL, ["refused"])]


def test_receiver_that_raises_stops_no_sampler(told: list[Told]) -> None:
    """Probes go on, and later changes are told of."""

    def broken(**named: Any) -> None:
        raise RuntimeError("receiver")

    is_well = threading.Event()
    script = Script(lambda: [passed() if is_well.is_set() else failed("refused")])
    health_changed.connect(broken)
    try:
        with sampling(Scripted(script=script, interval=0.01, retry=0.01), changed=announce) as sampler:
            assert sampler.wait(30)
            until(lambda: len(told) == 1)
            is_well.set()
            until(lambda: len(told) == 2)
    finally:
        health_changed.disconnect(broken)
    assert [after for _, _, after, _ in told] == [Status.FAIL, Status.PASS]

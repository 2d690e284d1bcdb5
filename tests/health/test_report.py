"""What the results of probes mean for the process and for its sites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.report import ProbeEntry, ProbeResult, Report, make_report
from wagtail_multihost.health.status import Criticality, Status

NOW = 1_000.0
CRITICAL, DEGRADED, INFORMATIVE = Criticality
PASS, WARN, FAIL = Status
OUTCOMES = {PASS: passed(), WARN: warned("slow"), FAIL: failed("gone")}


@dataclass(frozen=True, kw_only=True)
class Silent(Probe):
    """A probe that is never run."""

    def measure(self) -> Iterator[Outcome]:
        raise AssertionError


def result(
    status: Status, site: str = "", criticality: Criticality = CRITICAL, age: float = 0, **options: float
) -> ProbeResult:
    entry = ProbeEntry("thing", Silent(criticality=criticality, **options), site)
    return ProbeResult(entry, (OUTCOMES[status],), NOW - age, 0, 0.001)


def report_of(*results: ProbeResult, sites: int | list[str] = 0, quorum: int = 50, stale: float = 60) -> Report:
    names = [f"site{number}" for number in range(sites)] if isinstance(sites, int) else sites
    return make_report(results, names, quorum=quorum, stale=stale, now=NOW, time=0)


def failing(count: int, of: int, **options: int) -> Status:
    """Return the status of a process with ``of`` sites, the first ``count`` of which fail."""
    results = [result(FAIL if number < count else PASS, f"site{number}") for number in range(of)]
    return report_of(*results, sites=of, **options).status


@pytest.mark.parametrize(
    ("criticality", "worth"),
    [(CRITICAL, (PASS, WARN, FAIL)), (DEGRADED, (PASS, WARN, WARN)), (INFORMATIVE, (PASS, PASS, PASS))],
)
def test_criticality_says_what_a_failure_is_worth(criticality: Criticality, worth: tuple[Status, ...]) -> None:
    """A critical probe fails what it belongs to, a degraded one warns, an informative one changes nothing."""
    for status, expected in zip(Status, worth, strict=True):
        assert report_of(result(status, criticality=criticality)).status is expected
        of_site = report_of(result(status, "site0", criticality), sites=1)
        assert (of_site.sites, of_site.status) == ({"site0": expected}, expected)


def test_worst_of_several_outcomes_counts() -> None:
    """A probe that looks at several things is as its worst is, and one that found nothing has failed."""
    many = result(PASS)._replace(outcomes=(passed(), failed("gone"), warned("slow")))
    assert many.status is many.weight is FAIL
    assert many._replace(outcomes=()).status is FAIL


def test_one_of_300_sites_down_keeps_the_process_ready() -> None:
    """One site's fault is that site's: the process warns, and the neighbours pass."""
    results = [result(FAIL if number == 7 else PASS, f"site{number}") for number in range(300)]
    report = report_of(*results, sites=300)
    assert report.status is WARN
    assert {site for site, status in report.sites.items() if status is not PASS} == {"site7"}
    assert report.sites["site7"] is FAIL


@pytest.mark.parametrize(
    ("down", "of", "quorum", "expected"),
    [
        (0, 300, 100, PASS),
        (1, 300, 100, FAIL),
        (150, 300, 50, WARN),
        (151, 300, 50, FAIL),
        (1, 2, 50, WARN),
        (1, 2, 51, FAIL),
        (2, 3, 34, FAIL),
        (2, 3, 33, WARN),
        (299, 300, 0, WARN),
        (300, 300, 0, FAIL),
        (1, 1, 0, FAIL),
        (1, 1, 50, FAIL),
    ],
)
def test_quorum_of_sites_decides(down: int, of: int, quorum: int, expected: Status) -> None:
    """The process fails when less than the quorum works, and in any case when no site does, the only one included."""
    assert failing(down, of, quorum=quorum) is expected


def test_shared_resource_fails_the_process_and_no_site() -> None:
    """What all sites need is not a matter of any quorum, and not a fault of the sites."""
    sites = [result(PASS, f"site{number}") for number in range(3)]
    report = report_of(*sites, result(FAIL), sites=3, quorum=0)
    assert report.status is FAIL
    assert set(report.sites.values()) == {PASS}
    assert report_of(*sites, result(FAIL, criticality=DEGRADED), sites=3).status is WARN


def test_process_without_sites_or_probes_passes() -> None:
    """An empty process has nothing that fails, and what it knows does not get old."""
    report = report_of()
    assert (report.status, report.sites, report.results) == (PASS, {}, ())
    assert report.fresh_until == float("inf")
    assert report_of(sites=3).status is PASS


def test_result_of_a_site_that_the_process_does_not_have_is_only_listed() -> None:
    """It neither fails the process nor makes the site known."""
    report = report_of(result(FAIL, "stranger"), sites=1)
    assert (report.status, report.sites) == (PASS, {"site0": PASS})
    assert len(report.results) == 1


def test_oldest_critical_result_says_how_long_a_report_is_believed() -> None:
    """Neither a newer result nor an old one that is not critical changes that."""
    old = result(PASS, age=50)
    others = [result(PASS, "site0", age=10), result(PASS, criticality=DEGRADED, age=500)]
    others.append(result(FAIL, criticality=INFORMATIVE, age=500))
    report = report_of(*others, old, sites=1)
    assert (report.fresh_until, report.made) == (NOW + 10, NOW)
    assert report_of(*others[1:], sites=1).fresh_until == float("inf")


def test_warning_that_gets_old_is_not_believed() -> None:
    """A critical probe that warned may have come to fail since."""
    assert report_of(result(WARN, age=50)).fresh_until == NOW + 10


def test_old_failure_of_one_site_makes_nothing_else_old() -> None:
    """A probe that hangs for hours fails its site, and leaves the process as ready as it was."""
    report = report_of(result(FAIL, "site0", age=7_200), result(PASS, "site1", age=1), sites=2)
    assert (report.status, report.sites["site0"]) == (WARN, FAIL)
    assert report.fresh_until == NOW + 59


@pytest.mark.parametrize(("options", "allowed"), [({"interval": 3_600}, 7_200), ({"timeout": 300}, 600)])
def test_probe_that_runs_seldom_has_its_time(options: dict[str, float], allowed: float) -> None:
    """A probe whose own interval or timeout is longer than the limit does not make the report stale between runs."""
    assert NOW + allowed <= report_of(result(PASS, **options)).fresh_until <= NOW + allowed + 5
    assert report_of(result(PASS)).fresh_until == NOW + 60


SITES = ["a", "b", "c", "d", "e"]
results_of_any_kind = st.lists(
    st.builds(
        result,
        st.sampled_from(Status),
        st.sampled_from(["", *SITES]),
        st.sampled_from(Criticality),
        st.integers(0, 100),
    ),
    max_size=12,
)
quorums = st.integers(0, 100)


@given(results_of_any_kind, results_of_any_kind, quorums)
def test_more_results_never_improve_anything(some: list[ProbeResult], more: list[ProbeResult], quorum: int) -> None:
    """Whatever else is found, nothing gets better or is believed longer."""
    fewer = report_of(*some, sites=SITES, quorum=quorum)
    all_of_them = report_of(*some, *more, sites=SITES, quorum=quorum)
    assert all_of_them.status >= fewer.status
    assert all(all_of_them.sites[site] >= fewer.sites[site] for site in SITES)
    assert all_of_them.fresh_until <= fewer.fresh_until


@given(results_of_any_kind, st.integers(0, 100))
def test_another_site_that_fails_never_improves_the_status(some: list[ProbeResult], quorum: int) -> None:
    """A process that gets one more site, which fails, is not better off."""
    before = report_of(*some, sites=SITES, quorum=quorum).status
    after = report_of(*some, result(FAIL, "new"), sites=[*SITES, "new"], quorum=quorum).status
    assert after >= max(before, WARN)


@given(results_of_any_kind, quorums)
def test_informative_results_never_matter(some: list[ProbeResult], quorum: int) -> None:
    """Without them everything is the same."""
    others = [one for one in some if one.entry.probe.criticality is not INFORMATIVE]
    with_them, without = (report_of(*kept, sites=SITES, quorum=quorum) for kept in (some, others))
    assert (with_them.status, with_them.sites) == (without.status, without.sites)
    assert with_them.fresh_until == without.fresh_until


@given(results_of_any_kind.flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))), quorums)
def test_order_never_matters(two_orders: tuple[list[ProbeResult], list[ProbeResult]], quorum: int) -> None:
    """The same results in another order mean the same."""
    one, other = (report_of(*kept, sites=SITES, quorum=quorum) for kept in two_orders)
    assert (one.status, one.sites, one.fresh_until) == (other.status, other.sites, other.fresh_until)


@given(results_of_any_kind, quorums)
def test_process_fails_for_a_shared_failure_or_a_lost_quorum_only(some: list[ProbeResult], quorum: int) -> None:
    """There is no third reason."""
    report = report_of(*some, sites=SITES, quorum=quorum)
    shared = any(one.weight is FAIL for one in some if not one.entry.site)
    working = sum(status is not FAIL for status in report.sites.values())
    assert (report.status is FAIL) == (shared or not working or working / len(SITES) * 100 < quorum)

"""The files between a monitor and the agent beside it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from wagtail_multihost.nodeapi.probe_files import (
    MOST_BATCHES,
    MOST_BYTES,
    MOST_HOSTNAMES,
    STALE_AFTER,
    Batch,
    Observation,
    Observed,
    Page,
    Passed,
    Target,
    parse_observed,
    parse_targets,
    read_clock,
    render_observed,
    render_targets,
)
from wagtail_multihost.nodeapi.probe_states import BUCKETS, DOWN, UP, WRONG_SITE
from wagtail_multihost.spec.site import MOST_PAGES

OWN, OTHER, BOOT = UUID(int=1), UUID(int=2), UUID(int=3)
TARGETS = (
    Target("aurora.example", "aurora", OWN, b"k" * 32, pages=(Page("/?q=1", 200, "Grüße"),), proves=True),
    Target("www.aurora.example", "aurora", OWN, state="maintenance", canonical="aurora.example", scheme="http"),
)
COUNTS = (1, *[0] * (BUCKETS - 1))
OBSERVED = Observed(
    "web1",
    BOOT,
    "1.0",
    5,
    1000.0,
    400.0,
    (
        Observation("aurora.example", WRONG_SITE, "wrong-proof", 200, 900.0, 5000.0, OTHER, 12),
        Observation("www.aurora.example", UP, "", 301, 500.0),
    ),
    (Batch(3, 990.0, {"aurora.example": COUNTS}),),
)
NAMES = {"aurora.example", "www.aurora.example"}


def changed(**values: Any) -> bytes:
    """Return the file of what was observed, with other values."""
    return json.dumps({**json.loads(render_observed(OBSERVED)), **values}).encode()


def row(**values: Any) -> bytes:
    """Return the file with another first observation."""
    rows = json.loads(render_observed(OBSERVED))["observations"]
    return changed(observations=[{**rows[0], **values}, *rows[1:]])


def test_targets_are_read_as_they_were_written() -> None:
    """Keys, pages and what is left out as well."""
    assert parse_targets(render_targets("web1", TARGETS)) == ("web1", TARGETS)


def test_what_was_observed_is_read_as_it_was_written() -> None:
    """Each number and word."""
    assert parse_observed(render_observed(OBSERVED), "web1", NAMES) == OBSERVED


def test_nothing_is_read_of_hostnames_that_the_reader_does_not_name() -> None:
    """A monitor that was taken over speaks of no other site."""
    found = parse_observed(render_observed(OBSERVED), "web1", {"www.aurora.example"})
    assert [one.hostname for one in found.observations] == ["www.aurora.example"]
    assert found.batches[0].counts == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b"{" * MOST_BYTES + b"}",
        changed(format=2),
        changed(place="web2"),
        changed(boot="x"),
        changed(version="1\x1b[31m"),
        changed(version="1" * 41),
        changed(serial=-1),
        changed(serial=1.5),
        changed(serial=10**30),
        changed(at=True),
        changed(at=float("nan")),
        changed(at=float("inf")),
        changed(covered_since=-1),
        changed(observations={}),
        changed(observations=[1]),
        changed(observations=[json.loads(render_observed(OBSERVED))["observations"][0]] * 2),
        changed(observations=[{}] * (MOST_HOSTNAMES + 1)),
        changed(batches={}),
        changed(batches=[1]),
        changed(batches=[{"serial": 1, "at": 1, "counts": []}]),
        changed(batches=[{"serial": 1, "at": 1, "counts": {"aurora.example": [1]}}]),
        changed(batches=[{"serial": 1, "at": 1, "counts": {"aurora.example": [-1, *COUNTS[1:]]}}]),
        changed(batches=[{"serial": 1, "at": 1, "counts": {"aurora.example": [2**40, *COUNTS[1:]]}}]),
        changed(batches=[{"serial": n, "at": 1, "counts": {}} for n in range(MOST_BATCHES + 1)]),
        row(hostname=7),
        row(state="fine"),
        row(state=["up"]),
        row(reason="</td><script>"),
        row(reason=None),
        row(code=1000),
        row(code="200"),
        row(code=True),
        row(since=-1),
        row(since="now"),
        row(certificate_until=10**400),
        row(seen_uid="mine"),
        row(milliseconds=-1),
        row(milliseconds=10**9),
    ],
)
def test_file_of_a_monitor_that_was_taken_over_is_refused(data: bytes) -> None:
    """With a sentence in which nothing of it is repeated."""
    with pytest.raises(ValueError, match=r"^[A-Z]|^badly formed") as caught:
        parse_observed(data, "web1", NAMES)
    text = str(caught.value)
    assert len(text) < 200 and text.isprintable() and "script" not in text and "web2" not in text


def test_report_has_what_is_new_and_ages_instead_of_moments() -> None:
    """All of it to begin with; then what has changed, each once."""
    passed = Passed()
    report = passed.make_report(OBSERVED, 1010.0)
    assert report is not None
    assert (report.boot, report.version, report.seconds) == (BOOT, "1.0", 600.0)
    assert report.observations[0] == {
        "hostname": "aurora.example",
        "state": WRONG_SITE,
        "reason": "wrong-proof",
        "code": 200,
        "age": 110.0,
        "certificate_seconds": 3990,
        "seen_uid": str(OTHER),
        "milliseconds": 12,
    }
    assert report.latencies == [{"hostname": "aurora.example", "age": 20.0, "counts": list(COUNTS)}]
    passed.note_passed(OBSERVED)
    assert passed.make_report(OBSERVED, 1010.0) is None
    later = Observed(
        "web1",
        BOOT,
        "1.0",
        6,
        1020.0,
        400.0,
        (OBSERVED.observations[0]._replace(milliseconds=99), Observation("www.aurora.example", DOWN, since=1015.0)),
        (*OBSERVED.batches, Batch(4, 1019.0, {"www.aurora.example": COUNTS})),
    )
    report = passed.make_report(later, 1020.0)
    assert report is not None
    assert [(one["hostname"], one["age"]) for one in report.observations] == [("www.aurora.example", 5.0)]
    assert [one["hostname"] for one in report.latencies] == ["www.aurora.example"]


def test_report_that_was_not_taken_is_made_again() -> None:
    """Nothing is noted before."""
    passed = Passed()
    assert passed.make_report(OBSERVED, 1010.0) == passed.make_report(OBSERVED, 1010.0)


def test_monitor_that_was_started_again_is_told_from_its_start() -> None:
    """It has another boot, and counts its files from the beginning."""
    passed = Passed()
    passed.note_passed(OBSERVED)
    other = Observed("web1", OTHER, "1.0", 1, 1020.0, None, OBSERVED.observations[:1])
    report = passed.make_report(other, 1020.0)
    assert report is not None and (report.seconds, len(report.observations)) == (0.0, 1)


def test_old_file_says_nothing_of_now() -> None:
    """Nor does one of the time before the machine was started."""
    assert Passed().make_report(OBSERVED, OBSERVED.at + STALE_AFTER + 1) is None
    assert Passed().make_report(OBSERVED, OBSERVED.at - 1) is None
    assert Passed().make_report(OBSERVED, OBSERVED.at) is not None


@pytest.mark.parametrize(
    "values",
    [
        {"hostname": "10.0.0.1"},
        {"hostname": "a.example/x"},
        {"site": "../x"},
        {"uid": "x"},
        {"key": "eHg="},
        {"key": "\x00"},
        {"state": "gone"},
        {"canonical": "x"},
        {"scheme": "ftp"},
        {"path": "//evil.example/"},
        {"path": "/a b"},
        {"path": "/a\r\nHost: b"},
        {"path": "/" + "x" * 300},
        {"path": 1},
        {"pages": {"/": "x"}},
        {"pages": [{"path": "/"}] * (MOST_PAGES + 1)},
        {"pages": [{"path": "x"}]},
        {"pages": [{"path": "/", "status": 99}]},
        {"pages": [{"path": "/", "contains": "x" * 201}]},
        {"pages": ["/"]},
    ],
)
def test_targets_that_are_none_are_refused(values: dict[str, Any]) -> None:
    """As a whole: a list with gaps would look like one in which hostnames are gone."""
    document = json.loads(render_targets("web1", TARGETS))
    document["targets"][0].update(values)
    with pytest.raises(ValueError):
        parse_targets(json.dumps(document).encode())


def test_hostname_that_is_listed_twice_is_refused() -> None:
    """It would be two sites' at once."""
    with pytest.raises(ValueError, match="twice"):
        parse_targets(render_targets("web1", [TARGETS[0], TARGETS[0]]))


def test_clock_is_that_of_the_machine() -> None:
    """All processes read the same one, and nobody sets it."""
    assert 0 < read_clock() <= read_clock()

"""What monitors conclude is kept: as periods, with when they looked, and by the database's clock alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, connection

from tests.control.fleet import OPERATOR, Fleet
from tests.control.monitors import let_pass, note, said
from wagtail_multihost.control.availability import list_latencies, measure_availability
from wagtail_multihost.control.changes import EditSite, RetireSite
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.edits import add_hostname, set_value
from wagtail_multihost.control.models import Event, Monitor, ProbeCoverage, ProbeHour, ProbeLatest, ProbePeriod
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.nodeapi.node_states import FRONT, PLACED
from wagtail_multihost.nodeapi.observations_v1 import LONGEST_GAP, MOST_BEFORE, MOST_CHANGES, MOST_OBSERVATIONS
from wagtail_multihost.nodeapi.probe_states import BUCKETS, DOWN, MAINTENANCE, UNKNOWN, UP, WRONG_SITE

HOST = "aurora.example.com"
#: How far two readings of the clock within a test may be apart.
CLOSE = timedelta(seconds=30)


@pytest.fixture(name="fleet")
def _fleet(fleet: Fleet) -> Fleet:
    fleet.add("aurora")
    return fleet


def latest(hostname: str = HOST, place: str = "outside") -> ProbeLatest:
    return ProbeLatest.objects.get(hostname=hostname, place=place)


def periods(hostname: str = HOST) -> list[tuple[str, int | None]]:
    """Return the states that were not up, the first one first, each with how many whole seconds it lasted."""
    found = ProbePeriod.objects.filter(hostname=hostname).order_by("since")
    return [(one.state, round((one.till - one.since).total_seconds()) if one.till else None) for one in found]


def is_ago(when: datetime, seconds: float) -> bool:
    return abs(database_time() - timedelta(seconds=seconds) - when) < CLOSE


def covered() -> list[int]:
    return [
        round((one.during.upper - one.during.lower).total_seconds()) for one in ProbeCoverage.objects.order_by("during")
    ]


def test_state_is_kept_since_it_became_so_and_takes_no_revision(fleet: Fleet) -> None:
    before = (fleet.revision, Event.objects.count())
    note([said(HOST, UP, certificate_seconds=86_400, milliseconds=37)], seconds=60)
    assert periods() == []
    let_pass(120)
    assert note([said(HOST, DOWN, 100, reason="status", code=502)], seconds=120) == 1
    let_pass(300)
    assert note([said(HOST, UP, 40)], seconds=420) == 1
    assert periods() == [(DOWN, 360)]
    one = ProbePeriod.objects.get()
    assert (one.site, one.place, one.reason, one.code) == (fleet.site("aurora"), "outside", "status", 502)
    found = latest()
    assert (found.state, found.code, found.reason) == (UP, 0, "")
    assert is_ago(found.since, 40) and is_ago(found.first_at, 420)
    assert (fleet.revision, Event.objects.count()) == before


def test_certificate_and_whoever_answered_are_kept(fleet: Fleet) -> None:
    uid = "6f1c2f0e-0b0e-4c59-9a5e-0d7c3f6f0001"
    note(
        [
            said(
                HOST,
                WRONG_SITE,
                reason="wrong-proof",
                code=200,
                certificate_seconds=-3600,
                seen_uid=uid,
                milliseconds=5,
            )
        ]
    )
    found = latest()
    assert (found.seen_uid, found.milliseconds, found.reason) == (UUID(uid), 5, "wrong-proof")
    assert found.certificate_until is not None and is_ago(found.certificate_until, 3600)
    note([said(HOST, WRONG_SITE, reason="wrong-proof", code=200, certificate_seconds=86_400)])
    found = latest()
    assert found.certificate_until is not None and is_ago(found.certificate_until, -86_400)
    assert found.seen_uid is None
    assert len(periods()) == 1, "what is measured is no other state"


def test_site_that_has_proven_itself_once_is_known_to_do_so(fleet: Fleet) -> None:
    """It may not be unlearnt by what answers in its place."""
    note([said(HOST, UP, reason="no-proof")])
    assert not latest().has_proven
    for state, reason in ((UP, ""), (DOWN, "no-proof"), (UP, "no-proof")):
        note([said(HOST, state, reason=reason)])
        assert latest().has_proven


def test_same_again_writes_nothing(fleet: Fleet) -> None:
    """As monitors and agents say all of it when they start."""
    note([said(HOST, DOWN, reason="timeout")], seconds=60)
    before = (latest().since, latest().allowance)
    let_pass(0)
    assert note([said(HOST, DOWN, 10_000, reason="timeout")], seconds=60, boot=UUID(int=2)) == 0
    assert (latest().since, latest().allowance) == before
    assert periods() == [(DOWN, None)]


def test_another_reason_is_another_period(fleet: Fleet) -> None:
    note([said(HOST, DOWN, reason="timeout")], seconds=60)
    let_pass(60)
    note([said(HOST, DOWN, reason="status", code=502)], seconds=120)
    assert periods() == [(DOWN, 60), (DOWN, None)]


def test_change_is_not_dated_before_what_the_place_stood_by(fleet: Fleet) -> None:
    """Whatever age is stated: of a monitor whose clock went wrong, or that would make an outage of an hour unseen."""
    note([said(HOST, DOWN)], seconds=60)
    let_pass(7200)
    note(seconds=7200)
    let_pass(60)
    note([said(HOST, UP, 7000)], seconds=60)
    assert periods() == [(DOWN, 7200 - MOST_BEFORE)]


@pytest.mark.parametrize("age", [31_536_000, -31_536_000, 1e300, "1e400", None, "x", True, [1], {}])
def test_clock_that_is_off_by_a_year_moves_nothing_out_of_its_time(fleet: Fleet, age: Any) -> None:
    note([said(HOST, UP)], seconds=60)
    let_pass(60)
    note([said(HOST, DOWN) | {"age": age}], seconds=60)
    since = ProbePeriod.objects.get().since
    assert timedelta(0) <= database_time() - since <= timedelta(seconds=60) + CLOSE


def test_coverage_is_extended_and_a_gap_begins_another(fleet: Fleet) -> None:
    note(seconds=30)
    assert covered() == [30]
    let_pass(LONGEST_GAP - 1)
    note(seconds=1)
    assert covered() == [30 + LONGEST_GAP - 1], "it looked again soon enough"
    let_pass(LONGEST_GAP + 60)
    note(seconds=1)
    assert covered() == [30 + LONGEST_GAP - 1, 1]
    let_pass(3600)
    note(seconds=4000)
    assert covered()[1:] == [3601], "it looked on while the database was away"
    let_pass(60)
    note(seconds=0)
    assert covered()[1:] == [3601], "it does not say that it looked"
    assert ProbeCoverage.objects.count() == 2


@pytest.mark.parametrize("seconds", [1e300, float("inf"), float("nan"), -5.0])
def test_no_place_says_that_it_has_looked_for_ever(fleet: Fleet, seconds: float) -> None:
    note([said(HOST, UP, 9_999_999)], seconds=seconds)
    assert all(0 < length <= MOST_BEFORE for length in covered())
    assert is_ago(latest().first_at, MOST_BEFORE)


def test_words_that_are_on_no_list_and_hostnames_of_nobody_are_left_out(fleet: Fleet) -> None:
    evil = "\x1b[2J<script>"
    note(
        [
            said(HOST, "broken"),
            said("foreign.example.com", DOWN),
            said("", DOWN),
            {"state": DOWN},
            "aurora.example.com",
            None,
            [[[]]],
            said(HOST, DOWN, reason=evil, code=10**30, certificate_seconds=10**40, milliseconds=-1, seen_uid=evil),
        ],
        seconds=60,
    )
    found = latest()
    assert (found.state, found.reason, found.code) == (DOWN, "", 0)
    assert (found.certificate_until, found.milliseconds, found.seen_uid) == (None, None, None)
    assert ProbeLatest.objects.count() == 1


@pytest.mark.parametrize("report", [{"observations": {}}, {"latencies": "x"}, {"observations": None}])
def test_report_that_is_no_list_is_refused(fleet: Fleet, report: dict[str, Any]) -> None:
    from psycopg.types.json import Jsonb

    values = {"observations": [], "latencies": []} | report
    with pytest.raises(DataError, match="two lists"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT control_note_observations('outside', NULL, '1', 1, %s, %s)",
            [Jsonb(values["observations"]), Jsonb(values["latencies"])],
        )


def test_report_is_bounded_in_bytes_and_rows(fleet: Fleet) -> None:
    with pytest.raises(DataError, match="at most"):
        note(["x" * 5_000_000])


def test_further_observations_of_one_report_are_left_out(fleet: Fleet) -> None:
    note([said("foreign.example.com")] * MOST_OBSERVATIONS + [said(HOST, DOWN)], seconds=60)
    assert not ProbeLatest.objects.exists()


def test_flapping_fills_no_disk_and_is_unknown_beyond_its_allowance(fleet: Fleet) -> None:
    """Nothing of it counts as up. It is exact again when there is an allowance, and other hostnames always are."""
    fleet.add("borealis")
    for number in range(3 * MOST_CHANGES):
        note([said(HOST, (DOWN, UP)[number % 2])], seconds=60)
    note([said("borealis.example.com", DOWN)], seconds=60)
    assert ProbePeriod.objects.filter(hostname=HOST).count() <= MOST_CHANGES // 2 + 2
    assert latest().state == UNKNOWN
    assert periods("borealis.example.com") == [(DOWN, None)]
    let_pass(3600)
    note([said(HOST, UP)], seconds=60)
    assert latest().state == UP


def test_hostname_that_a_place_has_no_more_is_unknown_from_its_last_report_on(fleet: Fleet) -> None:
    note([said(HOST, UP)], seconds=60)
    let_pass(60)
    note(seconds=60)
    let_pass(60)
    fleet.apply(EditSite(fleet.site("aurora").uid, set_value(("enabled",), False)))
    assert note(seconds=60) == 1
    assert (latest().state, periods()) == (UNKNOWN, [(UNKNOWN, None)])
    assert is_ago(ProbePeriod.objects.get().since, 60)
    fleet.apply(EditSite(fleet.site("aurora").uid, set_value(("enabled",), True)))
    assert note(seconds=60) == 0
    assert note([said(HOST, UP)], seconds=60) == 1
    assert latest().state == UP


def test_hostname_that_is_another_sites_begins_anew(fleet: Fleet) -> None:
    note([said(HOST, DOWN)], seconds=60)
    let_pass(60)
    note(seconds=60)
    site = fleet.site("aurora")
    fleet.apply(RetireSite(site.uid))
    note(seconds=60)
    with connection.cursor() as cursor:  # retired names are kept for their site
        cursor.execute("DELETE FROM control_claim")
    other = fleet.add("borealis", HOST)
    let_pass(60)
    note([said(HOST, UP)], seconds=1)
    assert latest().site == other
    assert is_ago(latest().first_at, 0)
    found = measure_availability([other.uid], [timedelta(days=1)], database_time())
    assert found[other.uid][timedelta(days=1)].down == 0


def test_node_says_nothing_of_hostnames_that_are_not_placed_on_it(fleet: Fleet) -> None:
    """What is placed there counts from when it says so, and no more once it is taken away."""
    borealis = fleet.add("borealis")
    save_group(OPERATOR, "few", PLACED)
    save_node(OPERATOR, "web1", "few")
    place_sites(OPERATOR, "web1", [borealis])
    both = [said(HOST, DOWN), said("borealis.example.com", DOWN)]
    counted = [{"hostname": name, "age": 0, "counts": [1] * BUCKETS} for name in (HOST, "borealis.example.com")]
    assert note(both, place="web1", seconds=60, latencies=counted) == 1
    assert note(both, place="nowhere", seconds=60) == 0
    assert [one.hostname for one in ProbeLatest.objects.all()] == ["borealis.example.com"]
    assert [one.hostname for one in ProbeHour.objects.all()] == ["borealis.example.com"]


def test_front_servers_have_no_hostnames(fleet: Fleet) -> None:
    save_group(OPERATOR, "edge", FRONT)
    save_node(OPERATOR, "front1", "edge")
    assert note([said(HOST, DOWN)], place="front1", seconds=60) == 0


def test_aliases_and_other_hostnames_are_looked_at_too(fleet: Fleet) -> None:
    fleet.apply(EditSite(fleet.site("aurora").uid, add_hostname("alias.example.com", "alias")))
    assert note([said("alias.example.com", MAINTENANCE), said(HOST, UP)]) == 2


def test_latencies_are_added_to_the_hour_in_which_they_were_counted(fleet: Fleet) -> None:
    """Hours are those of UTC, whatever time zone a session has."""
    now = database_time()
    to_former = now.minute * 60 + now.second + 1
    one = {"hostname": HOST, "age": 0, "counts": [*range(BUCKETS)]}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone = 'Asia/Kolkata'")
    note(latencies=[one, one, {**one, "age": to_former, "counts": [1] * BUCKETS}])
    note(latencies=[one])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone = 'UTC'")
    rows = ProbeHour.objects.order_by("-hour")
    assert [(row.hour.minute, row.histogram) for row in rows] == [
        (0, [3 * number for number in range(BUCKETS)]),
        (0, [1] * BUCKETS),
    ]
    assert rows[0].hour - rows[1].hour == timedelta(hours=1)
    assert len(list_latencies(fleet.site("aurora").uid, timedelta(hours=3), now)) <= 1, "not before it was made"


def test_latencies_that_are_none_do_not_count(fleet: Fleet) -> None:
    odd = [[1], [1] * 99, ["x"] * BUCKETS, [-1] * BUCKETS, [10**30] * BUCKETS, [None] * BUCKETS, [[1]] * BUCKETS, {}, 7]
    note(latencies=[{"hostname": HOST, "age": 0, "counts": counts} for counts in odd] + [7, None, "x"])
    assert all(sum(row.histogram) == 0 for row in ProbeHour.objects.all())
    huge = {"hostname": HOST, "age": 0, "counts": [9_999_999] * BUCKETS}
    for _ in range(3):
        note(latencies=[huge] * 100)
    assert max(ProbeHour.objects.get().histogram) == 1_000_000_000


def test_place_says_who_it_is(fleet: Fleet) -> None:
    note(boot=UUID(int=7))
    found = Monitor.objects.get()
    assert (found.place, found.boot, found.version) == ("outside", UUID(int=7), "1")
    assert found.seen_at is not None and is_ago(found.seen_at, 0)

"""How long sites were up equals cases that were computed by hand, and a simulation minute by minute."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.control.fleet import Fleet
from tests.control.history import HOUR, LONG_AGO, NOW, Seen, at, of, set_age, skipped
from wagtail_multihost.control.availability import (
    NOTHING,
    Availability,
    describe_share,
    list_days,
    list_latencies,
    list_periods,
    measure_availability,
    measure_spans,
)
from wagtail_multihost.control.changes import EditSite, RetireSite
from wagtail_multihost.control.edits import make_canonical, set_value
from wagtail_multihost.control.models import Hostname, Maintenance, ManagedSite, ProbeHour
from wagtail_multihost.nodeapi.probe_states import BUCKETS, DOWN, MAINTENANCE, OUTSIDE, SUSPENDED, UNKNOWN, WRONG_SITE

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
ALWAYS = (LONG_AGO, NOW)


@pytest.fixture(name="seen")
def _seen(fleet: Fleet) -> Seen:
    return Seen(fleet.add("aurora"))


def test_outage_counts_by_its_seconds(seen: Seen) -> None:
    seen.look(ALWAYS)
    seen.was(DOWN, at(10), at(9.5))
    seen.was(WRONG_SITE, at(3), at(3) + timedelta(microseconds=1))
    found = seen.last(24)
    assert (found.up, found.down) == (23.5 * HOUR - 1e-6, 0.5 * HOUR + 1e-6)
    assert found.share == pytest.approx(1 - (1800 + 1e-6) / 86_400, abs=1e-15)


@pytest.mark.parametrize(
    ("since", "till", "down"),
    [
        (at(30), at(23), 1),
        (at(24), at(23), 1),
        (at(25), at(24), 0),
        (at(2), None, 2),
        (at(2), at(-3), 2),
        (at(0), None, 0),
        (at(40), None, 24),
        (at(40), at(-1), 24),
    ],
    ids=["into it", "from its edge", "up to its edge", "still", "over its end", "at its end", "all of it", "beyond it"],
)
def test_periods_across_the_edges_of_the_window(
    seen: Seen, since: datetime, till: datetime | None, down: float
) -> None:
    seen.look(ALWAYS)
    seen.was(DOWN, since, till)
    assert seen.last(24) == of(up=24 - down, down=down)


def test_outage_of_the_monitor_is_unknown_and_makes_nothing_better(seen: Seen) -> None:
    """Two hours of an outage of three were not seen: one is down, and two are nobody's."""
    seen.look((LONG_AGO, at(10)), (at(8), NOW))
    seen.was(DOWN, at(10.5), at(7.5))
    found = seen.last(24)
    assert found == of(up=21, down=1, unknown=2)
    assert describe_share(found) == "95.45 %, 8.3 % not observed"


def test_outage_that_lasts_while_nobody_looks_any_more_is_unknown_since_then(seen: Seen) -> None:
    seen.look((LONG_AGO, at(5)))
    seen.was(DOWN, at(6), None)
    assert seen.last(24) == of(up=18, down=1, unknown=5)


def test_hostname_that_is_younger_than_the_window_counts_from_when_it_was_added(seen: Seen) -> None:
    set_age(seen.site, LONG_AGO, at(6))
    seen.look(ALWAYS, first=at(6))
    seen.was(DOWN, at(1), None)
    assert seen.last(24) == seen.last(24 * 30) == of(up=5, down=1)
    assert seen.last(2) == of(up=1, down=1)


def test_site_that_is_younger_than_the_window_counts_from_when_it_was_made(seen: Seen) -> None:
    set_age(seen.site, at(6))
    seen.look(ALWAYS, first=at(5))
    assert seen.last(24) == of(up=5, unknown=1), "made six hours ago, and looked at an hour later"


def test_skipped_hostname_is_unknown_and_not_up(seen: Seen) -> None:
    seen.look(ALWAYS)
    skipped(seen, [(at(20), at(18)), (at(1), at(0))])
    assert seen.last(24) == of(up=21, unknown=3)


def test_hostname_that_was_never_looked_at_is_unknown(seen: Seen, fleet: Fleet) -> None:
    other = Seen(fleet.add("borealis"))
    other.look(ALWAYS)
    found = seen.last(24)
    assert found == of(unknown=24, by="")
    assert (found.share, describe_share(found)) == (None, "not observed")


def test_maintenance_is_left_out_and_shown(seen: Seen) -> None:
    """Windows that overlap count once, those of all sites too, and what was down in them is no outage."""
    seen.look(ALWAYS)
    seen.was(DOWN, at(10), at(6))
    seen.maintained(at(9), at(7))
    seen.maintained(at(8), at(7.5))
    seen.maintained(at(7.5), at(6.5), everywhere=True)
    found = seen.last(24)
    assert found == of(up=20, down=1.5, maintenance=2.5)
    assert describe_share(found) == "93.02 %, 10.4 % maintenance"


def test_maintenance_that_nobody_watches_is_maintenance(seen: Seen) -> None:
    """It was stated before, and is not what was not observed."""
    seen.look((LONG_AGO, at(10)), (at(6), NOW))
    seen.maintained(at(11), at(8))
    assert seen.last(24) == of(up=19, maintenance=3, unknown=2)


def test_maintenance_of_another_site_does_not_count(seen: Seen, fleet: Fleet) -> None:
    seen.look(ALWAYS)
    Seen(fleet.add("borealis")).maintained(at(9), at(7))
    assert seen.last(24) == of(up=24)


@pytest.mark.parametrize("state", [MAINTENANCE, SUSPENDED])
def test_what_a_monitor_takes_for_maintenance_is_left_out(seen: Seen, state: str) -> None:
    seen.look(ALWAYS)
    seen.was(state, at(5), at(3))
    assert seen.last(24) == of(up=22, maintenance=2)


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("state",), "maintenance", "maintenance"),
        (("state",), "suspended", "suspended"),
        (("enabled",), False, "disabled"),
    ],
)
def test_own_record_is_maintenance_while_it_says_so(
    seen: Seen, fleet: Fleet, path: tuple, value: object, word: str
) -> None:
    """Also of a site that is disabled: nobody looks at it then."""
    before = seen.site.record
    fleet.apply(EditSite(seen.site.uid, set_value(path, value)))
    lasting = Maintenance.objects.get()
    assert (lasting.site_id, lasting.reason, lasting.till, lasting.of_record) == (seen.site.uid, word, None, True)
    fleet.apply(EditSite(seen.site.uid, set_value(("labels",), {"a": "b"})))
    assert Maintenance.objects.get() == lasting, "another change ends nothing"
    fleet.apply(EditSite(seen.site.uid, set_value(path, before.get(path[0], "active" if path[0] == "state" else True))))
    assert Maintenance.objects.get().till is not None
    Maintenance.objects.update(since=at(5), till=at(4))
    seen.look(ALWAYS)
    seen.was(DOWN, at(5), at(3))
    assert seen.last(24) == of(up=22, down=1, maintenance=1)


def test_place_outside_counts_where_it_looked_within_the_window(seen: Seen) -> None:
    """What nodes say is asked only where it did not; so a figure has one source."""
    seen.look((at(3), NOW), first=at(3))
    seen.was(DOWN, at(1), None)
    seen.look(ALWAYS, place="web1")
    seen.was(DOWN, at(6), at(5), place="web1")
    assert seen.last(3) == of(up=2, down=1)
    assert seen.last(24) == of(up=2, down=1, unknown=21)
    (earlier,) = seen.measure((at(24), at(4)))
    assert earlier == of(up=19, down=1, by="inside")


def test_site_is_down_inside_when_all_nodes_that_look_say_so(seen: Seen) -> None:
    """One is down alone for an hour, both for half of one, and one alone looks at the end and says down."""
    seen.look((LONG_AGO, at(2)), place="web1")
    seen.look(ALWAYS, place="web2")
    seen.was(DOWN, at(10), at(8.5), place="web1")
    seen.was(WRONG_SITE, at(9), at(7), place="web2")
    seen.was(DOWN, at(1), None, place="web2")
    assert seen.last(24) == of(up=22.5, down=1.5, by="inside")


def test_node_that_has_the_site_no_more_says_nothing_of_it(seen: Seen) -> None:
    """It still looks at others. What it does not know is not up."""
    seen.look(ALWAYS, place="web1")
    seen.was(UNKNOWN, at(10), None, place="web1")
    seen.look(ALWAYS, place="web2", first=at(10))
    seen.was(DOWN, at(4), at(3), place="web2")
    assert seen.last(24) == of(up=23, down=1, by="inside")


def test_maintenance_inside_counts_where_no_node_is_up(seen: Seen) -> None:
    for place in ("web1", "web2"):
        seen.look(ALWAYS, place=place)
    seen.was(MAINTENANCE, at(10), at(6), place="web1")
    seen.was(DOWN, at(8), at(7), place="web2")
    assert seen.last(24) == of(up=23, maintenance=1, by="inside")


def test_other_hostnames_do_not_count_but_the_canonical_one(fleet: Fleet) -> None:
    """It is the first of the record; what takes its place counts from then on."""
    seen = Seen(fleet.add("aurora", "www.aurora.example", "aurora.example", aliases=["old.aurora.example"]))
    seen.look(ALWAYS)
    seen.was(DOWN, at(5), at(4), hostname="aurora.example")
    seen.was(DOWN, at(3), at(2.5))
    assert seen.hostname == "www.aurora.example"
    assert seen.last(24) == of(up=23.5, down=0.5)
    fleet.apply(EditSite(seen.site.uid, make_canonical("aurora.example")))
    assert seen.site.hostnames.get(is_canonical=True).name == "aurora.example"
    assert seen.last(24) == of(unknown=24, by=""), "nobody has looked at it"


def test_site_does_not_inherit_the_outages_of_whoever_had_its_hostname(seen: Seen, fleet: Fleet) -> None:
    seen.look(ALWAYS)
    former = Seen(fleet.add("borealis"))
    former.was(DOWN, at(5), at(4), hostname=seen.hostname)
    assert seen.last(24) == of(up=24)
    assert [one.hostname for one in list_periods(former.site.uid, timedelta(hours=24), NOW)] == [seen.hostname]
    assert list_periods(seen.site.uid, timedelta(hours=24), NOW) == []


def test_hostnames_that_there_were_before_are_marked_too(fleet: Fleet) -> None:
    """By the migration: names of records are as people wrote them, and a retired site has none."""
    fleet.add("aurora", "WWW.Aurora.Example", "aurora.example")
    fleet.add("borealis", "bücher.example")
    fleet.apply(RetireSite(fleet.add("cordelia").uid))
    marked = {name for name, is_canonical in Hostname.objects.values_list("name", "is_canonical") if is_canonical}
    assert marked == {"www.aurora.example", "xn--bcher-kva.example"}
    Hostname.objects.update(is_canonical=False)
    import_module("wagtail_multihost.control.migrations.0004_availability").mark_canonical(apps, None)
    assert {one.name for one in Hostname.objects.filter(is_canonical=True)} == marked


DAYS = [
    (BERLIN, date(2026, 3, 29), 23, datetime(2026, 3, 29, 0, 30, tzinfo=UTC), 1.0, 1),
    (BERLIN, date(2026, 10, 25), 25, datetime(2026, 10, 24, 23, 30, tzinfo=UTC), 3.0, 3),
    (NEW_YORK, date(2026, 3, 8), 23, datetime(2026, 3, 8, 4, 0, tzinfo=UTC), 2.0, 1),
    (NEW_YORK, date(2026, 11, 1), 25, datetime(2026, 11, 2, 4, 30, tzinfo=UTC), 2.0, 0.5),
    (BERLIN, date(2026, 6, 14), 24, datetime(2026, 6, 14, 21, 0, tzinfo=UTC), 3.0, 1),
]


@pytest.mark.parametrize(("zone", "day", "hours", "since", "length", "down"), DAYS)
def test_days_of_a_calendar(
    seen: Seen, zone: ZoneInfo, day: date, hours: float, since: datetime, length: float, down: float
) -> None:
    """
    Of 23 and 25 hours where clocks are changed. In Berlin the first outage is from 1:30 to 3:30 by clocks that were put
    forward at 2, an hour; the second from 1:30 to 3:30 by clocks that were put back at 3, three hours. The others reach
    over midnight: at 5:00 UTC in New York, on the 2nd of November too, and at 22:00 UTC in Berlin in June.
    """
    now = datetime(2026, 12, 1, 12, tzinfo=UTC)
    seen.look((LONG_AGO, now))
    seen.was(DOWN, since, since + timedelta(hours=length))
    days = {one.date: one.availability for one in list_days(seen.site.uid, 300, zone, now)}
    assert len(days) == 300
    assert days[day] == of(up=hours - down, down=down)
    assert sum(one.down for one in days.values()) == length * HOUR, "no second is lost or counted twice"
    today = days[date(2026, 12, 1)]
    assert today == of(up=13 if zone is BERLIN else 7), "it is over at noon UTC"


def test_days_before_a_site_was_made_are_empty(seen: Seen) -> None:
    set_age(seen.site, at(13))
    seen.look(ALWAYS, first=at(13))
    days = list_days(seen.site.uid, 3, UTC, NOW)
    assert [one.availability for one in days] == [of(by=""), of(up=1), of(up=12)]
    assert describe_share(days[0].availability) == ""


def test_sum_is_the_window_and_equals_a_simulation(seen: Seen) -> None:
    """Random periods, coverage and maintenance of three places, minute by minute in sets."""
    chance = random.Random(15)
    for _ in range(25):
        case = SimulatedCase(seen, chance)
        for hours in (1, 7, 24, 48):
            found = seen.last(hours)
            assert found == case.expected(hours * 60)
            assert found.whole == hours * HOUR


class SimulatedCase:
    """A history of 48 hours by random, in the database and as sets of minutes before NOW."""

    MINUTES = 48 * 60

    def __init__(self, seen: Seen, chance: random.Random) -> None:
        for table in ("control_probe_period", "control_probe_coverage", "control_probe_latest", "control_maintenance"):
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {table}")
        self.chance = chance
        self.states: dict[str, dict[int, str]] = {}
        self.looked: dict[str, set[int]] = {}
        self.planned: set[int] = set()
        for place in chance.sample([OUTSIDE, "web1", "web2"], chance.randint(0, 3)):
            spans = [*self.spans(3)]
            first = self.MINUTES - chance.randrange(400)
            seen.look(*((self.time(a), self.time(b)) for a, b in spans), place=place, first=self.time(first))
            self.looked[place] = {m for a, b in spans for m in range(b, a)} & set(range(first))
            self.states[place] = {}
            for a, b in self.spans(12):
                state = chance.choice([DOWN, WRONG_SITE, MAINTENANCE, SUSPENDED, UNKNOWN])
                seen.was(state, self.time(a), self.time(b), place=place)
                self.states[place] |= dict.fromkeys(range(b, a), state)
        for a, b in self.spans(chance.randint(0, 3)):
            seen.maintained(self.time(a), self.time(b), everywhere=chance.random() < 0.5)
            self.planned |= set(range(b, a))

    def spans(self, count: int) -> Iterator[tuple[int, int]]:
        """Yield spans that do not overlap, in minutes before NOW: the begin, the greater number, and the end."""
        edges = sorted(self.chance.sample(range(self.MINUTES), 2 * count), reverse=True)
        yield from zip(edges[::2], edges[1::2], strict=True)

    @staticmethod
    def time(minutes: int) -> datetime:
        return NOW - timedelta(minutes=minutes)

    def expected(self, window: int) -> Availability:
        """Return what the minutes say: each is that of its number before NOW, 0 the last one."""
        knows = {
            place: {m for m in range(window) if m in looked and self.states[place].get(m) != UNKNOWN}
            for place, looked in self.looked.items()
        }
        inside = [place for place in knows if place != OUTSIDE]
        by = OUTSIDE if knows.get(OUTSIDE) else "inside" if any(knows[place] for place in inside) else ""
        places = [OUTSIDE] if by == OUTSIDE else inside
        seconds = dict.fromkeys(("up", "down", "maintenance", "unknown"), 0.0)
        for minute in range(window):
            seconds[self.word_of(minute, [self.states[p].get(minute, "up") for p in places if minute in knows[p]])] += (
                60
            )
        return Availability(**seconds, seen_from=by)

    def word_of(self, minute: int, said: list[str]) -> str:
        closed = {MAINTENANCE, SUSPENDED}.intersection(said)
        if minute in self.planned or (closed and "up" not in said):
            return "maintenance"
        if not said:
            return "unknown"
        return "up" if "up" in said else "down"


def test_many_sites_and_windows_are_one_query(fleet: Fleet) -> None:
    sites = [Seen(fleet.add(f"site-{number}")) for number in range(6)]
    for number, one in enumerate(sites):
        one.was(DOWN, at(number), None)
    sites[0].look(ALWAYS)
    for one in sites[1:]:
        one.look()
    stranger = ManagedSite().uid
    windows = [timedelta(hours=24), timedelta(days=7)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = measure_availability([*(one.site.uid for one in sites), stranger], windows, NOW)
    assert len(queries) == 1
    for number, one in enumerate(sites):
        assert found[one.site.uid] == {
            windows[0]: of(up=24 - number, down=number),
            windows[1]: of(up=168 - number, down=number),
        }
    assert found[stranger] == dict.fromkeys(windows, NOTHING)
    assert measure_availability([], windows, NOW) == {}
    assert measure_spans([stranger], []) == {stranger: []}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        ((100, 0, 0, 0), "100 %"),
        ((99.999, 0.001, 0, 0), "99.99 %"),
        ((86_400 * 400, 1e-6, 0, 0), "99.99 %"),
        ((99.98, 0.02, 0, 0), "99.98 %"),
        ((97.88, 0.0196, 0, 2.1), "99.97 %, 2.1 % not observed"),
        ((97.9, 0, 0, 2.1), "no outage seen, 2.1 % not observed"),
        ((1000, 0, 0, 0.001), "no outage seen, less than 0.1 % not observed"),
        ((0, 10, 0, 10), "0 %, 50 % not observed"),
        ((0, 0, 0, 10), "not observed"),
        ((0, 0, 10, 0), "maintenance"),
        ((0, 0, 5, 5), "50 % not observed, 50 % maintenance"),
        ((50, 0, 50, 0), "100 %, 50 % maintenance"),
        ((0, 0, 0.001, 1000), "99.9 % not observed, less than 0.1 % maintenance"),
        ((0, 0, 0, 0), ""),
    ],
)
def test_share_in_words_is_never_rounded_up(seconds: tuple[float, ...], text: str) -> None:
    assert describe_share(Availability(*seconds)) == text


def test_periods_are_listed_of_all_hostnames_and_places(seen: Seen) -> None:
    seen.was(DOWN, at(30), at(25))
    seen.was(DOWN, at(26), at(23))
    seen.was(WRONG_SITE, at(5), None, place="web1", hostname="www.aurora.example")
    found = list_periods(seen.site.uid, timedelta(hours=24), NOW)
    assert [(one.hostname, one.place, one.state, one.since, one.till) for one in found] == [
        ("www.aurora.example", "web1", WRONG_SITE, at(5), None),
        (seen.hostname, OUTSIDE, DOWN, at(26), at(23)),
    ]


def counts(**by_bucket: int) -> list[int]:
    return [by_bucket.get(f"b{number}", 0) for number in range(BUCKETS)]


def test_latencies_are_quantiles_by_hours_of_one_source(seen: Seen) -> None:
    """Of 100 answers 50 are below 10 ms, 45 in (50, 100] and 5 in (700, 1000]; nodes count where nothing is outside."""
    hour = NOW.replace(minute=0)
    for place, when, histogram in (
        ("web1", hour - timedelta(hours=2), counts(b0=1)),
        ("web2", hour - timedelta(hours=2), counts(b0=2)),
        (OUTSIDE, hour - timedelta(hours=1), counts(b0=50, b3=45, b7=5)),
    ):
        ProbeHour.objects.create(hostname=seen.hostname, place=place, hour=when, histogram=histogram)
    (point,) = list_latencies(seen.site.uid, timedelta(hours=24), NOW)
    assert (point.at, point.count, point.p50, point.p95) == (hour - timedelta(hours=1), 100, 10, 100)
    assert point.p99 == pytest.approx(940)
    ProbeHour.objects.filter(place=OUTSIDE).delete()
    (point,) = list_latencies(seen.site.uid, timedelta(hours=24), NOW)
    assert (point.at, point.count, point.p50) == (hour - timedelta(hours=2), 3, 5)

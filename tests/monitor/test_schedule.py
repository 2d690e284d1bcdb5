"""When hostnames are asked."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from wagtail_multihost.monitor.schedule import JITTER, SOON, Schedule

NAMES = {f"site-{number}.example" for number in range(600)}
PERIOD = 60.0


def run(schedule: Schedule, since: float, until: float, step: float = 0.25) -> list[tuple[float, str]]:
    """Return when each hostname was asked, with a look at the schedule each ``step``."""
    found, now = [], since
    while now < until:
        found += [(now, name) for name in schedule.take_due(now)]
        now += step
    return found


def test_each_is_asked_once_in_a_period_at_its_own_moment() -> None:
    """Give or take the jitter, and the same after a restart."""
    schedule = Schedule("outside", PERIOD)
    schedule.replace(NAMES, 1000.0, is_first=True)
    asked = run(schedule, 1000.0, 1000.0 + 10 * PERIOD)
    by_name: dict[str, list[float]] = {}
    for moment, name in asked:
        by_name.setdefault(name, []).append(moment)
    assert by_name.keys() == NAMES
    for moments in by_name.values():
        gaps = [later - former for former, later in pairwise(moments)]
        assert min(gaps) >= PERIOD * (1 - 2 * JITTER) - 0.5
        assert max(gaps) <= PERIOD * (1 + 2 * JITTER) + 0.5
    other = Schedule("outside", PERIOD)
    other.replace(NAMES, 1000.0 + 3 * PERIOD, is_first=True)
    later = {name: moment for moment, name in run(other, 1180.0, 1180.0 + PERIOD)}
    assert all(any(abs(later[name] - moment) < 0.5 for moment in by_name[name]) for name in later)


def test_hundreds_never_align() -> None:
    """No second has many more than its share, which is ten."""
    schedule = Schedule("outside", PERIOD)
    schedule.replace(NAMES, 0.0, is_first=True)
    seconds = Counter(int(moment) for moment, _ in run(schedule, 0.0, 20 * PERIOD))
    assert max(seconds.values()) <= 40
    assert len(seconds) > 19 * PERIOD * 0.95


def test_nodes_do_not_ask_in_step() -> None:
    """The moments of a hostname that two nodes serve are different ones."""
    moments = []
    for place in ("web1", "web2"):
        schedule = Schedule(place, PERIOD)
        schedule.replace(NAMES, 0.0, is_first=True)
        moments.append({name: moment for moment, name in run(schedule, 0.0, PERIOD * 1.1)})
    same = sum(abs(moments[0].get(name, -9) - moments[1].get(name, 99)) < 1 for name in NAMES)
    assert same < len(NAMES) / 10


def test_what_was_missed_is_not_made_up_for_all_at_once() -> None:
    """After an hour of sleep the hostnames are asked over a period again."""
    schedule = Schedule("outside", PERIOD)
    schedule.replace(NAMES, 0.0, is_first=True)
    run(schedule, 0.0, PERIOD)
    assert len(schedule.take_due(3600.0)) < len(NAMES) * 0.6
    seconds = Counter(int(moment) for moment, _ in run(schedule, 3600.25, 3600.0 + PERIOD))
    assert max(seconds.values()) <= 40


def test_new_hostname_is_asked_soon_and_a_removed_one_no_more() -> None:
    """Without waiting for its turn."""
    schedule = Schedule("outside", PERIOD)
    schedule.replace({"a.example"}, 0.0, is_first=True)
    schedule.replace({"b.example"}, 100.0)
    asked = run(schedule, 100.0, 100.0 + SOON + 1)
    assert [name for _, name in asked] == ["b.example"]


def test_second_look_comes_soon() -> None:
    """Well within the period, and then the hostname has its turn as before."""
    schedule = Schedule("outside", PERIOD)
    schedule.replace({"a.example"}, 0.0, is_first=True)
    ((first, _),) = run(schedule, 0.0, PERIOD * 1.1)[:1]
    schedule.look_again("a.example", first)
    ((second, _), (third, _)) = run(schedule, first, first + 1.5 * PERIOD)[:2]
    assert 0 < second - first <= 10.5
    assert third - second > PERIOD / 2
    schedule.look_again("unknown.example", first)


def test_list_that_changes_often_takes_no_more_memory() -> None:
    """Moments that were put off do not pile up."""
    schedule = Schedule("outside", PERIOD)
    for number in range(1000):
        schedule.replace({"a.example"}, float(number), is_first=not number)
        schedule.ask_soon("a.example", float(number))
    assert len(schedule.queue) < 200


def test_empty_schedule_waits() -> None:
    """A whole period, and otherwise until the next moment."""
    schedule = Schedule("outside", PERIOD)
    assert schedule.next_due(5.0) == PERIOD
    schedule.replace({"a.example"}, 0.0, is_first=True)
    assert 0 < schedule.next_due(0.0) <= PERIOD * 1.1
    assert schedule.next_due(1000.0) == 0

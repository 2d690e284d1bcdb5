"""The geometry of the charts: exact rectangles and paths, whatever days and measurements there are."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from wagtail_multihost.control.dashboard.charts import (
    DAY_HEIGHT,
    LINE_HEIGHT,
    LINE_WIDTH,
    Bar,
    Line,
    Part,
    choose_top,
    draw_days,
    draw_line,
    scale,
    split,
    stack,
    width_of_days,
)

HOUR = timedelta(hours=1)
START = datetime(2026, 11, 30, 12, tzinfo=UTC)
END = START + 24 * HOUR
BERLIN = ZoneInfo("Europe/Berlin")
UP_ALL_DAY = [("down", 0.0), ("up", 86400.0)]


def line(*points: tuple[datetime, float | None], start: datetime = START, end: datetime = END) -> Line:
    return draw_line(points, start, end, HOUR, 700)


@pytest.mark.parametrize(
    ("amounts", "lengths"),
    [
        ([], []),
        ([0, 0], [0, 0]),
        ([1], [40]),
        ([1, 1], [20, 20]),
        ([1, 1, 1], [14, 13, 13]),
        ([86399, 1], [39, 1]),
        ([1, 86399], [1, 39]),
        ([1, 1, 86398], [1, 1, 38]),
        ([43200, 0, 43200], [20, 0, 20]),
        ([-5, 5], [0, 40]),
        ([math.nan, 5, math.inf], [0, 40, 0]),
        ([1e308, 1e308, 1e308, 1e308], [10, 10, 10, 10]),
        ([1e300, 1e-300], [39, 1]),
        ([5e-324, 5e-324], [20, 20]),
    ],
)
def test_height_is_split_whole_and_by_amounts(amounts: list[float], lengths: list[int]) -> None:
    assert split(amounts, 40) == lengths
    assert sum(lengths) in (0, 40)


def test_short_outage_is_seen() -> None:
    """One second of a day is a unit high, and is on top."""
    assert stack([("down", 1.0), ("up", 86399.0)], DAY_HEIGHT) == (Part("down", 0, 1), Part("up", 1, 39))


def test_parts_touch_and_fill_the_day() -> None:
    parts = stack([("down", 10), ("unknown", 20), ("maintenance", 0), ("up", 70)], DAY_HEIGHT)
    assert parts == (Part("down", 0, 4), Part("unknown", 4, 8), Part("up", 12, 28))


def test_days_end_at_the_right_edge() -> None:
    bars = draw_days([UP_ALL_DAY] * 2, 90)
    assert [bar.x for bar in bars] == [352, 356]
    assert bars[-1].x + 3 == width_of_days(90) == 359
    assert bars[0] == Bar(352, (Part("up", 0, DAY_HEIGHT),))


def test_no_more_days_are_drawn_than_there_is_room_for() -> None:
    days = [[("up", float(number))] for number in range(100)]
    bars = draw_days(days, 90)
    assert len(bars) == 90
    assert (bars[0].x, bars[-1].x) == (0, 356)


def test_days_of_23_and_25_hours_are_as_high_as_others() -> None:
    short, long = [("down", 3600.0), ("up", 22 * 3600.0)], [("down", 3600.0), ("up", 24 * 3600.0)]
    first, second = draw_days([short, long], 2)
    assert first == Bar(0, (Part("down", 0, 2), Part("up", 2, 38)))
    assert second == Bar(4, (Part("down", 0, 2), Part("up", 2, 38)))


def test_day_of_which_nothing_is_known_has_no_rectangle() -> None:
    assert draw_days([[("up", 0.0), ("down", 0.0)], []], 2) == [Bar(0, ()), Bar(4, ())]


def test_no_days_are_no_bars() -> None:
    assert draw_days([], 90) == []
    assert draw_days([UP_ALL_DAY], 0) == []
    assert (width_of_days(0), width_of_days(1)) == (0, 3)


def test_line_leads_through_the_middle_of_each_hour() -> None:
    found = line((START, 100.0), (START + HOUR, 500.0), (START + 2 * HOUR, 1000.0))
    assert found == Line("M30 180h0L90 100L150 0", 1000, 60, is_cut=False)


def test_line_breaks_where_nobody_looked() -> None:
    """A missing hour, one without a value, and one that is no number: nothing is drawn across them."""
    missing = line((START, 500.0), (START + 2 * HOUR, 500.0))
    assert missing.path == "M30 100h0M150 100h0"
    for value in (None, math.nan):
        assert line((START, 500.0), (START + HOUR, value), (START + 2 * HOUR, 500.0)) == missing


def test_one_point_is_a_dot() -> None:
    assert line((START + 23 * HOUR, 700.0)).path == "M1410 60h0"


def test_no_points_are_no_line() -> None:
    assert line() == line((START, None)) == Line("", 1000, 60, is_cut=False)


def test_points_come_in_any_order() -> None:
    assert line((START + HOUR, 500.0), (START, 500.0)).path == "M30 100h0L90 100"


def test_points_outside_are_drawn_at_the_edge() -> None:
    """The first hour began before the window, and the last one has not ended."""
    found = line((START - HOUR, 500.0), (END - timedelta(minutes=10), 500.0))
    assert found.path == f"M0 100h0M{LINE_WIDTH} 100h0"


def test_hour_that_clocks_show_twice_is_two_hours() -> None:
    """Clocks in Berlin are put back on 25 October 2026, 03:00, when an hour is shown a second time."""
    start = datetime(2026, 10, 25, 0, tzinfo=BERLIN)
    once, again = (datetime(2026, 10, 25, 2, tzinfo=BERLIN, fold=fold) for fold in (0, 1))
    end = datetime(2026, 10, 26, 0, tzinfo=BERLIN)  # 25 hours later
    found = line((start + HOUR, 500.0), (once, 500.0), (again, 500.0), start=start, end=end)
    assert found.path == "M86 100h0L144 100L202 100"


def test_hour_that_clocks_leave_out_is_no_gap() -> None:
    """They are put forward on 29 March 2026, from 02:00 to 03:00."""
    start, end = datetime(2026, 3, 29, 0, tzinfo=BERLIN), datetime(2026, 3, 30, 0, tzinfo=BERLIN)  # 23 hours
    before, after = datetime(2026, 3, 29, 1, tzinfo=BERLIN), datetime(2026, 3, 29, 3, tzinfo=BERLIN)
    assert line((before, 500.0), (after, 500.0), start=start, end=end).path == "M94 100h0L157 100"


def test_huge_values_are_cut_at_the_top_and_leave_others_to_be_seen() -> None:
    found = line((START, 700.0), (START + HOUR, 1e12), (START + 2 * HOUR, math.inf))
    assert found == Line("M30 186h0L90 0L150 0", 10000, 186, is_cut=True)
    assert not line((START, 10000.0)).is_cut


def test_scale_of_one_line_can_be_that_of_another() -> None:
    found = draw_line([(START, 500.0)], START, END, HOUR, 700, top=2000)
    assert found == Line("M30 150h0", 2000, 130, is_cut=False)


@pytest.mark.parametrize(
    ("values", "mark", "top"),
    [
        ([], 700, 1000),
        ([0.0], 700, 1000),
        ([1000.0], 700, 1000),
        ([1000.1], 700, 2000),
        ([2001.0], 700, 5000),
        ([5001.0], 700, 10000),
        ([1e300], 700, 10000),
        ([math.inf, math.nan], 700, 1000),
        ([], 1, 1),
        ([], 10, 10),
        ([11.0], 10, 20),
    ],
)
def test_top_of_a_scale_is_a_round_number(values: list[float], mark: int, top: int) -> None:
    assert choose_top(values, mark) == top


@pytest.mark.parametrize(
    ("value", "units"),
    [(-1, 0), (0, 0), (2.49, 0), (2.5, 1), (7.5, 2), (12.5, 3), (997.4, 199), (997.5, 200), (9e99, 200)],
)
def test_lengths_are_rounded_half_up_and_bounded(value: float, units: int) -> None:
    assert scale(value, 1000, LINE_HEIGHT) == units

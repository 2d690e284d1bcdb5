"""The charts as parts of a page: what they say of days and hours, in attributes, classes and numbers alone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest

from wagtail_multihost.control.availability import Availability, Day, LatencyPoint
from wagtail_multihost.control.dashboard.day_bar import DAYS, DayBar
from wagtail_multihost.control.dashboard.latency_chart import LatencyChart

END = datetime(2026, 12, 1, 16, tzinfo=UTC)
START = END - timedelta(days=1)
UP, DOWN = Availability(86_400, 0, 0, 0), Availability(86_399, 1, 0, 0)
UNSEEN, BUSY = Availability(0, 0, 0, 86_400), Availability(43_200, 0, 43_200, 0)
SVG = "{http://www.w3.org/2000/svg}"
ATTRIBUTES = {
    *("class", "viewBox", "preserveAspectRatio", "role", "aria-labelledby", "focusable", "id", "d"),
    *("x", "y", "width", "height"),
}


def days(*found: Availability) -> list[Day]:
    first = date(2026, 12, 1) - timedelta(days=len(found) - 1)
    return [Day(first + timedelta(days=number), one) for number, one in enumerate(found)]


def point(hours_ago: float, p50: float | None, p95: float | None = None, count: int = 60) -> LatencyPoint:
    return LatencyPoint(END - timedelta(hours=hours_ago), count, p50, p50 if p95 is None else p95, 5000.0)


def picture(markup: str) -> ElementTree.Element:
    """Return the picture of a part, which must be well-formed."""
    text = markup[markup.index("<svg") : markup.index("</svg>") + 6].replace("<svg", f'<svg xmlns="{SVG[1:-1]}"', 1)
    return ElementTree.fromstring(text)


def rows(markup: str) -> list[str]:
    body = markup.partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(re.sub("<[^>]+>", " ", row).split()) for row in re.findall("<tr>(.*?)</tr>", body, re.DOTALL)]


@pytest.mark.parametrize("found", [[], [UP], [UP, DOWN, UNSEEN, BUSY] * 30])
def test_bar_has_a_day_each_and_says_what_is_in_it(found: list[Availability]) -> None:
    part = DayBar(days(*found), "days").render_html()
    svg = picture(part)
    assert len(svg.findall(f"{SVG}g")) == len(rows(part)) == min(DAYS, len(found))
    assert {name for one in svg.iter() for name in one.attrib} <= ATTRIBUTES
    assert {one.tag.removeprefix(SVG) for one in svg.iter()} <= {"svg", "title", "g", "rect"}
    assert svg.attrib["aria-labelledby"] == svg[0].attrib["id"]


def test_days_are_told_in_words() -> None:
    part = DayBar(days(UP, DOWN, UNSEEN, BUSY), "days").render_html()
    svg = picture(part)
    assert svg[0].text == (
        "Each day from 28 November 2026 to 1 December 2026. With an outage: 1 day. Not observed in whole: 1 day."
    )
    assert [one[0].text for one in svg.findall(f"{SVG}g")] == [
        "28 November 2026: 100 %",
        "29 November 2026: 99.99 %",
        "30 November 2026: Not observed",
        "1 December 2026: 100 %, 50 % maintenance",
    ]
    assert rows(part) == [
        "1 December 2026 100 %, 50 % maintenance none",
        "30 November 2026 Not observed none",
        "29 November 2026 99.99 % 1 s",
        "28 November 2026 100 % none",
    ]
    kinds = [[rect.attrib["class"].rpartition("-")[2] for rect in one.findall(f"{SVG}rect")] for one in svg[1:]]
    assert kinds == [["up"], ["down", "up"], ["unknown"], ["maintenance", "up"]]


def test_day_before_the_site_was_made_has_nothing() -> None:
    part = DayBar(days(Availability(0, 0, 0, 0), UP), "days").render_html()
    assert len(picture(part).findall(f"{SVG}g")) == 1
    assert rows(part)[1] == "30 November 2026 Not observed none"


def test_no_days_are_told() -> None:
    assert picture(DayBar([], "days").render_html())[0].text == "Nothing is known of the last days yet."


def test_hours_are_told_in_words() -> None:
    points = [point(20, 30, 699), point(19, 700), point(17, 701), point(16, None, count=0), point(1, 90)]
    part = LatencyChart(points, START, END, "latency").render_html()
    svg = picture(part)
    assert svg[0].text == (
        "Latency of the last 24 hours, measured in 4 hours: in 1 of them the slowest 5 % passed the budget of 700 ms."
    )
    assert {name for one in svg.iter() for name in one.attrib} <= ATTRIBUTES
    assert [row.split(" ", 4)[4] for row in rows(part)] == [
        "60 90 ms 90 ms 5,000 ms or more kept",
        "60 701 ms 701 ms 5,000 ms or more passed",
        "60 700 ms 700 ms 5,000 ms or more kept",
        "60 30 ms 699 ms 5,000 ms or more kept",
    ]
    half = next(one for one in svg if one.attrib.get("class") == "multihost-chart-half")
    assert half.attrib["d"] == "M270 194h0L330 60M450 60h0M1410 182h0"


def test_both_lines_have_one_scale() -> None:
    svg = picture(LatencyChart([point(2, 500, 5000)], START, END, "latency").render_html())
    paths = {one.attrib["class"]: one.attrib["d"] for one in svg[1:]}
    assert paths == {
        "multihost-chart-budget": "M0 172H1440",
        "multihost-chart-most": "M1350 0h0",
        "multihost-chart-half": "M1350 180h0",
    }


def test_nothing_measured_is_no_line() -> None:
    for points in ([], [point(3, None, count=0)]):
        part = LatencyChart(points, START, END, "latency").render_html()
        svg = picture(part)
        assert svg[0].text == "Nothing was measured in the last 24 hours."
        assert [one.attrib.get("class") for one in svg[1:]] == ["multihost-chart-budget"]
        assert rows(part) == []


@pytest.mark.parametrize("shows_table", [True, False])
def test_tables_are_there_for_readers_in_any_case(shows_table: bool) -> None:
    for part in (
        DayBar(days(UP), "days", shows_table=shows_table).render_html(),
        LatencyChart([point(1, 30)], START, END, "latency", shows_table=shows_table).render_html(),
    ):
        assert len(rows(part)) == 1
        assert ('class="multihost-table" role="region"' in part) is shows_table
        assert ('<div class="w-sr-only">' in part) is not shows_table

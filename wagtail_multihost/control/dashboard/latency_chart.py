"""The line of a site's latencies: how long it took to answer in each hour, as a picture and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from wagtail.admin.ui.components import Component

from wagtail_multihost.control.availability import LatencyPoint
from wagtail_multihost.control.dashboard.charts import LINE_HEIGHT, LINE_WIDTH, choose_top, draw_line
from wagtail_multihost.nodeapi.probe_states import LATENCY_BOUNDS, LATENCY_BUDGET

STEP = timedelta(hours=1)
WHEN = "j F, H:i"


class LatencyChart(Component):  # type: ignore[misc]
    """The hours from ``start`` to ``end``. ``key`` begins the ids of its elements, of which a page has one each."""

    template_name = "multihost_control/charts/latency.html"

    def __init__(
        self,
        points: Sequence[LatencyPoint],
        start: datetime,
        end: datetime,
        key: str,
        *,
        shows_table: bool = False,
    ) -> None:
        self.points = [point for point in points if point.count]
        self.start, self.end, self.key, self.shows_table = start, end, key, shows_table

    def get_context_data(self, parent_context: Mapping[str, Any] | None = None) -> dict[str, Any]:
        top = choose_top(
            [value for one in self.points for value in (one.p50, one.p95) if value is not None], LATENCY_BUDGET
        )
        half, most = (
            draw_line(
                [(one.at, getattr(one, share)) for one in self.points], self.start, self.end, STEP, LATENCY_BUDGET, top
            )
            for share in ("p50", "p95")
        )
        return {
            "key": self.key,
            "title": self.title,
            "width": LINE_WIDTH,
            "height": LINE_HEIGHT,
            "budget_y": half.mark,
            "half": half.path,
            "most": most.path,
            "caption": caption_of(top, is_cut=half.is_cut or most.is_cut),
            "start": date_format(localtime(self.start), WHEN),
            "end": date_format(localtime(self.end), WHEN),
            "rows": [row_of(point) for point in reversed(self.points)],
            "shows_table": self.shows_table,
        }

    @property
    def title(self) -> str:
        """What the whole picture says."""
        if not self.points:
            return "Nothing was measured in the last 24 hours."
        over = sum(1 for one in self.points if one.p95 is not None and one.p95 > LATENCY_BUDGET)
        hours = f"{len(self.points)} hour{'s' if len(self.points) > 1 else ''}"
        words = f"in {over or 'none'} of them the slowest 5 % passed the budget of {LATENCY_BUDGET} ms."
        return f"Latency of the last 24 hours, measured in {hours}: {words}"


def caption_of(top: int, *, is_cut: bool) -> str:
    """Return how the picture is read."""
    scale = f"From 0 to {top:,} ms. The dashed line is the budget of {LATENCY_BUDGET} ms."
    return f"{scale} What took longer is drawn at the top." if is_cut else scale


def row_of(point: LatencyPoint) -> dict[str, Any]:
    """Return an hour in words."""
    return {
        "at": point.at,
        "count": point.count,
        "values": [in_words(value) for value in (point.p50, point.p95, point.p99)],
        "is_over": point.p95 is not None and point.p95 > LATENCY_BUDGET,
    }


def in_words(milliseconds: float | None) -> str:
    """Return a latency; of those above all buckets nobody knows how large they are."""
    if milliseconds is None:
        return "not known"
    return f"{milliseconds:,.0f} ms{' or more' if milliseconds >= LATENCY_BOUNDS[-1] else ''}"

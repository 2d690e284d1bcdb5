"""The bar of days of a site: how much of each it was up, as a picture and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils.formats import date_format
from wagtail.admin.ui.components import Component

from wagtail_multihost.control.availability import Availability, Day, share_in_words
from wagtail_multihost.control.dashboard.availability_words import NOT_OBSERVED, length_in_words
from wagtail_multihost.control.dashboard.charts import DAY_HEIGHT, DAY_WIDTH, draw_days, width_of_days

DAYS = 90
DATE = "j F Y"
#: What a day can have in it, from the top of its bar, with the words of the legend.
KINDS = {"down": "Down", "unknown": NOT_OBSERVED, "maintenance": "Maintenance", "up": "Up"}


class DayBar(Component):  # type: ignore[misc]
    """The last days, today at the right. ``key`` begins the ids of its elements, of which a page has one each."""

    template_name = "multihost_control/charts/days.html"

    def __init__(self, days: Sequence[Day], key: str, *, shows_table: bool = False) -> None:
        self.days, self.key, self.shows_table = list(days)[-DAYS:], key, shows_table

    def get_context_data(self, parent_context: Mapping[str, Any] | None = None) -> dict[str, Any]:
        bars = draw_days([amounts_of(day.availability) for day in self.days], DAYS)
        rows = [row_of(day) for day in self.days]
        return {
            "key": self.key,
            "title": title_of(self.days),
            "width": width_of_days(DAYS),
            "height": DAY_HEIGHT,
            "bar_width": DAY_WIDTH,
            "bars": [{"x": bar.x, "parts": bar.parts, **row} for bar, row in zip(bars, rows, strict=True)],
            "legend": KINDS.items(),
            "rows": rows[::-1],
            "shows_table": self.shows_table,
        }


def amounts_of(found: Availability) -> list[tuple[str, float]]:
    """Return the seconds of a day by what it has in it, from the top of its bar."""
    return [(kind, getattr(found, kind)) for kind in KINDS]


def row_of(day: Day) -> dict[str, str]:
    """Return a day in words."""
    found = day.availability
    return {
        "date": date_format(day.date, DATE),
        "share": share_in_words(found),
        "down": length_in_words(timedelta(seconds=found.down)) if found.down else "none",
    }


def title_of(days: Sequence[Day]) -> str:
    """Return what the whole picture says."""
    if not days:
        return "Nothing is known of the last days yet."
    first, last = (date_format(day.date, DATE) for day in (days[0], days[-1]))
    down = sum(1 for day in days if day.availability.down)
    gaps = sum(1 for day in days if day.availability.unknown)
    outages, unseen = number_of_days(down), number_of_days(gaps)
    return f"Each day from {first} to {last}. With an outage: {outages}. Not observed in whole: {unseen}."


def number_of_days(number: int) -> str:
    return f"{number or 'no'} {'day' if number == 1 else 'days'}"

"""
The same probes as this package, Uptime Kuma and Gatus report them: the table of docs/explanation/availability.md, which
``--regenerate`` writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest
from django.db import connection

from tests.control.fleet import Fleet
from tests.control.history import Seen, set_age
from tests.control.live import ROOT_FOLDER
from tests.control.other_monitors import Probe, gatus_uptime, kuma_uptime
from wagtail_multihost.control.availability import describe_share
from wagtail_multihost.nodeapi.observations_v1 import LONGEST_GAP
from wagtail_multihost.nodeapi.probe_states import AGREEING, DOWN

PAGE = ROOT_FOLDER / "docs" / "explanation" / "availability.md"
TABLE = re.compile(r"^\| what happened \|.*?\n(?=\n)", re.DOTALL | re.MULTILINE)
#: Half past, as a window that begins within an hour shows what counting by hours does.
NOW = datetime(2026, 6, 15, 12, 30, tzinfo=UTC)
PERIOD = timedelta(minutes=1)
DAY, MONTH = timedelta(days=1), timedelta(days=30)
#: From so many hours before NOW to so many.
Spans = tuple[tuple[float, float], ...]


class Case(NamedTuple):
    """
    What happened in a window: when the site was ``down``, when the monitor was ``off`` itself, which probes ``lost``
    their way although the site was up, and when maintenance was planned. ``age`` is that of the site, in hours.
    """

    what: str
    window: timedelta
    down: Spans = ()
    off: Spans = ()
    planned: Spans = ()
    lost: Callable[[int], bool] = lambda number: False
    age: float = 10_000

    @property
    def begin(self) -> datetime:
        """Return when the first probe was."""
        return NOW - min(timedelta(hours=self.age), self.window + DAY + DAY)

    def probes(self) -> Iterator[Probe]:
        at, number = self.begin, 0
        while at < NOW:
            hours = (NOW - at) / timedelta(hours=1)
            if not within(hours, self.off):
                is_good = not within(hours, self.down) and not self.lost(number)
                yield Probe(int(at.timestamp()), is_good, within(hours, self.planned))
            at, number = at + PERIOD, number + 1


def within(hours: float, spans: Spans) -> bool:
    return any(since >= hours > till for since, till in spans)


CASES = (
    Case("Down for half an hour, watched all day", DAY, down=((6, 5.5),)),
    Case("Down for two minutes in a month", MONTH, down=((200, 200 - 2 / 60),)),
    Case("The monitor was off for six hours, and saw no outage", DAY, off=((12, 6),)),
    Case(
        "The monitor was off for six hours, and saw half an hour of an outage", DAY, down=((12.5, 6),), off=((12, 6),)
    ),
    Case("The monitor has been off for more than a day", DAY, off=((25, 0),)),
    Case("Down for two hours of planned maintenance", DAY, down=((8, 6),), planned=((8, 6),)),
    Case("One probe an hour is lost on its way", DAY, lost=lambda number: number % 60 == 7),
    Case("Down for 20 minutes, almost a day ago", DAY, down=((23.75, 23.75 - 1 / 3),)),
    Case("Down for six hours, almost thirty days ago", MONTH, down=((719, 713),)),
    Case("Down for half an hour, on a site of six hours", DAY, down=((3, 2.5),), age=6),
)


def kept(seen: Seen, case: Case) -> None:
    """Keep what a monitor concludes of the probes: an outage begins with the first of those that agree."""
    probes = [*case.probes()]
    times = [datetime.fromtimestamp(probe.at, UTC) for probe in probes]
    edges = [
        0,
        *(n + 1 for n, (a, b) in enumerate(pairwise(times)) if (b - a).total_seconds() > LONGEST_GAP),
        len(probes),
    ]
    spans = [(times[first], times[end - 1] + PERIOD) for first, end in pairwise(edges)]
    set_age(seen.site, case.begin)
    seen.look(*spans, first=case.begin)
    begun: datetime | None = None
    bad = 0
    for probe, at in zip(probes, times, strict=True):
        bad = 0 if probe.is_good else bad + 1
        if bad == AGREEING:
            begun = at - PERIOD
        elif probe.is_good and begun is not None:
            seen.was(DOWN, begun, at)
            begun = None
    for since, till in case.planned:
        seen.maintained(NOW - timedelta(hours=since), NOW - timedelta(hours=till))


def own_figure(fleet: Fleet, number: int, case: Case) -> str:
    seen = Seen(fleet.add(f"site-{number}"))
    with connection.cursor() as cursor:  # each case has a monitor of its own
        cursor.execute("DELETE FROM control_probe_coverage")
    kept(seen, case)
    (found,) = seen.measure((NOW - case.window, NOW))
    return describe_share(found)


def table(fleet: Fleet) -> str:
    lines = [
        "| what happened | window | here | Uptime Kuma 2.5.3 | Gatus 5.36 |",
        "|---|---|---|---|---|",
    ]
    for number, case in enumerate(CASES):
        figures = (
            own_figure(fleet, number, case),
            kuma_uptime(case.probes(), case.window, NOW),
            gatus_uptime(case.probes(), case.window, NOW),
        )
        window = "24 hours" if case.window == DAY else f"{case.window.days} days"
        lines.append(f"| {case.what} | {window} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"


def test_table_of_the_page_is_what_each_reports(fleet: Fleet, request: pytest.FixtureRequest) -> None:
    page, anew = PAGE.read_text(encoding="utf-8"), table(fleet)
    if request.config.getoption("--regenerate"):
        PAGE.write_text(TABLE.sub(lambda _: anew, page), encoding="utf-8")
        return
    (found,) = TABLE.findall(page)
    assert found == anew, (
        "Run pytest tests/control/test_availability_comparison.py --regenerate, and review the difference."
    )


def test_rules_of_others_are_those_of_their_sources() -> None:
    """Small cases whose figures can be seen in the sources: buckets, what counts, and what is taken for nothing."""
    moment = int(NOW.timestamp())
    good, bad = Probe(moment - 60, True), Probe(moment - 120, False)
    assert kuma_uptime([bad, good], DAY, NOW) == gatus_uptime([bad, good], DAY, NOW) == "50 %"
    maintained = bad._replace(is_maintained=True)
    assert (kuma_uptime([maintained, good], DAY, NOW), gatus_uptime([maintained, good], DAY, NOW)) == ("100 %", "50 %")
    old = [Probe(moment - 3 * 86_400, False), Probe(moment - 2 * 86_400, True)]
    assert (kuma_uptime(old, DAY, NOW), gatus_uptime(old, DAY, NOW)) == ("100 %", "0 %")
    first_hour = Probe(moment - 86_400 + 60, False)
    assert (kuma_uptime([first_hour, good], DAY, NOW), gatus_uptime([first_hour, good], DAY, NOW)) == ("50 %", "100 %")

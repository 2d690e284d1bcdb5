"""What the public sees of how sites are, and who says that it may."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta, tzinfo
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from wagtail.models import ModelLogEntry

from tests.control.browser import SCREENS, ControlSite
from tests.control.dashboard.nodes import add_nodes
from tests.control.dashboard.pages import Pages, words
from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control import public_status, status_pages
from wagtail_multihost.control.availability import Availability, Day
from wagtail_multihost.control.changes import EditSite, NotAllowedError, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import StatusPage
from wagtail_multihost.control.status_pages import (
    DAYS,
    DOWN,
    LATEST,
    MAINTENANCE,
    UNKNOWN,
    UP,
    day_in_words,
    show_status,
    state_in,
    state_of_day,
)

DAY = 86_400.0
CLIENT = {"host": "control.localhost"}
STATUS = "/status/"


def seen(up: float = 0, down: float = 0, maintenance: float = 0, unknown: float = 0) -> Availability:
    return Availability(up, down, maintenance, unknown)


class Monitors:
    """What monitors are said to have seen, of every site."""

    def __init__(self) -> None:
        self.latest, self.window, self.day = seen(up=180), seen(up=DAY), seen(up=DAY)
        self.asked = 0

    def measure_availability(
        self, sites: Collection[UUID], windows: Collection[timedelta], now: datetime
    ) -> dict[UUID, dict[timedelta, Availability]]:
        self.asked += 1
        return {uid: {one: self.latest if one == LATEST else self.window for one in windows} for uid in sites}

    def list_days(self, site: UUID, days: int, zone: tzinfo, now: datetime) -> list[Day]:
        first = date(2026, 9, 3)
        return [Day(first + timedelta(days=number), self.day) for number in range(days)]


@pytest.fixture(name="monitors", autouse=True)
def _monitors(monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitors]:
    monitors = Monitors()
    monkeypatch.setattr(status_pages, "measure_availability", monitors.measure_availability)
    monkeypatch.setattr(status_pages, "list_days", monitors.list_days)
    monkeypatch.setattr(public_status, "_kept", {})
    yield monitors


def get(path: str, **headers: str) -> tuple[int, str]:
    answer = Client(headers={**CLIENT, **headers}).get(path)
    return answer.status_code, answer.content.decode()


def test_nobody_sees_anything_unless_somebody_said_so(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    assert get(STATUS)[0] == get(f"{STATUS}aurora/")[0] == get(f"{STATUS}none/")[0] == 404
    show_status(OPERATOR, site, shown=True)
    assert (get(f"{STATUS}aurora/")[0], get(STATUS)[0]) == (200, 404)
    show_status(OPERATOR, None, shown=True)
    fleet.add("borealis")
    code, page = get(STATUS)
    assert code == 200 and "aurora.example.com" in page and "borealis" not in page
    show_status(OPERATOR, site, shown=False)
    assert get(f"{STATUS}aurora/")[0] == 404


def test_site_that_is_off_has_no_page(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    show_status(OPERATOR, site, shown=True)
    for key, value in (("state", "suspended"), ("state", None), ("enabled", False), ("enabled", None)):
        fleet.apply(EditSite(site.uid, set_value((key,), value)))
        assert get(f"{STATUS}aurora/")[0] == (200 if value is None else 404)
    fleet.apply(RetireSite(site.uid))
    assert get(f"{STATUS}aurora/")[0] == 404


def test_page_names_nothing_but_the_hostname(fleet: Fleet, monitors: Monitors) -> None:
    add_nodes("zqnode")
    fleet.add("borealis")
    site = fleet.add("aurora", "www.example.org", aliases=["zqalias.example.org"], labels={"plan": "zqlabel"})
    for one in ("aurora", "borealis"):
        show_status(OPERATOR, fleet.site(one), shown=True)
    monitors.day = seen(up=DAY - 90, down=90)
    page = get(f"{STATUS}aurora/")[1]
    assert "www.example.org" in page
    for needle in ("zqnode", "zqalias", "zqlabel", "borealis", "aviary", str(site.uid), "aurora"):
        assert needle not in page, needle
    assert "<script" not in page and "http:" not in page and "https:" not in page


def test_page_says_how_it_is_and_was(fleet: Fleet, monitors: Monitors) -> None:
    show_status(OPERATOR, fleet.add("aurora"), shown=True)
    monitors.latest, monitors.window = seen(down=180), seen(up=DAY * 29, down=DAY * 0.001, unknown=DAY)
    monitors.day = seen(up=DAY - 3690, down=90, maintenance=3600)
    page = get(f"{STATUS}aurora/")[1]
    assert '<p class="state">Down</p>' in page
    assert "99.99 %, 3.3 % not observed" in page
    assert page.count("<rect") == DAYS
    assert "unavailable for 1 minute 30 seconds, in maintenance for 1 hour" in page
    assert "3 September 2026" in page


def test_caches_keep_it(fleet: Fleet, monitors: Monitors) -> None:
    show_status(OPERATOR, fleet.add("aurora"), shown=True)
    client = Client(headers=CLIENT)
    first = client.get(f"{STATUS}aurora/")
    assert first.headers["Cache-Control"] == "public, max-age=60"
    assert "Vary" not in first.headers and not first.cookies
    again = client.get(f"{STATUS}aurora/", headers={"if-none-match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert client.head(f"{STATUS}aurora/").status_code == 200
    assert client.post(f"{STATUS}aurora/").status_code == 405
    assert monitors.asked == 1, "the database was asked for each visitor"
    monitors.latest = seen(down=1)
    public_status._kept.clear()
    changed = client.get(f"{STATUS}aurora/", headers={"if-none-match": first.headers["ETag"]})
    assert changed.status_code == 200 and changed.headers["ETag"] != first.headers["ETag"]


def test_visitor_of_a_kept_page_costs_one_query(fleet: Fleet) -> None:
    show_status(OPERATOR, fleet.add("aurora"), shown=True)
    get(f"{STATUS}aurora/")
    with CaptureQueriesContext(connection) as found:
        get(f"{STATUS}aurora/")
    assert len(found) == 1


def test_style_is_the_one_that_the_policy_allows(fleet: Fleet) -> None:
    show_status(OPERATOR, fleet.add("aurora"), shown=True)
    answer = Client(headers=CLIENT).get(f"{STATUS}aurora/")
    [style] = re.findall("<style>(.*?)</style>", answer.content.decode(), re.DOTALL)
    assert style == public_status.STYLE
    assert public_status.STYLE_DIGEST in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")


def test_only_who_may_change_a_site_shows_it(fleet: Fleet) -> None:
    site, other = fleet.add("aurora"), fleet.add("borealis")
    viewer, editor = fleet.user("ada", aurora="view"), fleet.user("eve", aurora="change")
    assert Pages(viewer).post(site, action="show-status").status_code == 404
    assert "Show the public" not in words(Pages(viewer).get(site))
    Pages(editor).post(site, action="show-status")
    assert "its status page" in words(Pages(editor).get(site))
    assert StatusPage.objects.get().site == site
    assert ModelLogEntry.objects.get(action="multihost.status_page.shown").object_id == str(site.pk)
    Pages(editor).post(site, action="hide-status")
    assert not StatusPage.objects.exists()
    authority = fleet.authority("joe", aurora="admin")
    for subject in (other, None):
        with pytest.raises(NotAllowedError):
            show_status(authority, subject, shown=True)


def test_command_shows_and_hides(fleet: Fleet) -> None:
    fleet.add("aurora")

    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("multihost_status_page", *arguments, stdout=out)
        return out.getvalue()

    assert run("aurora") == "/status/aurora/ is shown to the public.\n"
    assert run("aurora") == "/status/aurora/ is shown to the public. It was so before.\n"
    assert run("--platform") == "/status/ is shown to the public.\n"
    assert run("--platform") == "/status/ is shown to the public. It was so before.\n"
    assert run("aurora", "--hide") == "/status/aurora/ is not shown to the public.\n"
    assert StatusPage.objects.get().site is None
    with pytest.raises(CommandError, match="There is no site 'none'"):
        run("none")


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (seen(), UNKNOWN),
        (seen(up=100, down=80), UP),
        (seen(up=90, down=90), DOWN),
        (seen(up=80, down=100), DOWN),
        (seen(maintenance=180), MAINTENANCE),
        (seen(up=20, unknown=160), UNKNOWN),
    ],
)
def test_state_is_that_of_the_longest_part(found: Availability, state: str) -> None:
    assert state_in(found) == state


@pytest.mark.parametrize(
    ("found", "state", "words_found"),
    [
        (seen(up=DAY), UP, "no outage seen"),
        (seen(up=DAY - 1, down=1), DOWN, "unavailable for 1 second"),
        (seen(unknown=DAY), UNKNOWN, "not observed for 24 hours"),
        (seen(maintenance=7200, up=1), UP, "in maintenance for 2 hours"),
        (seen(maintenance=DAY), MAINTENANCE, "in maintenance for 24 hours"),
        (seen(), UNKNOWN, "not there yet"),
    ],
)
def test_day_in_words(found: Availability, state: str, words_found: str) -> None:
    assert (state_of_day(found), day_in_words(found)) == (state, words_found)


@pytest.mark.parametrize("screen", SCREENS)
def test_pages_are_accessible_and_fit(control_site: ControlSite, live_fleet: Fleet, screen: str) -> None:
    long = f"{'a' * 60}.{'b' * 60}.example.com"
    show_status(OPERATOR, live_fleet.add("aurora", long), shown=True)
    show_status(OPERATOR, None, shown=True)
    for path, expected in ((f"{STATUS}aurora/", "The last 90 days"), (STATUS, "Up in the last 30 days")):
        assert expected in control_site.show(path, SCREENS[screen])
        assert control_site.fits(), path
        assert control_site.violations() == [], path

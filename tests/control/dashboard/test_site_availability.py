"""A site's tab Availability: what is known of it, from when and where, and what nobody knows."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime

from tests.control.dashboard.hostile import HOSTILE, found_in
from tests.control.dashboard.looks import DAY, HOUR, age, concern, fall, look, measure, see, suffer
from tests.control.dashboard.pages import Pages, words
from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.dashboard.site_maintenance import FORMAT
from wagtail_multihost.control.dashboard.tabs import AVAILABILITY
from wagtail_multihost.control.maintenance import Times, plan_maintenance
from wagtail_multihost.control.models import IncidentLine, Maintenance, ManagedSite
from wagtail_multihost.nodeapi.incident_words import DATABASE, HEALED, NODE, OPENED, SITES_DOWN
from wagtail_multihost.nodeapi.probe_states import DOWN, UNKNOWN, WRONG_SITE

LATER = timedelta(minutes=10)


def shown(at: datetime) -> str:
    return date_format(localtime(at), "j F Y, H:i:s")


@pytest.fixture(name="site")
def _site(fleet: Fleet) -> ManagedSite:
    """A site that is older than all windows."""
    site = fleet.add("aurora")
    age(site)
    return site


@pytest.fixture(name="pages")
def _pages(fleet: Fleet, site: ManagedSite) -> Pages:
    return Pages(fleet.user("ada", aurora="view"))


def test_site_is_up_since_it_was_seen_from_somewhere(pages: Pages, site: ManagedSite) -> None:
    now = timezone.now()
    look(now)
    see(site, now, ago=3 * DAY)
    page = words(pages.get(site, AVAILABILITY))
    assert f"Up since {shown(now - 3 * DAY)} . Seen from outside, last {shown(now)} ." in page
    assert "Last 24 hours 100 % Last 7 days 100 % Last 30 days 100 %" in page
    assert "None in 90 days, as far as somebody looked." in page


def test_shares_and_periods_are_those_that_were_seen(pages: Pages, site: ManagedSite) -> None:
    """800 seconds of a day are 0.93 % of it, 0.13 % of a week and 0.03 % of a month."""
    now = timezone.now()
    look(now)
    see(site, now, ago=2 * HOUR)
    begin = now - 2 * HOUR - timedelta(seconds=800)
    suffer(site, begin, now - 2 * HOUR, DOWN, "status", 502)
    page = words(pages.get(site, AVAILABILITY))
    assert "Last 24 hours 99.07 % Last 7 days 99.86 % Last 30 days 99.96 %" in page
    assert (
        f"{shown(begin)} {shown(now - 2 * HOUR)} 13 min 20 s Down The status is another than the expected one. (502) "
        "aurora.example.com from outside" in page
    )


def test_what_nobody_saw_is_said_and_is_not_up(pages: Pages, site: ManagedSite) -> None:
    """The monitor was away for 6 of the last 24 hours, and sees the site again."""
    now = timezone.now()
    look(now, (DAY, 12 * HOUR), (6 * HOUR, -HOUR))
    see(site, now)
    page = words(pages.get(site, AVAILABILITY))
    assert "Last 24 hours No outage seen, 25 % not observed" in page
    assert "100 %" not in page


def test_site_that_nobody_looks_at_is_not_known(pages: Pages, site: ManagedSite) -> None:
    """It is not said to be as it was seen last."""
    assert "Not known. Nobody has looked yet." in words(pages.get(site, AVAILABILITY))
    now = timezone.now()
    look(now, (DAY, HOUR))
    see(site, now, ago=3 * DAY)
    page = words(pages.get(site, AVAILABILITY))
    assert f"Not known since {shown(now - HOUR)} . Seen from outside, last {shown(now - HOUR)} ." in page
    assert "Up since" not in page


def test_site_is_seen_from_outside_before_from_inside(pages: Pages, site: ManagedSite) -> None:
    now = timezone.now()
    for place in ("outside", "web-1", "web-2"):
        look(now, place=place)
    see(site, now, DOWN, "refused", ago=HOUR)
    see(site, now, place="web-1")
    see(site, now, place="web-2")
    page = words(pages.get(site, AVAILABILITY))
    assert f"Down since {shown(now - HOUR)} . The connection was refused. Seen from outside" in page
    assert "aurora.example.com on web-1" in page


def test_site_is_down_inside_where_all_nodes_say_so(pages: Pages, site: ManagedSite) -> None:
    now = timezone.now()
    look(now, (DAY, 2 * HOUR))  # from outside nobody looks any more
    see(site, now, ago=DAY)
    for place, state, ago in (("web-1", WRONG_SITE, 2 * HOUR), ("web-2", DOWN, HOUR)):
        look(now, place=place)
        see(site, now, state, ago=ago, place=place)
    page = words(pages.get(site, AVAILABILITY))
    assert f"Down since {shown(now - HOUR)} . Seen on web-1 and web-2, last" in page
    see(site, now, ago=LATER, place="web-1")
    page = words(pages.get(site, AVAILABILITY))
    assert f"Up since {shown(now - LATER)} . Seen on web-1 and web-2, last" in page


def test_hour_that_is_slow_is_told_and_gap_is_a_gap(pages: Pages, site: ManagedSite) -> None:
    now = timezone.now()
    look(now)
    see(site, now)
    for ago, values in ((5, [30] * 99 + [900]), (4, [30]), (2, [6000] * 20)):
        measure(site, now - ago * HOUR, *values)
    answer = pages.get(site, AVAILABILITY)
    page = words(answer)
    assert "Latency of the last 24 hours, measured in 3 hours: in 1 of them the slowest 5 % passed the budget" in page
    assert "5,000 ms or more" in page
    assert "What took longer is drawn at the top." not in page
    [most] = re.findall(r'class="multihost-chart-most" d="([^"]+)"', answer.text)
    assert most.count("M") == 2 and most.count("L") == 1
    assert re.fullmatch(r"(?:M\d+ \d+h0|L\d+ \d+)+", most)


def test_pictures_have_titles_tables_and_no_styles(pages: Pages, site: ManagedSite) -> None:
    now = timezone.now()
    look(now)
    see(site, now)
    measure(site, now - HOUR, 20, 30)
    for query, is_shown in (({}, False), ({"tables": "shown"}, True)):
        text = pages.get(site, AVAILABILITY, **query).text
        part = text[text.index('id="availability"') : text.index('id="maintenance-section"')]
        assert "style=" not in part and "<style" not in part and "<script" not in part
        for key in ("days", "latency"):
            assert part.count(f'aria-labelledby="{key}-title"') == part.count(f'<title id="{key}-title">') == 1
        assert part.count("<rect class=") >= 90
        assert ('class="w-sr-only"><table' in re.sub(r">\s+<", "><", part)) is not is_shown
        assert part.count("<tbody>") >= 3


@override_settings(LANGUAGE_CODE="de", USE_THOUSAND_SEPARATOR=True)
def test_numbers_of_pictures_are_the_same_in_every_language(pages: Pages, site: ManagedSite) -> None:
    now = timezone.now()
    look(now)
    see(site, now)
    measure(site, now - HOUR, 6000)
    text = pages.get(site, AVAILABILITY).text
    assert 'viewBox="0 0 1440 200"' in text and 'viewBox="0 0 359 40"' in text
    assert re.search(r' d="M0 \d+H1440"', text)


def test_part_is_read_again_until_that_is_paused(pages: Pages, site: ManagedSite) -> None:
    text = pages.get(site, AVAILABILITY).text
    assert "w-session:ping->w-swap#replace" in text
    assert f'data-w-swap-src-value="/admin/fleet/sites/{site.uid}/availability/now/"' in text
    text = pages.get(site, AVAILABILITY, tables="shown").text
    assert f'data-w-swap-src-value="/admin/fleet/sites/{site.uid}/availability/now/?tables=shown"' in text
    assert "?tables=shown&amp;live=off" in text
    text = pages.get(site, AVAILABILITY, live="off").text
    assert "w-session:ping" not in text


def test_part_that_is_read_again_has_nothing_to_open(pages: Pages, site: ManagedSite) -> None:
    """Wagtail waits for what is open to be closed: the part would never be brought up to date."""
    part = pages.get(site, AVAILABILITY, "now/")
    assert part.status_code == 200
    assert "<main" not in part.text
    assert "aria-expanded" not in part.text and "<details" not in part.text
    assert "Not known" in words(part)
    for form in ("<form", "<input", "csrf"):
        assert form not in part.text


def test_incidents_are_told_with_what_was_done(pages: Pages, site: ManagedSite, fleet: Fleet) -> None:
    now = timezone.now()
    lines = [(OPENED, "It was seen."), (HEALED, "Its process was started again.")]
    fall(now, site, ago=2 * HOUR, lasted=HOUR, lines=lines)
    fall(now, fleet.add("borealis"), summary="foreign")
    page = words(pages.get(site, AVAILABILITY))
    assert f"Site down: aurora from {shown(now - 2 * HOUR)} until {shown(now - HOUR)} , for 1 h" in page
    assert "Done about it: Its process was started again." in page
    assert "foreign" not in page


def test_incident_that_sites_share_is_told_without_what_it_is_of(pages: Pages, site: ManagedSite, fleet: Fleet) -> None:
    """Its words may name servers, nodes and other sites."""
    shared = fall(
        timezone.now(),
        kind=SITES_DOWN,
        cause=DATABASE,
        subject="db.internal",
        summary="zqsummary of borealis",
        lines=[(OPENED, "zqline of borealis")],
    )
    concern(shared, site)
    concern(shared, fleet.add("borealis"))
    page = pages.get(site, AVAILABILITY)
    assert "Many sites down: a database server that sites share" in words(page)
    for hidden in ("zqsummary", "zqline", "db.internal", "borealis"):
        assert hidden not in page.text
    operator = words(Pages(fleet.user("root", operator=True)).get(site, AVAILABILITY))
    assert "Many sites down: db.internal" in operator and "zqline of borealis" in operator


def test_lines_of_an_incident_are_bounded(pages: Pages, site: ManagedSite) -> None:
    now = timezone.now()
    incident = fall(now, site, lines=())
    IncidentLine.objects.bulk_create(
        IncidentLine(incident=incident, at=now, kind=HEALED, text=f"step {number}") for number in range(60)
    )
    page = words(pages.get(site, AVAILABILITY))
    assert "step 19" in page and "step 20" not in page
    assert "There is more." in page


def test_maintenance_is_planned_and_ended_by_who_may_operate(fleet: Fleet, site: ManagedSite) -> None:
    pages = Pages(fleet.user("olga", aurora="operate"))
    begin = localtime(timezone.now() + DAY)
    sent = {"since": begin.strftime(FORMAT), "till": (begin + HOUR).strftime(FORMAT), "reason": "new release"}
    assert "Plan maintenance" in words(pages.get(site, AVAILABILITY))
    answer = pages.post(site, AVAILABILITY, action="plan", **sent)
    assert answer.status_code == 302, words(answer)
    window = Maintenance.objects.get()
    assert (window.site, window.reason, window.till) == (site, "new release", window.since + HOUR)
    assert "Planned The site new release" in words(pages.get(site, AVAILABILITY))
    assert pages.post(site, AVAILABILITY, action="end", window=str(window.pk)).status_code == 302
    assert not Maintenance.objects.filter(till__gt=timezone.now()).exists()


@pytest.mark.parametrize("right", ["view", "change"])
def test_maintenance_is_not_for_others(fleet: Fleet, site: ManagedSite, right: str) -> None:
    begin = timezone.now() + DAY
    window = plan_maintenance(OPERATOR, site, Times(begin, begin + HOUR), reason="new release")
    pages = Pages(fleet.user("eve", aurora=right))
    page = words(pages.get(site, AVAILABILITY))
    assert "new release" in page
    assert "Plan maintenance" not in page and "Take it back" not in page
    sent = {"since": "2030-01-01T10:00", "till": "2030-01-01T11:00", "reason": "mine"}
    assert pages.post(site, AVAILABILITY, action="plan", **sent).status_code == 404
    assert pages.post(site, AVAILABILITY, action="end", window=str(window.pk)).status_code == 404
    assert Maintenance.objects.get().till == begin + HOUR


def test_maintenance_of_an_operator_is_ended_by_operators(fleet: Fleet, site: ManagedSite) -> None:
    begin = timezone.now() + DAY
    windows = [plan_maintenance(OPERATOR, one, Times(begin, begin + HOUR), reason="zqwork") for one in (site, None)]
    pages = Pages(fleet.user("olga", aurora="admin"))
    page = words(pages.get(site, AVAILABILITY))
    assert page.count("zqwork") == 1, "Why all sites are maintained is for operators."
    assert "Take it back" not in page
    for window in windows:
        assert pages.post(site, AVAILABILITY, action="end", window=str(window.pk)).status_code == 404
    assert words(Pages(fleet.user("root", operator=True)).get(site, AVAILABILITY)).count("Take it back") == 2


@pytest.mark.parametrize(
    ("since", "till", "reason", "told"),
    [
        ("", "2030-01-01T11:00", "x", "This field is required."),
        ("soon", "2030-01-01T11:00", "x", "Enter a valid date/time."),
        ("0001-01-01T00:00", "9999-12-31T23:59", "x", "It must not be in the past"),
        ("9999-12-31T23:59", "9999-12-31T23:59", "x", "It must begin within"),
        ("2030-01-01T11:00", "2029-01-01T11:00", "x", "It must begin within"),
        ("2030-01-01T11:00", "2030-01-01T12:00", " ", "This field is required."),
    ],
)
def test_times_that_are_not_accepted_are_told(
    fleet: Fleet, site: ManagedSite, since: str, till: str, reason: str, told: str
) -> None:
    pages = Pages(fleet.user("olga", aurora="operate"))
    answer = pages.post(site, AVAILABILITY, action="plan", since=since, till=till, reason=reason)
    assert answer.status_code == 200
    assert told in words(answer)
    assert not Maintenance.objects.exists()


def test_what_is_not_known_is_not_there(fleet: Fleet, site: ManagedSite) -> None:
    pages = Pages(fleet.user("olga", aurora="operate"))
    for sent in ({"action": "rm"}, {}, {"action": "end"}, {"action": "end", "window": str(uuid4())}):
        assert pages.post(site, AVAILABILITY, **sent).status_code == 404


def test_maintained_site_is_maintained_whatever_was_seen(pages: Pages, site: ManagedSite) -> None:
    now = timezone.now()
    look(now)
    see(site, now, DOWN, "timeout", ago=HOUR)
    Maintenance.objects.create(site=site, since=now - LATER, till=now + HOUR, reason="work", actor="operator:root")
    page = words(pages.get(site, AVAILABILITY))
    assert "Maintenance. What was seen: Down. Seen from outside" in page


@pytest.mark.parametrize(("record", "said"), [({"enabled": False}, "Disabled"), ({"state": "suspended"}, "Suspended")])
def test_site_that_is_not_to_be_served_is_not_down(fleet: Fleet, record: dict[str, Any], said: str) -> None:
    site = fleet.add("aurora", **record)
    now = timezone.now()
    look(now)
    see(site, now, UNKNOWN)
    page = words(Pages(fleet.user("root", operator=True)).get(site, AVAILABILITY))
    assert f"Now {said}. What was seen: Not known." in page


def test_words_in_rows_are_text(pages: Pages, site: ManagedSite) -> None:
    """Also those that somebody put there who took a process over."""
    now = timezone.now()
    look(now)
    see(site, now, HOSTILE[:20], HOSTILE[20:40])
    incident = fall(now, site, kind=HOSTILE[:20], summary=HOSTILE[:300], lines=[(HOSTILE[:20], HOSTILE[:300])])
    concern(incident, site, state=HOSTILE[:20], reason=HOSTILE[:30])
    assert found_in(pages.get(site, AVAILABILITY).text) == []
    assert found_in(pages.get(site, AVAILABILITY, "now/").text) == []


def test_queries_do_not_grow_with_what_there_is(fleet: Fleet, site: ManagedSite, pages: Pages) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as found:
            assert pages.get(site, AVAILABILITY).status_code == 200
        return len(found)

    now = timezone.now()
    look(now)
    see(site, now)
    concern(fall(now, site, lasted=LATER), site)
    plan_maintenance(OPERATOR, site, Times(now + HOUR, now + DAY), reason="work")
    count()
    before = count()
    for number in range(20):
        look(now, place=f"web-{number}")
        see(site, now, place=f"web-{number}")
        suffer(site, now - (number + 2) * HOUR, now - (number + 1) * HOUR, DOWN, "status", 500)
        fall(now, site, ago=(number + 2) * HOUR, lasted=LATER, cause=NODE, subject=f"web-{number}")
        plan_maintenance(OPERATOR, site, Times(now + HOUR, now + DAY), reason="work")
    assert count() == before
    assert before <= 26

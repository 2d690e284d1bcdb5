"""The availability of all sites: those in trouble first, and of each when and from where it was seen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.control.dashboard.hostile import HOSTILE, shown_hostility
from tests.control.dashboard.looks import DAY, HOUR, age, concern, fall, look, see, suffer
from tests.control.dashboard.pages import words
from tests.control.dashboard.visits import AVAILABILITY, listed, signed_in, text_of
from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import CreateSite
from wagtail_multihost.control.dashboard.availability_list import ORDER
from wagtail_multihost.control.models import Maintenance, ManagedSite, Monitor
from wagtail_multihost.nodeapi.incident_words import DATABASE, SITES_DOWN
from wagtail_multihost.nodeapi.probe_states import DOWN, UNKNOWN, WRONG_SITE

NAMES = ("ajax", "bell", "coil", "dove", "echo", "flux", "gale")


@pytest.fixture(name="troubled")
def _troubled(fleet: Fleet) -> Fleet:
    """A fleet with a site in each kind of trouble; the names say nothing of the order."""
    now = timezone.now()
    look(now)
    sites = {name: fleet.add(name, **({"labels": {"plan": "gold"}} if name == "dove" else {})) for name in NAMES}
    age(*sites.values())
    see(sites["ajax"], now)  # up, and never down
    see(sites["bell"], now)  # up, and was down for an hour
    suffer(sites["bell"], now - 2 * DAY, now - 2 * DAY + HOUR, DOWN, "timeout")
    see(sites["coil"], now, UNKNOWN)
    see(sites["dove"], now, DOWN, "refused", ago=HOUR)
    see(sites["echo"], now)  # up, and was down for a day
    suffer(sites["echo"], now - 3 * DAY, now - 2 * DAY, WRONG_SITE, "wrong-proof")
    see(sites["flux"], now, WRONG_SITE, "wrong-proof", ago=2 * HOUR)
    # Nobody has said anything of gale.
    return fleet


def test_sites_in_trouble_are_first(troubled: Fleet) -> None:
    client = signed_in(troubled.user("root", operator=True))
    assert listed(client, AVAILABILITY) == ["flux", "dove", "coil", "gale", "echo", "bell", "ajax"]
    assert listed(client, AVAILABILITY, ordering="-identifier") == sorted(NAMES, reverse=True)
    assert ORDER[-1] == "pk", "Equal ones must not change places between two pages."


def test_each_is_shown_with_when_and_from_where(troubled: Fleet) -> None:
    client = signed_in(troubled.user("root", operator=True))
    page = words(client.get(AVAILABILITY))
    assert "Another site answers The answer's proof is of none of the platform's sites." in page
    assert "Down The connection was refused." in page
    assert page.count("from outside") == 6
    assert "Never" in page
    assert "100 % 99.4 % 99.86 %" in page  # bell: an hour of a week, and of 30 days
    assert "100 % 100 % 100 %" in page


def test_nobody_sees_a_foreign_site(troubled: Fleet) -> None:
    client = signed_in(troubled.user("ada", ajax="view", dove="view"))
    assert listed(client, AVAILABILITY) == ["dove", "ajax"]
    assert listed(client, AVAILABILITY, state="wrong-site") == []
    assert listed(client, AVAILABILITY, q="flux") == []
    for query in ({}, {"export": "csv"}, {"p": "2"}):
        assert "flux" not in text_of(client, AVAILABILITY, **query)


def test_sites_are_filtered(troubled: Fleet) -> None:
    client = signed_in(troubled.user("root", operator=True))
    assert listed(client, AVAILABILITY, state="down") == ["dove"]
    assert listed(client, AVAILABILITY, state=["unknown", "wrong-site"]) == ["flux", "coil", "gale"]
    assert listed(client, AVAILABILITY, label="plan=gold") == ["dove"]
    assert listed(client, AVAILABILITY, q="ec") == ["echo"]
    assert listed(client, AVAILABILITY, state="asleep") == []
    now = timezone.now()
    fall(now, troubled.site("bell"))
    concern(fall(now, kind=SITES_DOWN, cause=DATABASE, subject="db"), troubled.site("echo"))
    fall(now, troubled.site("ajax"), lasted=timedelta(minutes=1))
    assert listed(client, AVAILABILITY, incident="open") == ["echo", "bell"]


def test_nothing_is_known_while_nobody_looks(troubled: Fleet) -> None:
    """What was seen last is not what is; nobody is said to be down, or up, by a monitor that is away."""
    Monitor.objects.update(seen_at=timezone.now() - HOUR)
    client = signed_in(troubled.user("root", operator=True))
    assert sorted(listed(client, AVAILABILITY, state="unknown")) == [*NAMES]
    assert listed(client, AVAILABILITY, state=["down", "up", "wrong-site"]) == []


def test_site_is_in_no_trouble_while_it_need_not_answer(troubled: Fleet) -> None:
    now = timezone.now()
    values = {"since": now - HOUR, "till": now + HOUR, "reason": "work", "actor": "operator:root"}
    Maintenance.objects.create(site=troubled.site("flux"), **values)
    client = signed_in(troubled.user("root", operator=True))
    assert listed(client, AVAILABILITY, state="maintenance") == ["flux"]
    assert listed(client, AVAILABILITY)[0] == "dove"
    Maintenance.objects.create(site=None, **values)
    assert sorted(listed(client, AVAILABILITY, state="maintenance")) == [*NAMES]


def test_site_that_is_down_inside_is_down_where_nobody_looks_from_outside(troubled: Fleet) -> None:
    now = timezone.now()
    Monitor.objects.update(seen_at=now - HOUR)
    ajax, bell = troubled.site("ajax"), troubled.site("bell")
    for place in ("web-1", "web-2"):
        look(now, place=place)
    for site, place, state in (
        (ajax, "web-1", DOWN),
        (ajax, "web-2", WRONG_SITE),
        (bell, "web-1", DOWN),
        (bell, "web-2", "up"),
    ):
        see(site, now, state, place=place, ago=HOUR)
    client = signed_in(troubled.user("root", operator=True))
    assert listed(client, AVAILABILITY, state="down") == ["ajax"]
    assert listed(client, AVAILABILITY, state="up") == ["bell"]


def test_hostname_that_another_site_had_says_nothing(troubled: Fleet) -> None:
    """What was seen of a name counts for the site that had it then."""
    now = timezone.now()
    see(troubled.site("flux"), now, DOWN, "timeout", hostname="gale.example.com", ago=HOUR)
    client = signed_in(troubled.user("root", operator=True))
    assert "gale" in listed(client, AVAILABILITY, state="unknown")


def test_list_is_read_again_until_that_is_paused(troubled: Fleet) -> None:
    client = signed_in(troubled.user("ada", ajax="view"))
    assert "w-session:ping" in text_of(client, AVAILABILITY)
    assert "Pause this" in text_of(client, AVAILABILITY)
    for query in ({"live": "off"}, {"ordering": "identifier"}):
        assert "w-session:ping" not in text_of(client, AVAILABILITY, **query)
    assert listed(client, f"{AVAILABILITY}results/") == ["ajax"]


def test_spreadsheet_has_seconds(troubled: Fleet) -> None:
    client = signed_in(troubled.user("root", operator=True))
    header, *rows = text_of(client, AVAILABILITY, export="csv", q="ajax").splitlines()
    assert header.startswith(
        "id,state,since,seen,from,up 24 hours,down 24 hours,maintenance 24 hours,unknown 24 hours,"
    )
    [row] = rows
    assert row.startswith("ajax,up,") and ",from outside," in row
    assert row.split(",")[6] == "0.0"


def test_words_in_rows_are_text(troubled: Fleet) -> None:
    see(troubled.site("ajax"), timezone.now(), HOSTILE[:20], HOSTILE[20:40])
    client = signed_in(troubled.user("root", operator=True))
    for query in ({}, {"state": HOSTILE}, {"q": HOSTILE}, {"incident": HOSTILE}, {"label": HOSTILE}):
        assert shown_hostility(text_of(client, AVAILABILITY, **query)) == [], query


def test_list_asks_as_often_for_many_sites(fleet: Fleet) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as found:
            text_of(client, AVAILABILITY)
        return len(found)

    def add(start: int, end: int) -> None:
        names = [f"site{number}" for number in range(start, end)]
        fleet.apply(*(CreateSite(name, {"hostnames": [f"{name}.example.com"]}) for name in names))
        for site in ManagedSite.objects.filter(identifier__in=names):
            see(site, now, DOWN if site.pk.int % 3 else "up", ago=HOUR)
            fall(now, site)

    now = timezone.now()
    look(now)
    add(0, 10)
    client = signed_in(fleet.user("ada", operator=True))
    text_of(client, AVAILABILITY)
    before = count()
    add(10, 120)
    assert count() == before
    assert before <= 20

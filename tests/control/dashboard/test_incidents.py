"""Incidents in the dashboard: which there are, what happened, what was done, and to whom what of it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.control.dashboard.hostile import HOSTILE, shown_hostility
from tests.control.dashboard.looks import HOUR, concern, fall
from tests.control.dashboard.nodes import add_nodes
from tests.control.dashboard.pages import words
from tests.control.dashboard.visits import INCIDENTS, signed_in, text_of
from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import RetireSite
from wagtail_multihost.control.models import Incident, IncidentLine
from wagtail_multihost.nodeapi.incident_words import (
    CLOSED,
    DATABASE,
    FOLDED,
    HEALED,
    JOINED,
    NODE,
    NODE_SILENT,
    OPENED,
    SITES_DOWN,
    WRONG_SITE,
)

MINUTE = timedelta(minutes=1)
HOME = "/admin/"


def page_of(incident: Incident) -> str:
    return f"{INCIDENTS}{incident.pk}/"


def found(client: Any, **query: Any) -> list[Any]:
    answer = client.get(INCIDENTS, query)
    assert answer.status_code == 200
    return [row.pk for row in answer.context["object_list"]]


@pytest.fixture(name="shared")
def _shared(fleet: Fleet) -> Incident:
    """An incident of the database server that aurora and borealis share."""
    incident = fall(
        timezone.now(),
        kind=SITES_DOWN,
        cause=DATABASE,
        subject="zqdb.internal",
        summary="zqsummary: aurora, borealis",
        count=2,
        lines=[(OPENED, "zqline"), (JOINED, "zqborealis")],
    )
    concern(incident, fleet.add("aurora"), reason="not-ready", code=503)
    concern(incident, fleet.add("borealis"), place="zqnode")
    return incident


def test_open_incidents_are_first_and_the_latest_of_them(fleet: Fleet) -> None:
    now, site = timezone.now(), fleet.add("aurora")
    over = fall(now, site, ago=MINUTE, lasted=MINUTE)
    old = fall(now, site, ago=9 * HOUR)
    new = fall(now, fleet.add("borealis"), ago=HOUR)
    client = signed_in(fleet.user("root", operator=True))
    assert found(client) == [new.pk, old.pk, over.pk]
    assert found(client, ordering="since") == [old.pk, new.pk, over.pk]
    assert found(client, state="open") == [new.pk, old.pk]
    assert found(client, state="closed") == [over.pk]
    assert found(client, site="borealis") == [new.pk]
    assert found(client, kind=WRONG_SITE) == []
    assert found(client, q="bore") == [new.pk]
    assert found(client, state="asleep") == []
    page = words(client.get(INCIDENTS))
    assert "Site down borealis Open It did not answer." in page
    assert "Over" in page


def test_page_has_what_happened_and_what_was_done(fleet: Fleet) -> None:
    now, site = timezone.now(), fleet.add("aurora")
    lines = [(OPENED, "It was seen."), (HEALED, "Its process was started again."), (CLOSED, "It answers.")]
    incident = fall(now, site, ago=2 * HOUR, lasted=90 * MINUTE, lines=lines)
    concern(incident, site, reason="status", code=502)
    page = words(signed_in(fleet.user("ada", aurora="view")).get(page_of(incident)))
    assert "What It did not answer. Of aurora Cause the site itself State Over, as of" in page
    assert "for 1 h 30 min" in page
    for text in ("Opened: It was seen.", "Done about it: Its process was started again.", "Over: It answers."):
        assert text in page
    assert page.index("It was seen.") < page.index("started again") < page.index("It answers.")
    assert "aurora.example.com aurora from outside Down The status is another than the expected one. (502)" in page


def test_foreign_incident_is_nowhere(fleet: Fleet) -> None:
    now = timezone.now()
    fleet.add("aurora")
    foreign = fall(now, fleet.add("zqforeign"))
    concern(foreign, fleet.site("zqforeign"))
    node = fall(now, kind=NODE_SILENT, cause=NODE, subject="zqnode")
    client = signed_in(fleet.user("ada", aurora="admin"))
    assert found(client) == []
    for one in (foreign, node):
        assert client.get(page_of(one)).status_code == 404
    assert client.get(f"{INCIDENTS}{uuid4()}/").status_code == 404
    for path, query in ((INCIDENTS, {}), (INCIDENTS, {"export": "csv"}), (HOME, {})):
        assert "zqforeign" not in text_of(client, path, **query) and "zqnode" not in text_of(client, path, **query)


def test_incident_that_sites_share_is_told_without_others(shared: Incident, fleet: Fleet) -> None:
    """That it is, since when, and when something was done: no server, node or other site."""
    client = signed_in(fleet.user("ada", aurora="admin"))
    assert found(client) == [shared.pk]
    page = client.get(page_of(shared))
    assert "Many sites down: a database server that sites share" in words(page)
    assert "Many sites do not answer as they should, for one reason." in words(page)
    assert "Opened" in words(page) and "More sites" in words(page)
    assert "aurora.example.com aurora from outside Down The site says itself that it is not ready. (503)" in words(page)
    for text in (
        page.text,
        text_of(client, INCIDENTS),
        text_of(client, INCIDENTS, export="csv"),
        text_of(client, HOME),
    ):
        for hidden in ("zqdb", "zqsummary", "zqline", "zqnode", "borealis"):
            assert hidden not in text
    operator = words(signed_in(fleet.user("root", operator=True)).get(page_of(shared)))
    for told in ("zqdb.internal", "zqsummary", "zqline", "borealis.example.com borealis on zqnode", "Sites 2"):
        assert told in operator


def test_what_is_not_shown_is_not_found_out_by_asking(shared: Incident, fleet: Fleet) -> None:
    client = signed_in(fleet.user("ada", aurora="admin"))
    for query in ({"q": "zqdb"}, {"q": "zqsummary"}, {"q": "borealis"}, {"site": "borealis"}):
        assert found(client, **query) == [], query
    assert found(client, site="aurora") == [shared.pk]
    operator = signed_in(fleet.user("root", operator=True))
    for query in ({"q": "zqdb"}, {"q": "zqsummary"}, {"site": "borealis"}):
        assert found(operator, **query) == [shared.pk], query


def test_incident_that_another_has_taken_in_leads_there(shared: Incident, fleet: Fleet) -> None:
    own = fall(timezone.now(), fleet.site("aurora"), lines=[(FOLDED, "")], folded=shared, lasted=MINUTE)
    page = signed_in(fleet.user("ada", aurora="view")).get(page_of(own))
    assert "Taken into Many sites down: a database server that sites share" in words(page)
    assert page_of(shared) in page.text


def test_incident_of_a_retired_site_leads_nowhere(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    incident = fall(timezone.now(), site, lasted=MINUTE)
    fleet.apply(RetireSite(site.uid))
    page = text_of(signed_in(fleet.user("root", operator=True)), page_of(incident))
    assert "aurora" in page
    assert f"/sites/{site.uid}/" not in page


def test_open_incidents_are_on_the_first_page(shared: Incident, fleet: Fleet) -> None:
    now = timezone.now()
    for number in range(7):
        fall(now, fleet.site("aurora"), ago=number * HOUR + MINUTE, subject=f"aurora {number}")
    fall(now, fleet.site("aurora"), ago=9 * HOUR, lasted=MINUTE, summary="it is over")
    fall(now, fleet.site("aurora"), ago=9 * HOUR, subject="folded", folded=shared)
    client = signed_in(fleet.user("ada", aurora="view"))
    page = words(client.get(HOME))
    assert page.count("Site down: aurora since") + page.count("Many sites down") == 5
    assert "All open incidents , 3 more" in page
    assert "Open incidents" not in words(signed_in(fleet.user("eve")).get(HOME))


def test_first_page_has_no_panel_without_incidents(fleet: Fleet) -> None:
    fleet.add("aurora")
    assert "Open incidents" not in words(signed_in(fleet.user("ada", aurora="view")).get(HOME))


def test_page_offers_to_silence_what_may_be_silenced(shared: Incident, fleet: Fleet) -> None:
    now = timezone.now()
    add_nodes("web-1")
    own, over = fall(now, fleet.site("aurora")), fall(now, fleet.site("aurora"), lasted=MINUTE)
    node = fall(now, kind=NODE_SILENT, cause=NODE, subject="web-1")
    gone = fall(now, kind=NODE_SILENT, cause=NODE, subject="web-9")
    offered = {
        "view": [],
        "operate": [own],
        "operator": [own, node],
    }
    for role, incidents in offered.items():
        user = fleet.user(role, operator=True) if role == "operator" else fleet.user(role, aurora=role)
        client = signed_in(user)
        shown = [one for one in (own, over, node, gone, shared) if "Silence it" in words(client.get(page_of(one)))]
        assert shown == incidents, role


def test_list_is_read_again_until_that_is_paused(fleet: Fleet) -> None:
    fleet.add("aurora")
    client = signed_in(fleet.user("ada", aurora="view"))
    assert "w-session:ping" in text_of(client, INCIDENTS)
    assert "w-session:ping" not in text_of(client, INCIDENTS, live="off")


def test_words_in_rows_are_text(fleet: Fleet) -> None:
    """Also those that somebody put there who took a process over."""
    site = fleet.add("aurora")
    words_of = {"kind": HOSTILE[:20], "summary": HOSTILE[:300], "subject": HOSTILE[:120], "cause": HOSTILE[:20]}
    incident = fall(timezone.now(), lines=[(HOSTILE[:20], HOSTILE[:300])], **words_of)
    concern(incident, site, state=HOSTILE[:20], reason=HOSTILE[:30])
    client = signed_in(fleet.user("root", operator=True))
    for path in (INCIDENTS, page_of(incident), HOME):
        assert shown_hostility(text_of(client, path)) == [], path
    for query in ({"q": HOSTILE}, {"kind": HOSTILE}, {"state": HOSTILE}, {"site": HOSTILE}):
        assert shown_hostility(text_of(client, INCIDENTS, **query)) == [], query


def test_pages_ask_as_often_for_many_incidents(fleet: Fleet) -> None:
    def count(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(client, path)
        return len(queries)

    now, site = timezone.now(), fleet.add("aurora")
    incident = fall(now, site)
    concern(incident, site)
    client = signed_in(fleet.user("ada", aurora="operate"))
    paths = (INCIDENTS, page_of(incident), HOME)
    for path in paths:
        text_of(client, path)
    before = [count(path) for path in paths]
    for number in range(60):
        one = fall(now, fleet.add(f"site{number}") if number < 5 else site, subject=f"{number}")
        concern(one, site)
        IncidentLine.objects.create(incident=incident, at=now, kind=HEALED, text=str(number))
    assert [count(path) for path in paths] == before

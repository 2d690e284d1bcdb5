"""Incidents in the database: decided by a real operator process's round, and shown to whom they concern."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now

from tests.control.clients import client_of, operator_client
from tests.control.fleet import OPERATOR, SHARED, Fleet, prepare_fleet
from tests.control.operators import OperatorHere
from tests.control.roles import Roles
from tests.control.seen import age_incidents, execute, prepare_monitors, see, speak
from tests.servers.postgres import Postgres
from wagtail_multihost.control.incidents import visible_incidents
from wagtail_multihost.control.models import Event, Heartbeat, Incident, IncidentHostname, IncidentLine
from wagtail_multihost.control.roles import COURIER, READER, WEB
from wagtail_multihost.control.roles import OPERATOR as ROLE
from wagtail_multihost.nodeapi import operator_incidents_v1
from wagtail_multihost.nodeapi.incident_words import (
    CLOSED,
    DATABASE,
    HEALED,
    MONITOR_SILENT,
    OPENED,
    SITE_DOWN,
    SITES_DOWN,
)
from wagtail_multihost.nodeapi.probe_states import DOWN, NOT_READY, OUTSIDE, REFUSED, UP
from wagtail_multihost.operations.operator.incident_round import IncidentRound

#: No right to it.
REFUSED_CODE = "42501"


@pytest.fixture(name="watched")
def _watched(live_fleet: Fleet) -> Fleet:
    """Return a fleet that a monitor outside has just looked at."""
    prepare_monitors()
    return live_fleet


@pytest.fixture(name="operator")
def _operator(watched: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[OperatorHere]:
    roles = Roles(postgres)
    roles.make()
    operator = OperatorHere(roles, tmp_path)
    yield operator
    operator.close()


def awake(operator: OperatorHere) -> IncidentRound:
    """Return rounds of an operator that has heard the database for an hour."""
    round_of = IncidentRound(operator.database, lambda: 3_600.0)
    round_of.heard = 3_600.0
    return round_of


def test_site_that_is_down_is_an_incident_until_it_is_well(watched: Fleet, operator: OperatorHere) -> None:
    """With an event for each that people are told, of the site."""
    site = watched.add("aurora")
    see("aurora.example.com", DOWN, REFUSED)
    round_of = awake(operator)
    assert round_of.tick(10) == 1
    assert round_of.tick(10) == 0
    found = Incident.objects.get()
    assert (found.kind, found.subject, found.site, found.till) == (SITE_DOWN, "aurora", site, None)
    assert (found.word, found.phase, found.count) == (OPENED, 1, 1)
    assert found.summary == "aurora is down. The connection was refused."
    assert [(one.hostname, one.place, one.state) for one in found.hostnames.all()] == [
        ("aurora.example.com", OUTSIDE, DOWN)
    ]
    see("aurora.example.com", UP, age=61)
    assert round_of.tick(10) == 1
    found.refresh_from_db()
    assert found.till is not None
    assert (found.word, found.phase) == (CLOSED, 2)
    assert [line.kind for line in found.lines.all()] == [OPENED, CLOSED]
    events = Event.objects.filter(type__startswith="incident.").order_by("revision")
    assert [(one.type, one.site, one.uid) for one in events] == [
        ("incident.opened", "aurora", site.uid),
        ("incident.closed", "aurora", site.uid),
    ]
    assert events[0].metadata == {"incident": str(found.pk), "kind": SITE_DOWN}
    watched.add("borealis")
    assert Event.objects.filter(type="site.created").count() == 2, "the registry goes on"


def test_same_again_is_the_same_row(watched: Fleet, operator: OperatorHere) -> None:
    watched.add("aurora")
    round_of = awake(operator)
    see("aurora.example.com", DOWN, REFUSED)
    round_of.tick(10)
    see("aurora.example.com", UP, age=61)
    round_of.tick(10)
    age_incidents(100)
    see("aurora.example.com", DOWN, REFUSED, age=31)
    assert round_of.tick(10) == 1
    found = Incident.objects.get()
    assert (found.till, found.phase, found.word) == (None, 3, OPENED)
    assert len(found.hostnames.get().turns) == 2


def test_shared_database_is_one_incident_and_one_event(watched: Fleet, operator: OperatorHere) -> None:
    """It names the server of the records, and folds what was told of a site alone."""
    prepare_fleet(SHARED)
    names = [f"site-{number}" for number in range(8)]
    for name in names:
        watched.add(name)
    see("site-0.example.com", DOWN, NOT_READY)
    round_of = awake(operator)
    assert round_of.tick(10) == 1
    for name in names:
        see(f"{name}.example.com", DOWN, NOT_READY)
    assert round_of.tick(10) == 1
    whole = Incident.objects.get(till=None)
    assert (whole.kind, whole.cause, whole.subject, whole.count) == (SITES_DOWN, DATABASE, "db.internal:5432", 8)
    assert whole.site is None
    assert Incident.objects.get(site=watched.site("site-0").uid).folded == whole
    assert Event.objects.filter(type="incident.opened").count() == 2
    for name in names:
        see(f"{name}.example.com", UP, age=61)
    assert round_of.tick(10) == 1
    assert not Incident.objects.filter(till=None).exists()
    assert Event.objects.filter(type="incident.closed").count() == 1


@pytest.mark.parametrize("closing", ["state", "enabled", "window"])
def test_site_that_is_closed_on_purpose_opens_none(watched: Fleet, operator: OperatorHere, closing: str) -> None:
    record: dict[str, Any] = {"state": {"state": "maintenance"}, "enabled": {"enabled": False}}.get(closing, {})
    site = watched.add("aurora", **record)
    see("aurora.example.com", DOWN, REFUSED)
    if closing == "window":
        execute(
            "INSERT INTO control_maintenance (id, site_id, since, till, reason, actor) "
            "VALUES (gen_random_uuid(), %s, now() - interval '1 h', now() + interval '1 h', 'an upgrade', '')",
            [site.uid],
        )
    assert awake(operator).tick(10) == 0
    assert not Incident.objects.exists()


def test_monitor_that_falls_silent_opens_one_and_says_nothing_of_sites(watched: Fleet, operator: OperatorHere) -> None:
    watched.add("aurora")
    see("aurora.example.com", DOWN, REFUSED)
    speak(seconds=1_000)
    assert awake(operator).tick(10) == 1
    found = Incident.objects.get()
    assert (found.kind, found.subject) == (MONITOR_SILENT, OUTSIDE)


def test_two_operators_open_no_incident_twice(watched: Fleet, operator: OperatorHere, postgres: Postgres) -> None:
    """The second waits until the first has decided."""
    watched.add("aurora")
    see("aurora.example.com", DOWN, REFUSED)
    (operator.root / "other").mkdir()
    other = OperatorHere(Roles(postgres), operator.root / "other")
    try:
        operator.database.ask("BEGIN")
        operator.database.ask(operator_incidents_v1.LOCK)
        other.database.ask("SET lock_timeout = '200ms'")
        with pytest.raises(Exception, match="lock"):
            awake(other).tick(10)
        operator.database.ask("COMMIT")
        assert [awake(one).tick(10) for one in (operator, other)] == [1, 0]
    finally:
        other.close()
    assert Incident.objects.count() == 1


def test_operator_says_that_it_lives(watched: Fleet, operator: OperatorHere) -> None:
    """In its rounds, each of which decides about incidents too."""
    operator.work()
    beat = Heartbeat.objects.get(process="operator")
    assert beat.period == 10


def test_what_heals_writes_lines_of_bounded_words(watched: Fleet, operator: OperatorHere) -> None:
    site, other = watched.add("aurora"), watched.add("borealis")
    see("aurora.example.com", DOWN, REFUSED)
    awake(operator).tick(10)
    with connection.cursor() as cursor:
        for uid in (site.uid, other.uid):
            cursor.execute("SELECT control_note_healing(%s, 'web1', %s)", [uid, "restarted\x1b[2J" + "x" * 1000])
    line = IncidentLine.objects.get(kind=HEALED)
    assert line.text.startswith("restarted [2Jx")
    assert len(line.text) == 300


def test_incidents_are_forgotten_after_a_year(watched: Fleet, operator: OperatorHere) -> None:
    watched.add("aurora")
    see("aurora.example.com", DOWN, REFUSED)
    round_of = awake(operator)
    round_of.tick(10)
    see("aurora.example.com", UP, age=61)
    round_of.tick(10)
    age_incidents(399 * 86_400)
    assert operator.database.ask("SELECT operator_v1.forget_incidents()") == [(0,)]
    age_incidents(2 * 86_400)
    assert operator.database.ask("SELECT operator_v1.forget_incidents()") == [(1,)]
    assert not IncidentHostname.objects.exists()


@pytest.mark.parametrize("role", [WEB, READER, COURIER])
def test_nobody_but_the_operator_decides(watched: Fleet, operator: OperatorHere, role: str) -> None:
    roles = operator.roles
    assert roles.refusal(role, "SELECT operator_v1.lock_incidents()") == REFUSED_CODE
    assert roles.refusal(role, "SELECT public.control_add_line(gen_random_uuid(), 'noted', 'x')") == REFUSED_CODE
    for statement in (
        "UPDATE public.control_incident SET till = now()",
        "DELETE FROM public.control_incident",
        "INSERT INTO public.control_heartbeat (process, seen_at, period) VALUES ('operator', now(), 1e9)",
        "UPDATE public.control_alert SET ended_at = now()",
        "INSERT INTO public.control_incident_line (at, kind, text) VALUES (now(), 'x', 'x')",
    ):
        assert roles.refusal(role, statement) == REFUSED_CODE, statement
    assert roles.refusal(ROLE, "SELECT * FROM public.control_recipient") == REFUSED_CODE


def keep(**more: Any) -> Incident:
    """Write an incident as it could be."""
    values = {"kind": SITES_DOWN, "cause": DATABASE, "subject": "db.internal:5432", "summary": "They use db.internal."}
    return Incident.objects.create(since=Now(), told_at=Now(), **{**values, **more})


def concern(incident: Incident, fleet: Fleet, *sites: str, place: str = OUTSIDE) -> None:
    for name in sites:
        IncidentHostname.objects.create(
            incident=incident,
            site=fleet.site(name),
            hostname=f"{name}.example.com",
            place=place,
            state=DOWN,
            reason=NOT_READY,
            since=Now(),
        )


def test_people_see_what_concerns_their_sites_and_no_names_of_others(fleet: Fleet) -> None:
    """Of a shared cause: that it is one, and their own hostnames; neither the server, nor other sites, nor nodes."""
    for name in ("aurora", "borealis", "corona"):
        fleet.add(name)
    shared = keep(count=3)
    concern(shared, fleet, "aurora", "borealis", "corona")
    concern(shared, fleet, "aurora", place="web1")
    IncidentLine.objects.create(incident=shared, at=Now(), kind=OPENED, text="They use db.internal.")
    other = keep(kind=SITE_DOWN, cause="site", subject="borealis", site=fleet.site("borealis"), summary="borealis")
    concern(other, fleet, "borealis")
    ada = client_of(fleet.user("ada", aurora="view"), "read")
    (listed,) = ada.get("/incidents").body["incidents"]
    assert (listed["id"], listed["kind"], listed["count"], listed["subject"]) == (str(shared.pk), SITES_DOWN, 0, "")
    assert "db.internal" not in str(listed)
    read = ada.get(f"/incidents/{shared.pk}").body
    assert sorted((one["hostname"], one["place"]) for one in read["hostnames"]) == [
        ("aurora.example.com", "inside"),
        ("aurora.example.com", "outside"),
    ]
    assert read["lines"] == []
    assert not any(word in str(read) for word in ("db.internal", "borealis", "corona", "web1"))
    assert ada.get(f"/incidents/{other.pk}").status == 404
    assert ada.get("/incidents?site=borealis").status == 404
    olga = operator_client(fleet)
    assert len(olga.get("/incidents").body["incidents"]) == 2
    whole = olga.get(f"/incidents/{shared.pk}").body
    assert (len(whole["hostnames"]), whole["subject"], whole["count"]) == (4, "db.internal:5432", 3)
    assert [line["text"] for line in whole["lines"]] == ["They use db.internal."]
    assert {one.pk for one in visible_incidents(OPERATOR)} == {shared.pk, other.pk}


def test_incidents_are_filtered_and_come_in_pages(fleet: Fleet) -> None:
    fleet.add("aurora")
    found = [
        keep(kind=SITE_DOWN, cause="site", subject=f"x{number}", site=fleet.site("aurora"), till=Now())
        for number in range(4)
    ]
    last = keep()
    client = operator_client(fleet)
    assert [one["id"] for one in client.get("/incidents?open=true").body["incidents"]] == [str(last.pk)]
    assert len(client.get("/incidents?open=false").body["incidents"]) == 4
    assert len(client.get("/incidents?site=aurora").body["incidents"]) == 4
    assert len(client.get(f"/incidents?kind={SITES_DOWN}").body["incidents"]) == 1
    seen: list[str] = []
    page = client.get("/incidents?limit=2").body
    while True:
        seen += [one["id"] for one in page["incidents"]]
        if page["next"] is None:
            break
        page = client.get(f"/incidents?limit=2&before={page['next'].replace('+', '%2B')}").body
    assert sorted(seen) == sorted(str(one.pk) for one in [*found, last])
    assert len(seen) == 5
    assert client.get("/incidents?before=yesterday").status == 422


def test_courier_cannot_say_that_the_operator_lives(watched: Fleet, operator: OperatorHere) -> None:
    """It may say that it lives itself, and of nobody else."""
    with operator.roles.connect(COURIER) as courier, pytest.raises(psycopg.Error) as raised:
        courier.execute("SELECT public.control_beat('operator', 1)")
    assert raised.value.sqlstate == REFUSED_CODE

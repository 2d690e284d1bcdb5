"""Maintenance windows: who plans, moves and ends them, and that what is over stays as it was."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import get_args

import pytest
from django.db import connection
from wagtail.models import ModelLogEntry

from tests.control.clients import client_of, operator_client
from tests.control.fleet import OPERATOR, Fleet
from tests.control.history import Seen
from tests.control.monitors import let_pass
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.api.availability_schemas import PeriodState
from wagtail_multihost.control.authority import authority_of
from wagtail_multihost.control.changes import NotAllowedError, NotNowError, RetireSite, UnknownSiteError
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.maintenance import (
    LONGEST,
    LONGEST_OF_SITE,
    MOST,
    Times,
    change_maintenance,
    end_maintenance,
    not_over,
    plan_maintenance,
    visible_windows,
)
from wagtail_multihost.control.models import Event, Maintenance, ManagedSite
from wagtail_multihost.control.roles import WEB
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.probe_states import STATES, UP

HOUR = timedelta(hours=1)
ANY_ID = "6f1c2f0e-0b0e-4c59-9a5e-0d7c3f6f0001"


@pytest.fixture(name="site")
def _site(fleet: Fleet) -> ManagedSite:
    return fleet.add("aurora")


def hours(since: float, till: float) -> Times:
    """Return the times so many hours from now."""
    now = database_time()
    return Times(now + since * HOUR, now + till * HOUR)


def length(window: Maintenance) -> float:
    assert window.till is not None
    return (window.till - window.since) / HOUR


def test_window_takes_no_revision_and_is_in_the_audit_log(fleet: Fleet, site: ManagedSite) -> None:
    before = (fleet.revision, Event.objects.count())
    times = hours(1, 3)
    planned = plan_maintenance(OPERATOR, site, times, reason="new hardware")
    assert (planned.site, planned.since, planned.till, planned.reason) == (site, *times, "new hardware")
    changed = change_maintenance(OPERATOR, planned.pk, since=None, till=times.till + HOUR, reason=None)
    assert (changed.since, length(changed), changed.reason) == (times.since, 3, "new hardware")
    end_maintenance(OPERATOR, planned.pk, reason="not needed")
    assert not Maintenance.objects.exists()
    entries = ModelLogEntry.objects.filter(object_id=str(site.uid), action__startswith="multihost.maintenance")
    assert [(one.action.rpartition(".")[2], one.data["reason"]) for one in entries.order_by("timestamp")] == [
        ("planned", "new hardware"),
        ("changed", "new hardware"),
        ("ended", "not needed"),
    ]
    assert (fleet.revision, Event.objects.count()) == before


def test_window_that_has_begun_keeps_when_and_ends_now(fleet: Fleet, site: ManagedSite) -> None:
    planned = plan_maintenance(OPERATOR, site, hours(0, 3), reason="x")
    let_pass(3600)
    planned.refresh_from_db()
    with pytest.raises(ConfigurationError, match="keeps when it did"):
        change_maintenance(OPERATOR, planned.pk, since=planned.since + HOUR, till=None, reason=None)
    changed = change_maintenance(OPERATOR, planned.pk, since=planned.since, till=None, reason="y")
    assert (changed.since, changed.reason) == (planned.since, "y")
    end_maintenance(OPERATOR, planned.pk)
    planned.refresh_from_db()
    assert 1 <= length(planned) < 1.1
    with pytest.raises(UnknownSiteError):
        change_maintenance(OPERATOR, planned.pk, since=None, till=database_time() + HOUR, reason=None)
    with pytest.raises(UnknownSiteError):
        end_maintenance(OPERATOR, planned.pk)


@pytest.mark.parametrize(
    ("since", "till", "keys"),
    [
        (-1, 1, ["Since"]),
        (2, 1, ["Till"]),
        (1, 1, ["Till"]),
        (-2, -1, ["Since", "Till"]),
        (24 * 401, 24 * 402, ["Since"]),
        (1, 24 * LONGEST + 2, ["Till"]),
    ],
)
def test_times_that_are_past_too_long_or_too_far_are_refused(
    site: ManagedSite, since: float, till: float, keys: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as error:
        plan_maintenance(OPERATOR, site, hours(since, till), reason="x")
    assert [problem.where for problem in error.value.problems] == keys
    assert {problem.site for problem in error.value.problems} == {"aurora"}


def test_people_of_a_site_plan_its_own_alone_and_not_for_long(fleet: Fleet, site: ManagedSite) -> None:
    borealis = fleet.add("borealis")
    ada = authority_of(fleet.user("ada", aurora="operate"))
    bert = authority_of(fleet.user("bert", aurora="change"))
    assert plan_maintenance(ada, site, hours(0, 24 * LONGEST_OF_SITE), reason="x")
    with pytest.raises(ConfigurationError, match=f"at most {LONGEST_OF_SITE} days"):
        plan_maintenance(ada, site, hours(0, 24 * LONGEST_OF_SITE + 1), reason="x")
    with pytest.raises(NotAllowedError):
        plan_maintenance(bert, site, hours(0, 1), reason="x")
    with pytest.raises(UnknownSiteError):
        plan_maintenance(ada, borealis, hours(0, 1), reason="x")
    with pytest.raises(NotAllowedError):
        plan_maintenance(ada, None, hours(0, 1), reason="x")
    of_operator = plan_maintenance(OPERATOR, site, hours(0, 1), reason="x")
    with pytest.raises(NotAllowedError):
        end_maintenance(ada, of_operator.pk)
    of_other = plan_maintenance(OPERATOR, borealis, hours(0, 1), reason="x")
    with pytest.raises(UnknownSiteError):
        change_maintenance(ada, of_other.pk, since=None, till=None, reason="y")
    of_all = plan_maintenance(OPERATOR, None, hours(0, 1), reason="x")
    assert of_other not in visible_windows(ada)
    assert of_all in visible_windows(ada)
    with pytest.raises(NotAllowedError):
        end_maintenance(ada, of_all.pk)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\x00b"])
def test_reason_is_wanted(site: ManagedSite, reason: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        plan_maintenance(OPERATOR, site, hours(0, 1), reason=reason)
    assert [problem.where for problem in error.value.problems] == ["Reason"]


def test_so_many_windows_are_enough(site: ManagedSite) -> None:
    for _ in range(MOST):
        last = plan_maintenance(OPERATOR, site, hours(0, 1), reason="x")
    with pytest.raises(NotNowError):
        plan_maintenance(OPERATOR, site, hours(0, 1), reason="x")
    assert plan_maintenance(OPERATOR, None, hours(0, 1), reason="x")
    end_maintenance(OPERATOR, last.pk)
    assert plan_maintenance(OPERATOR, site, hours(0, 1), reason="x")


def test_what_a_record_says_is_changed_by_the_record_alone(fleet: Fleet) -> None:
    fleet.add("cordelia", state="maintenance")
    (of_record,) = Maintenance.objects.all()
    for attempt in (
        lambda: end_maintenance(OPERATOR, of_record.pk),
        lambda: change_maintenance(OPERATOR, of_record.pk, since=None, till=None, reason="x"),
    ):
        with pytest.raises(UnknownSiteError):
            attempt()
    assert list(not_over()) == []
    fleet.apply(RetireSite(fleet.site("cordelia").uid))
    of_record.refresh_from_db()
    assert of_record.till is not None
    with pytest.raises(UnknownSiteError):
        plan_maintenance(OPERATOR, of_record.site, hours(0, 1), reason="x")


def test_web_process_plans_with_its_rights_and_changes_no_past(live_fleet: Fleet, postgres: Postgres) -> None:
    """Not even by the functions that it may call: what is over stays, and nothing begins before now."""
    site = live_fleet.add("aurora")
    roles = Roles(postgres)
    roles.make()
    with roles.acting(WEB):
        planned = plan_maintenance(OPERATOR, site, hours(1, 2), reason="x")
        change_maintenance(OPERATOR, planned.pk, since=None, till=None, reason="y")
        end_maintenance(OPERATOR, planned.pk)
    save = (
        "SELECT control_save_maintenance(%s, %s, now() - interval '9 days', now() - interval '8 days', 'x', '', true)"
    )
    before = database_time()
    with roles.connect(WEB) as opened:
        assert opened.execute(save, [ANY_ID, site.uid]).fetchone() == (True,)
        made = Maintenance.objects.get()
        assert made.since >= before and made.till is not None
        assert made.till - made.since < timedelta(minutes=1)
        opened.execute(save, [ANY_ID, site.uid])
        opened.execute("SELECT control_end_maintenance(%s)", [ANY_ID])
    former = (made.since, made.till)
    made.refresh_from_db()
    assert (made.since, made.till) == former, "it is over"


def moment(value: datetime) -> str:
    return value.isoformat()


def test_api_plans_changes_lists_and_ends(fleet: Fleet, site: ManagedSite) -> None:
    client = operator_client(fleet)
    times = hours(1, 2)
    body = {"site": "aurora", "since": moment(times.since), "till": moment(times.till), "reason": "new hardware"}
    made = client.post("/maintenance", body)
    assert made.status == 201
    window = made.body["maintenance"]
    assert (window["site"], window["reason"], window["of_record"]) == ("aurora", "new hardware", False)
    path = f"/maintenance/{window['id']}"
    changed = client.patch(path, {"till": moment(times.till + HOUR)})
    assert (changed.status, changed.body["maintenance"]["since"]) == (200, window["since"])
    assert [one["id"] for one in client.get("/maintenance").body["maintenance"]] == [window["id"]]
    assert client.delete(f"{path}?reason=done").status == 200
    assert client.get("/maintenance").body["maintenance"] == []
    assert client.delete(path).status == client.patch(path, {"reason": "x"}).status == 404
    now = client.post("/maintenance", {"till": moment(times.till), "reason": "power"})
    assert (now.status, now.body["maintenance"]["site"]) == (201, None)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"till": "2026-11-28T22:04:00"}, "till"),
        ({"till": "soon"}, "till"),
        ({"till": 10**15}, "till"),
        ({"till": "2020-01-01T00:00:00Z"}, "Till"),
        ({"reason": ""}, "reason"),
        ({"more": 1}, "more"),
        ({"since": "0001-01-01T00:00:00Z"}, "Since"),
        ({"till": "9999-12-31T23:59:59Z"}, "Till"),
    ],
)
def test_api_says_what_is_wrong(fleet: Fleet, site: ManagedSite, change: dict[str, object], key: str) -> None:
    body = {"site": "aurora", "till": moment(database_time() + HOUR), "reason": "x"} | change
    reply = operator_client(fleet).post("/maintenance", body)
    assert reply.status == 422
    assert key in [error["key"].rpartition(": ")[2].split(".")[0] for error in reply.errors]


def test_api_shows_availability_and_periods(fleet: Fleet) -> None:
    """As the functions say it; the windows are those that were asked for."""
    seen = Seen(fleet.add("cordelia"))
    now = database_time()
    seen.look((now - timedelta(days=2), now + HOUR))
    seen.was("down", now - 3 * HOUR, now - 2 * HOUR)
    seen.maintained(now - 5 * HOUR, now - 4 * HOUR)
    client = client_of(fleet.user("ada", cordelia="view"))
    found = client.get("/sites/cordelia/availability").body["windows"]
    assert [one["window"] for one in found] == ["24h", "7d", "30d"]
    assert (found[0]["down"], found[0]["maintenance"], found[0]["seen_from"]) == (3600, 3600, "outside")
    assert found[0]["text"].startswith("95.6")
    (one,) = client.get("/sites/cordelia/availability?window=2h").body["windows"]
    assert one["window"] == "2h"
    listed = client.get("/sites/cordelia/periods?window=24h").body
    assert [(one["state"], one["place"]) for one in listed["periods"]] == [("down", "outside")]
    assert [one["site"] for one in listed["maintenance"]] == ["cordelia"]
    assert client.get("/sites/cordelia/periods?window=1h").body["periods"] == []


@pytest.mark.parametrize("window", ["", "0d", "401d", "x", "30", "-1d", "99999999d", "1d%00"])
def test_api_refuses_what_is_no_window(fleet: Fleet, site: ManagedSite, window: str) -> None:
    client = operator_client(fleet)
    for path in ("availability", "periods"):
        assert client.get(f"/sites/aurora/{path}?window={window}").status == 422
    many = "&".join(["window=1d"] * 11)
    assert client.get(f"/sites/aurora/availability?{many}").status == 422


def test_document_has_the_states_that_there_are() -> None:
    assert {*get_args(PeriodState), UP} == {*STATES}


def test_numbers_are_the_databases(site: ManagedSite) -> None:
    """A window that is planned a few minutes late, by a clock that is behind, begins now."""
    planned = plan_maintenance(OPERATOR, site, hours(-0.05, 1), reason="x")
    assert database_time() - planned.since < timedelta(minutes=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM control_maintenance WHERE till < since")
        assert cursor.fetchone() == (0,)

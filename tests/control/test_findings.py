"""What is not as it should be: found in as many queries for a thousand sites as for one, and told to whom it is of."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.control.clients import client_of
from tests.control.fleet import OPERATOR, SHARED, Fleet, prepare_fleet
from wagtail_multihost.control.changes import CreateSite, EditSite
from wagtail_multihost.control.dashboard.finding_words import KINDS as TITLES
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.finding_kinds import KINDS, Finding
from wagtail_multihost.control.findings import find_findings
from wagtail_multihost.control.jobs import want_job
from wagtail_multihost.control.models import Event, Hold, NodeIdentity, Placement, Plan, Report, Wave
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.nodeapi.node_states import ACTIVE, FALSE, PLACED, TRUE

OLD = timedelta(minutes=5)


@pytest.fixture(name="shared")
def _shared(db: None) -> Fleet:
    """Return a fleet with three nodes of placed sites, and one site on two of them."""
    fleet = prepare_fleet(SHARED)
    save_group(OPERATOR, "web", PLACED)
    for number in range(3):
        save_node(OPERATOR, f"web-{number}", "web", state=ACTIVE, weight=0)
    aurora = fleet.add("aurora")
    for node in ("web-0", "web-1"):
        place_sites(OPERATOR, node, [aurora])
    Placement.objects.update(is_serving=True)
    for number in range(3):
        report(f"web-{number}", fleet.revision)
    return fleet


def report(node: str, applied: int, *conditions: dict[str, Any], ago: timedelta = timedelta(), **sites: Any) -> None:
    values = {"applied": applied, "seen_at": timezone.now() - ago, "boot": uuid4(), "sites": sites}
    Report.objects.update_or_create(node_id=node, defaults={**values, "conditions": list(conditions)})


def condition(kind: str, status: str = TRUE, message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "message": message, "since": "2026-11-28T10:00:00+00:00"}


def age_events() -> None:
    """Let all changes have been made a while ago, which no event's time can be made to say."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE control_event DISABLE TRIGGER USER")
        cursor.execute("UPDATE control_event SET at = at - interval '5 minutes'")
        cursor.execute("ALTER TABLE control_event ENABLE TRIGGER USER")


def kinds(authority: Any = OPERATOR) -> dict[tuple[str, str], Finding]:
    return {(one.name, one.kind): one for one in find_findings(authority)}


def test_fleet_that_is_as_it_should_be_has_no_findings(shared: Fleet) -> None:
    age_events()
    assert kinds() == {}


def test_each_fault_is_a_finding_with_its_repair(shared: Fleet) -> None:
    now = shared.revision
    report("web-0", now, ago=timedelta(seconds=100))
    found = kinds()
    assert found["web-0", "silent"].repair.command == "manage.py multihost_place drain web-0 --apply"
    lost = found["aurora", "one_replica"]
    assert (lost.repair.command, lost.severity) == ("manage.py multihost_place drain web-0 --apply", "warning")
    assert lost.seen_at and lost.revision
    report("web-1", now, ago=timedelta(seconds=100))
    assert kinds()["aurora", "no_replica"].severity == "critical"
    report("web-0", now)
    report(
        "web-1",
        now,
        condition("Drift", message="uwsgi/aurora.ini"),
        condition("NoBell"),
        condition("RegistryWentBack"),
        condition("Disk"),
        condition("Applied", FALSE),
        aurora="Its codebase\x1b is not listed.",
    )
    found = kinds()
    assert {kind for _, kind in found} == {"drift", "no_bell", "went_back", "disk", "refused"}
    assert "uwsgi/aurora.ini" in found["web-1", "drift"].reason
    assert found["web-1", "went_back"].repair.command == f"manage.py multihost_control_advance --above {now}"
    assert "\x1b" not in found["aurora", "refused"].reason
    assert (found["aurora", "refused"].repair.job, found["aurora", "refused"].node) == ("reread-site", "web-1")
    report("web-1", now, condition("Applied", FALSE, "nginx refuses it"))
    assert kinds()["web-1", "failing"].reason == "It cannot apply: nginx refuses it"
    report("web-1", now, {"type": 3}, {"type": "Drift", "status": ["x"], "message": {}, "since": "soon"})
    assert kinds() == {}, "what a hostile node sends made a finding, or failed"


def test_site_that_does_not_start_is_started_again_where_it_is(shared: Fleet) -> None:
    """It is on as many nodes as it should be, so that a plan would have nothing to move."""
    Placement.objects.update(is_serving=False)
    age_events()
    for node in ("web-0", "web-1"):
        report(node, shared.revision, condition("Starting", message="aurora"))
    found = kinds()["aurora", "no_replica"]
    assert (found.repair.job, found.repair.command, found.node) == ("restart-site", "", "web-0")
    assert "does not listen on: web-0, web-1. Its log there says why." in found.reason
    report("web-0", shared.revision, aurora="Its codebase is not listed.")
    found = kinds()["aurora", "no_replica"]
    assert (found.repair.job, found.node) == ("reread-site", "web-0")
    assert "Refused by: web-0. Its process does not listen on: web-1." in found.reason
    client = client_of(shared.user("ada", aurora="view"))
    (told,) = [one for one in client.get("/findings").body["findings"] if one["kind"] == "no_replica"]
    assert (told["node"], told["repair"]["job"], told["repair"]["command"]) == ("web-0", "reread-site", "")
    Placement.objects.filter(node="web-1").update(is_serving=True)
    report("web-1", shared.revision)
    assert kinds()["aurora", "one_replica"].node == "web-0"
    report("web-0", shared.revision, ago=timedelta(seconds=100))
    lost = kinds()["aurora", "one_replica"]
    assert lost.repair.command == "manage.py multihost_place drain web-0 --apply"
    Placement.objects.filter(node="web-0").delete()
    assert kinds()["aurora", "one_replica"].repair.command == "manage.py multihost_place fill --apply"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("silent /run/multihost (expected servers of sites that run, found none)", {"servers_silent"}),
        ("serving /run/a.sock (expected nobody listens, found somebody)", {"still_served"}),
        ("account aurora (expected an account of this machine, found none)", {"accounts"}),
        ("generation http://x/ (expected the generation 3, found another answer, or none)", {"old_files"}),
        (
            "edited /a.ini (expected 1, found 2); silent /a.sock (expected x, found y)",
            {"drift", "servers_silent"},
        ),
        ("missing silent (expected 1, found nothing)", {"drift"}),
        ("strange /x (expected 1, found 2)", {"drift"}),
    ],
)
def test_drift_has_words_of_its_own(shared: Fleet, said: str, expected: set[str]) -> None:
    message = f"1 found, 1 since the start: {said}. It is held."
    report("web-1", shared.revision, condition("Drift", message=message))
    found = {kind: one for (_, kind), one in kinds().items()}
    assert set(found) == expected
    assert all(said in one.reason and one.repair.command == "multihost-agent --check" for one in found.values())
    assert len({TITLES[kind] for kind in found}) == len(found)
    assert ("Files" in found[min(found)].reason) == ("drift" in found)


def test_change_that_does_not_arrive_is_a_finding(shared: Fleet) -> None:
    shared.apply(EditSite(shared.site("aurora").uid, set_value(("admins",), ["a@example.com"])))
    assert kinds() == {}, "a change is late at once"
    age_events()
    report("web-1", shared.revision)
    late = kinds()["aurora", "not_applied"]
    assert (late.node, late.since) == ("web-0", Event.objects.get(pk=shared.revision).at)
    assert late.revision == shared.revision - 1


def test_what_waits_for_people_is_a_finding(shared: Fleet) -> None:
    NodeIdentity.objects.create(node_id="web-0", role="multihost_node_web_0", public_key=b"k" * 32, fingerprint="f00d")
    Report.objects.filter(pk="web-1").update(duplicate_at=timezone.now())
    until = timezone.now() + timedelta(hours=1)
    Hold.objects.create(site=shared.site("aurora"), reason="night", actor="x", until=until)
    Hold.objects.create(node_id="web-2", reason="repair", actor="x", until=until)
    Hold.objects.create(reason="over", actor="x", until=timezone.now())
    plan = Plan.objects.create(kind="fill", actor="x", based_on=1, state="stopped", problem="The node web-2 is silent.")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE control_head SET revision = revision")
    values = {"stage_revision": 1, "stage_at": timezone.now(), "bake_seconds": 1, "reason": "web-1"}
    Wave.objects.create(revision=1, state="stopped", **values)
    save_group(OPERATOR, "empty", PLACED)
    shared.add("lonely", node_group="empty")
    found = kinds()
    confirm = found["web-0", "unconfirmed"].repair.command
    assert confirm == "multihost-operator confirm web-0 FINGERPRINT", "nobody can paste what this database says"
    assert found[str(plan.pk), "plan_stopped"].repair.command == f"manage.py multihost_place apply {plan.pk}"
    assert {kind for _, kind in found} == {
        *("unconfirmed", "duplicate", "hold", "plan_stopped", "wave_stopped", "empty_group", "unplaced")
    }
    assert {one.name for one in found.values() if one.kind == "hold"} == {"aurora", "web-2"}
    assert {one.kind for one in found.values()} <= set(KINDS)


def test_people_are_told_of_their_own_sites_alone(shared: Fleet) -> None:
    """Without what nodes say, nodes that do not have the site, and commands that only operators can run."""
    borealis = shared.add("borealis")
    place_sites(OPERATOR, "web-0", [borealis])
    shared.user("ada", aurora="view")
    report("web-0", shared.revision, aurora="It shares a name with borealis.", borealis="web-0 says so")
    report("web-1", shared.revision, ago=timedelta(seconds=100))
    report("web-2", shared.revision, aurora="It has it not, and says so.")
    age_events()
    client = client_of(shared.user("bert", aurora="view"))
    reply = client.get("/findings")
    assert {one["kind"] for one in reply.body["findings"]} == {"refused", "one_replica"}
    text = json.dumps(reply.body)
    assert not any(word in text for word in ("borealis", "web-2", "says so", "manage.py"))
    assert sorted(one["node"] for one in reply.body["findings"] if one["kind"] == "refused") == ["", "web-0"]
    assert {one["name"] for one in reply.body["findings"]} == {"aurora"}
    everything = client_of(shared.user("olga", operator=True)).get("/findings").body["findings"]
    assert {one["name"] for one in everything} >= {"aurora", "borealis", "web-1"}


def test_people_are_told_which_nodes_have_their_site_and_of_no_other(shared: Fleet) -> None:
    """One rule for the site's status, its jobs and its findings: the ids of these nodes, and none of their words."""
    borealis = shared.add("borealis")
    place_sites(OPERATOR, "web-2", [borealis])
    for site in ("aurora", "borealis"):
        want_job(OPERATOR, "reread-site", shared.site(site), {})
    for node in ("web-0", "web-1", "web-2"):
        report(node, 1, aurora=f"{node} has words", borealis=f"{node} has words")
    age_events()
    client = client_of(shared.user("ada", aurora="view"))
    status, jobs, found = (client.get(path).body for path in ("/sites/aurora/status", "/jobs", "/findings"))
    assert [one["id"] for one in status["nodes"]] == ["web-0", "web-1"]
    assert sorted(one["node"] for one in jobs["jobs"]) == ["web-0", "web-1"]
    assert {one["node"] for one in found["findings"]} == {"", "web-0", "web-1"}
    late = [one["reason"] for one in found["findings"] if one["kind"] == "not_applied"]
    assert {("web-0" in reason, "web-1" in reason) for reason in late} == {(True, False), (False, True)}
    assert not any(word in json.dumps([status, jobs, found]) for word in ("web-2", "has words", "borealis"))


def test_findings_have_pages(shared: Fleet) -> None:
    """As other lists of the API do; also where two findings differ in nothing that they are ordered by."""
    until = timezone.now() + timedelta(hours=1)
    for reason in ("night", "fair", "moon"):
        Hold.objects.create(site=shared.site("aurora"), reason=reason, actor="x", until=until)
    Hold.objects.create(reason="all", actor="x", until=until)
    report("web-1", shared.revision, ago=timedelta(seconds=100))
    age_events()
    client = client_of(shared.user("olga", operator=True))
    whole = client.get("/findings").body
    assert (len(whole["findings"]), whole["next"]) == (6, None)
    seen: list[Any] = []
    page = {"next": ""}
    while page["next"] is not None:
        page = client.get(f"/findings?limit=1&after={page['next']}").body
        seen += page["findings"]
        assert len(page["findings"]) == 1
    assert [{**one, "seen_at": ""} for one in seen] == [{**one, "seen_at": ""} for one in whole["findings"]]
    Hold.objects.filter(reason="all").delete()
    rest = client.get("/findings?after=notice/fleet/everything/hold//0").body["findings"]
    assert [one["name"] for one in rest] == ["aurora"] * 3, "it goes on after what is not there any more"
    for query in ("limit=501", "limit=0", "after=x", "after=worse/site/a/b/c/0", "after=notice/site/a/b/c/x"):
        assert client.get(f"/findings?{query}").status == 422


def test_node_that_comes_while_findings_are_read_is_told_of_the_next_time(shared: Fleet) -> None:
    """Between the query for nodes and that for placements it joins, and gets a site."""
    came = False

    def let_it_come(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal came
        if not came and 'FROM "control_placement"' in sql:
            came = True
            save_node(OPERATOR, "web-9", "web", state=ACTIVE)
            place_sites(OPERATOR, "web-9", [shared.site("aurora")])
        return execute(sql, *rest)

    with connection.execute_wrapper(let_it_come):
        assert kinds() == {}
    assert came
    age_events()
    assert "web-9" in {one.node for one in find_findings(OPERATOR)}


def test_queries_do_not_grow_with_the_fleet(shared: Fleet) -> None:
    def ask() -> tuple[int, list[Finding]]:
        with CaptureQueriesContext(connection) as queries:
            found = find_findings(OPERATOR)
        return len(queries), found

    few, _ = ask()
    for number in range(3, 20):
        save_node(OPERATOR, f"web-{number}", "web", state=ACTIVE)
    shared.apply(*(CreateSite(f"site-{n}", {"hostnames": [f"s{n}.example.com"]}) for n in range(1000)))
    assert Placement.objects.count() == 2002
    age_events()
    for number in range(20):
        report(f"web-{number}", 1)
    start = time.process_time()
    many, found = ask()
    assert time.process_time() - start < 5
    assert many == few
    assert {one.name for one in found if one.kind == "not_applied"} >= {f"web-{number}" for number in range(3, 20)}

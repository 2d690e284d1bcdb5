"""Every operation of the API for everyone: what they may do with their own site, and with a neighbour's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import NAMESPACE_DNS, UUID, uuid5

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone
from wagtail.models import ModelLogEntry

from tests.control.clients import ApiClient, Reply, client_of, document, operator_client
from tests.control.fleet import OPERATOR, Fleet
from tests.control.test_incidents import concern, keep
from wagtail_multihost.control.models import (
    Event,
    Grant,
    HeldName,
    Job,
    ManagedSite,
    Note,
    Plan,
    Verification,
    Webhook,
)
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.control.recipients import save_recipient

LEVELS = ("view", "change", "operate", "admin", "platform")
PLAN = "6f1c2f0e-0b0e-4c59-9a5e-0d7c3f6f0001"
PATCH = {"record": {"admins": ["a@example.com"]}}


class Operation(NamedTuple):
    """How an operation is asked for, and the least level that may; ``{site}`` is a site's id, ``{group}`` a group."""

    method: str
    path: str
    level: str
    body: Any = None


OPERATIONS = {
    "get_site": Operation("get", "/sites/{site}", "view"),
    "put_site": Operation("put", "/sites/{site}", "change", "record"),
    "patch_site": Operation("patch", "/sites/{site}", "change", PATCH),
    "retire_site": Operation("delete", "/sites/{site}", "platform"),
    "change_sites": Operation(
        "post", "/sites:batch", "change", {"changes": [{"action": "patch", "id": "{site}", "generation": 1, **PATCH}]}
    ),
    "get_hostname": Operation("get", "/sites/{site}/hostnames/{site}.example.com", "view"),
    "put_hostname": Operation("put", "/sites/{site}/hostnames/new.example.com", "platform", {"role": "alias"}),
    "delete_hostname": Operation("delete", "/sites/{site}/hostnames/{site}.example.net", "change"),
    "verify_hostname": Operation("post", "/sites/{site}/hostnames/new.example.com/verify", "change"),
    "get_site_status": Operation("get", "/sites/{site}/status", "view"),
    "list_grants": Operation("get", "/sites/{site}/grants", "platform"),
    "put_grant": Operation("put", "/sites/{site}/grants/{group}", "platform", {"action": "admin"}),
    "delete_grant": Operation("delete", "/sites/{site}/grants/{group}", "platform"),
    "want_job": Operation(
        "post",
        "/sites/{site}/jobs",
        "change",
        {"kind": "verify-hostname", "parameters": {"hostname": "other.example.com"}},
    ),
    "get_job": Operation("get", "/jobs/{job}", "view"),
    "cancel_job": Operation("post", "/jobs/{job}/cancel", "change"),
    "get_inventory": Operation("get", "/sites/{site}/inventory", "view"),
    "list_notes": Operation("get", "/sites/{site}/notes", "view"),
    "add_note": Operation("post", "/sites/{site}/notes", "change", {"text": "A note."}),
    "get_availability": Operation("get", "/sites/{site}/availability", "view"),
    "list_periods": Operation("get", "/sites/{site}/periods", "view"),
    "plan_maintenance": Operation(
        "post", "/maintenance", "operate", {"site": "{site}", "till": "{tomorrow}", "reason": "x"}
    ),
    "make_hold": Operation("post", "/holds", "operate", {"site": "{site}", "seconds": 60, "reason": "x"}),
    "make_silence": Operation("post", "/silences", "operate", {"site": "{site}", "seconds": 60, "reason": "x"}),
    "get_incident": Operation("get", "/incidents/{incident}", "view"),
}
#: What concerns no one site: nobody is refused, and each sees what is theirs; the platform is hidden.
SHARED = {
    "list_maintenance": Operation("get", "/maintenance", "view"),
    "list_holds": Operation("get", "/holds", "view"),
    "list_silences": Operation("get", "/silences", "view"),
    "list_incidents": Operation("get", "/incidents", "view"),
    "list_recipients": Operation("get", "/recipients", "platform"),
    "get_recipient": Operation("get", "/recipients/on-call", "platform"),
    "put_recipient": Operation("put", "/recipients/on-call", "platform", {"kinds": ["flapping"]}),
    "delete_recipient": Operation("delete", "/recipients/on-call", "platform"),
    "test_recipient": Operation("post", "/recipients/on-call/test", "platform"),
    "list_alerts": Operation("get", "/recipients/on-call/alerts", "platform"),
    "list_sites": Operation("get", "/sites", "view"),
    "list_events": Operation("get", "/events", "view"),
    "list_audit": Operation("get", "/audit", "view"),
    "list_jobs": Operation("get", "/jobs", "view"),
    "list_job_kinds": Operation("get", "/job-kinds", "view"),
    "list_inventory": Operation("get", "/inventory", "view"),
    "list_usage": Operation("get", "/usage", "view"),
    "list_webhooks": Operation("get", "/webhooks", "platform"),
    "add_webhook": Operation("post", "/webhooks", "platform", {"url": "https://hooks.example.org/"}),
    "get_webhook": Operation("get", "/webhooks/{webhook}", "platform"),
    "put_webhook": Operation("put", "/webhooks/{webhook}", "platform", {"url": "https://hooks.example.org/x"}),
    "delete_webhook": Operation("delete", "/webhooks/{webhook}", "platform"),
    "test_webhook": Operation("post", "/webhooks/{webhook}/test", "platform"),
    "list_webhook_keys": Operation("get", "/webhook-keys", "platform"),
    "list_deliveries": Operation("get", "/webhooks/{webhook}/deliveries", "platform"),
    "get_document": Operation("get", "/openapi.json", "view"),
    "get_sync": Operation("get", "/sync", "platform"),
    "list_waves": Operation("get", "/waves", "platform"),
    "get_platform": Operation("get", "/platform", "platform"),
    "patch_platform": Operation("patch", "/platform", "platform", {"record": {"origin": "http://{hostname}"}}),
    "list_findings": Operation("get", "/findings", "view"),
    "list_nodes": Operation("get", "/nodes", "platform"),
    "get_node": Operation("get", "/nodes/web-1", "platform"),
    "put_node": Operation("put", "/nodes/web-1", "platform", {"group": "web", "zone": "north"}),
    "patch_node": Operation("patch", "/nodes/web-1", "platform", {"weight": 7}),
    "remove_node": Operation("delete", "/nodes/web-1", "platform"),
    "list_groups": Operation("get", "/groups", "platform"),
    "get_group": Operation("get", "/groups/web", "platform"),
    "put_group": Operation("put", "/groups/web", "platform", {"holds": "placed"}),
    "patch_group": Operation("patch", "/groups/web", "platform", {"replicas": 3}),
    "remove_group": Operation("delete", "/groups/empty", "platform"),
    "list_placements": Operation("get", "/placements", "platform"),
    "place_site": Operation("put", "/nodes/web-2/sites/aurora", "platform"),
    "take_site": Operation("delete", "/nodes/web-2/sites/borealis", "platform"),
    "list_plans": Operation("get", "/placements/plans", "platform"),
    "make_plan": Operation("post", "/placements/plans", "platform", {"kind": "fill"}),
    "get_plan": Operation("get", f"/placements/plans/{PLAN}", "platform"),
    "apply_plan": Operation("post", f"/placements/plans/{PLAN}/apply", "platform"),
    "cancel_plan": Operation("post", f"/placements/plans/{PLAN}/cancel", "platform"),
}
#: Only while a wave runs: test_waves.py.
STEERED = {"resume_wave", "finish_wave", "abandon_wave"}


def id_of(name: str) -> UUID:
    """Return the id of the job of a site, or of the webhook."""
    return uuid5(NAMESPACE_DNS, name)


#: What test_holds.py, test_maintenance.py and test_silences.py ask for, as only what is there has an address; and what
#: is no JSON, which test_metrics.py asks for.
ELSEWHERE = {"end_hold", "change_maintenance", "end_maintenance", "end_silence", "get_metrics"}


def filled(value: Any, site: str, group: int) -> Any:
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    text = json.dumps(value).replace("{site}", site).replace("{group}", str(group)).replace("{tomorrow}", tomorrow)
    for name, identifier in (("job", site), ("webhook", "webhook"), ("incident", f"incident of {site}")):
        text = text.replace(f"{{{name}}}", str(id_of(identifier)))
    return json.loads(text)


def ask(client: ApiClient, fleet: Fleet, operation: Operation, site: str) -> Reply:
    """Ask for an operation with a site, and undo whatever came of it."""
    group = Group.objects.get(name="neighbours").pk
    body = filled(operation.body, site, group)
    if body == "record":
        found = ManagedSite.objects.filter(identifier=site).first()
        body = {"record": {**(found.record if found else {}), "admins": ["a@example.com"]}}
    with transaction.atomic():
        reply = client.ask(operation.method, filled(operation.path, site, group), body, if_match="*")
        transaction.set_rollback(True)
    return reply


@pytest.fixture(name="street")
def _street(fleet: Fleet) -> Fleet:
    for name in ("aurora", "borealis"):
        site = fleet.add(name, f"{name}.example.com", aliases=[f"{name}.example.net"])
        wish = {"kind": "verify-hostname", "runner": "courier", "state": "taken", "actor": "operator:root"}
        Job.objects.create(id=id_of(name), site=site, deadline=timezone.now() + timedelta(hours=1), **wish)
        of_site = {"kind": "site-down", "cause": "site", "subject": name, "site": site}
        incident = keep(id=id_of(f"incident of {name}"), **of_site)
        concern(incident, fleet, name)
    save_recipient(OPERATOR, "on-call")
    Webhook.objects.create(id=id_of("webhook"), url="https://hooks.example.org/", queued=0)
    Grant.objects.create(site=fleet.site("borealis"), group=Group.objects.create(name="neighbours"), action="change")
    for group in ("web", "empty"):
        save_group(OPERATOR, group)
    save_node(OPERATOR, "web-1", "web", state="away")
    save_group(OPERATOR, "few", "placed")
    save_node(OPERATOR, "web-2", "few")
    Plan.objects.create(pk=PLAN, kind="fill", actor="operator:root", based_on=fleet.revision)
    return fleet


def person(fleet: Fleet, level: str) -> Any:
    name = f"ada of {level}"
    return fleet.user(name, operator=True) if level == "platform" else fleet.user(name, aurora=level)


def test_every_operation_is_tried() -> None:
    stated = {one["operationId"] for operations in document()["paths"].values() for one in operations.values()}
    assert stated == {*OPERATIONS, *SHARED, *STEERED, *ELSEWHERE}


@pytest.mark.parametrize("level", LEVELS)
def test_right_decides(street: Fleet, level: str) -> None:
    client = client_of(person(street, level))
    for name, operation in OPERATIONS.items():
        may = LEVELS.index(level) >= LEVELS.index(operation.level)
        reply = ask(client, street, operation, "aurora")
        assert (reply.status < 300) if may else (reply.status == 403), (name, reply)
        if not may:
            assert reply.errors, name
    for name, operation in SHARED.items():
        may = LEVELS.index(level) >= LEVELS.index(operation.level)
        reply = ask(client, street, operation, "aurora")
        assert (reply.status < 300) if may else (reply.status == 404), name


@pytest.mark.parametrize("level", LEVELS[:-1])
def test_site_of_others_is_as_one_that_is_not_there(street: Fleet, level: str) -> None:
    client = client_of(person(street, level))
    for name, operation in OPERATIONS.items():
        foreign, missing = (ask(client, street, operation, site) for site in ("borealis", "nowhere"))
        assert foreign.status == missing.status == 404, (name, foreign)
        assert str(foreign.body).replace("borealis", "nowhere") == str(missing.body), name


@pytest.mark.parametrize("action", ["read", "change"])
def test_scope_of_a_token_bounds_its_user(street: Fleet, action: str) -> None:
    """The user may everything."""
    client = client_of(street.user("olga", operator=True), action)
    for name, operation in {**OPERATIONS, **SHARED}.items():
        reads = operation.method == "get" and name != "list_grants"
        of_site = operation.level == "change"
        reply = ask(client, street, operation, "aurora")
        assert (reply.status < 300) if reads or (of_site and action == "change") else (reply.status == 403), (
            name,
            reply,
        )


def test_token_for_one_site_is_for_no_other(street: Fleet) -> None:
    user = street.user("olga", operator=True)
    client = client_of(user, "operate", [street.site("aurora")])
    for name, operation in OPERATIONS.items():
        reply = ask(client, street, operation, "borealis")
        assert reply.status == 404, (name, reply)
    assert [site["id"] for site in client.get("/sites").body["sites"]] == ["aurora"]
    assert {event["site"] for event in client.get("/events").body["events"]} == {"aurora"}
    assert {entry["label"] for entry in client.get("/audit").body["entries"]} == {"aurora"}
    assert client.get("/platform").status == 404
    assert client.put("/sites/new", {"record": {"hostnames": ["new.example.com"]}}).status == 404


def test_lists_have_what_may_be_seen(street: Fleet) -> None:
    client = client_of(person(street, "view"))
    assert [site["id"] for site in client.get("/sites").body["sites"]] == ["aurora"]
    for query in ("q=borealis", "q=example", "after=aurora", "label=x"):
        assert "borealis" not in str(client.get(f"/sites?{query}").body)
    assert {event["site"] for event in client.get("/events").body["events"]} == {"aurora"}
    assert {entry["label"] for entry in client.get("/audit").body["entries"]} == {"aurora"}
    assert client.get("/audit?site=borealis").status == 404
    everything = operator_client(street)
    assert {event["site"] for event in everything.get("/events").body["events"]} == {None, "aurora", "borealis"}
    assert {entry["label"] for entry in everything.get("/audit?site=borealis").body["entries"]} == {"borealis"}


@pytest.mark.parametrize("level", ["view", "change", "operate"])
def test_site_is_switched_off_by_who_operates_it(street: Fleet, level: str) -> None:
    client = client_of(person(street, level))
    for key, value in (("enabled", False), ("state", "maintenance")):
        reply = client.patch("/sites/aurora", {"record": {key: value}}, if_match="*")
        assert reply.status == (200 if level == "operate" else 403)
        if level != "operate":
            assert reply.errors[0]["key"] == f"Site aurora: {key}"


def test_keys_of_operators_are_refused_to_others(street: Fleet) -> None:
    client = client_of(person(street, "admin"))
    for record in ({"database": {"host": "mine.example.com"}}, {"nodes": ["north"]}, {"names": {"database": "x"}}):
        for body in (record, {**record, "admins": ["a@example.com"]}):
            reply = client.patch("/sites/aurora", {"record": body}, if_match="*")
            assert reply.status == 403
            assert reply.errors[0]["key"].startswith("Site aurora: ")
    assert street.site("aurora").generation == 1


def test_name_of_a_neighbour_is_taken_without_being_named(street: Fleet) -> None:
    client = client_of(person(street, "change"))
    Verification.objects.create(
        name="borealis.example.com", site=street.site("aurora"), secret="x", proven_at=timezone.now()
    )
    reply = client.put("/sites/aurora/hostnames/borealis.example.com", {"role": "alias"})
    assert reply.status == 409
    assert "borealis" not in reply.errors[0]["message"].replace("borealis.example.com", "")
    assert HeldName.objects.get(what="hostname", name="borealis.example.com").site == street.site("borealis")


def test_hostname_is_added_once_it_is_proven(street: Fleet) -> None:
    client = client_of(person(street, "change"))
    address = "/sites/aurora/hostnames/new.example.com"
    assert client.get(address).status == 404
    refused = client.put(address, {})
    assert (refused.status, refused.errors[0]["key"]) == (403, "Site aurora: hostnames")
    asked = client.post(f"{address}/verify")
    assert asked.status == 202
    challenge = asked.body["challenge"]
    assert challenge["record_name"] == "_multihost-challenge.new.example.com"
    assert challenge["wanted_at"]
    assert client.post(f"{address}/verify").body["challenge"]["record_value"] == challenge["record_value"]
    Verification.objects.update(checked_at=timezone.now())
    assert client.post(f"{address}/verify").status == 409
    assert client.post("/sites/aurora/hostnames/new.example/verify").status == 422
    Verification.objects.update(proven_at=timezone.now(), wanted_at=None, method="dns")
    added = client.put(address, {"canonical": True})
    assert added.status == 200
    assert added.body["revision"] == street.revision
    state = client.get("/sites/aurora/hostnames/NEW.example.com").body
    assert (state["role"], state["canonical"], bool(state["verified_at"])) == ("hostname", True, True)
    assert client.put(address, {"role": "alias"}, if_match='"1"').status == 412
    gone = client.delete(address, if_match=added.etag)
    assert (gone.status, len(gone.body["changes"])) == (200, 1)
    again = client.delete(address)
    assert (again.status, again.body["changes"]) == (200, [])


def test_challenge_is_for_those_who_may_change_the_site(street: Fleet) -> None:
    client_of(person(street, "change")).post("/sites/aurora/hostnames/new.example.com/verify")
    assert client_of(person(street, "view")).get("/sites/aurora/hostnames/new.example.com").status == 404


def test_rights_are_given_and_taken(street: Fleet) -> None:
    client = operator_client(street)
    group = Group.objects.get(name="neighbours").pk
    before = street.revision
    for changed in (True, False):
        reply = client.put(f"/sites/aurora/grants/{group}", {"action": "view"})
        assert reply.body == {"revision": before, "changed": changed}
    assert {"group": group, "name": "neighbours", "action": "view"} in client.get("/sites/aurora/grants").body["grants"]
    for changed in (True, False):
        assert client.delete(f"/sites/aurora/grants/{group}").body["changed"] is changed
    assert client.put("/sites/aurora/grants/999999", {"action": "view"}).status == 404
    assert client.put(f"/sites/aurora/grants/{group}", {"action": "own"}).status == 422


def test_notes_are_kept_as_they_were_written(street: Fleet) -> None:
    client = client_of(person(street, "change"))
    texts = [f"<script>alert({number})</script>" for number in range(3)]
    for text in texts:
        reply = client.post("/sites/aurora/notes", {"text": text})
        assert (reply.status, reply.body["author"]) == (201, "ada of change")
    page = client.get("/sites/aurora/notes?limit=2").body
    rest = client.get(f"/sites/aurora/notes?limit=2&before={page['next']}").body
    assert [note["text"] for note in (*page["notes"], *rest["notes"])] == texts[::-1]
    assert rest["next"] is None
    for author in ("author", "site", "at", "id"):
        assert client.post("/sites/aurora/notes", {"text": "x", author: 1}).status == 422
    assert client.post("/sites/aurora/notes", {"text": ""}).status == 422
    assert Note.objects.count() == 3


def test_customers_learn_no_login(street: Fleet) -> None:
    """Neither the account of who runs commands nor that of a person with whom they share no group."""
    Note.objects.create(site=street.site("aurora"), author=street.user("olga", operator=True), text="Moves.")
    client, operator = client_of(person(street, "view")), client_of(person(street, "platform"))
    for asker, actor in ((client, "operator"), (operator, "operator:root")):
        for path, rows in (("events", "events"), ("audit?site=aurora", "entries")):
            assert {one["actor"] for one in asker.get(f"/{path}").body[rows]} == {actor}
    authors = [asker.get("/sites/aurora/notes").body["notes"][0]["author"] for asker in (client, operator)]
    assert authors == ["Someone else", "olga"]


def test_change_by_a_token_is_its_users_in_wagtails_log(street: Fleet) -> None:
    user = street.user("olga", operator=True)
    assert client_of(user, "operate").patch("/sites/aurora", PATCH, if_match="*").status == 200
    entry = ModelLogEntry.objects.order_by("-pk")[0]
    assert (entry.user_id, entry.data["actor"].partition(":")[0]) == (user.pk, "token")


def test_audit_has_the_difference_and_no_secret(street: Fleet) -> None:
    client = operator_client(street)
    reference = "env:MULTIHOST_SECRET_AURORA_DB"
    record = {"database": {"engine": "postgresql", "host": "db.internal", "password": reference}}
    assert client.patch("/sites/aurora", {"record": record, "reason": "moves"}, if_match="*").status == 200
    page = client.get("/audit?site=aurora&limit=1").body
    [entry] = page["entries"]
    assert (entry["reason"], entry["revision"], entry["uid"]) == (
        "moves",
        street.revision,
        str(street.site("aurora").uid),
    )
    assert {"key": "database.host", "before": None, "after": "db.internal"} in entry["changes"]
    assert reference not in str(page)
    assert client.get(f"/audit?site=aurora&before={page['next']}").body["entries"][0]["action"] == "site.created"


def pages(client: ApiClient, after: str = "") -> Iterator[dict[str, Any]]:
    while True:
        page = client.get(f"/events?limit=2{after}").body
        yield page
        if not page["events"]:
            return
        after = f"&after={page['next']}"


def test_events_are_read_from_where_one_was(street: Fleet) -> None:
    client = operator_client(street)
    revisions = [event["revision"] for page in pages(client) for event in page["events"]]
    assert revisions == [*range(1, street.revision + 1)]
    one = client_of(person(street, "view"))
    last = [*pages(one)][-1]
    assert last["next"] == last["revision"] == street.revision


def test_events_that_are_not_kept_are_gone(street: Fleet) -> None:
    from django.db import connection

    client = operator_client(street)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # all were there when they were made
        cursor.execute("UPDATE control_head SET oldest = 3 WHERE id = 1")
    Event.objects.filter(revision__lt=3).delete()
    assert client.get("/events?after=1").status == 410
    assert [event["revision"] for event in client.get("/events?after=2").body["events"]] == [
        *range(3, street.revision + 1)
    ]
    assert client.get("/events").body["events"][0]["revision"] == 3
    assert client.get(f"/events?after={street.revision + 1}").status == 410


def test_without_a_server_that_can_wait_the_answer_comes_at_once(street: Fleet) -> None:
    reply = operator_client(street).get(f"/events?after={street.revision}&wait=25")
    assert (reply.status, reply.body["events"], reply.headers["Retry-After"]) == (200, [], "5")


def test_login_of_a_stranger_is_not_told_with_a_note(street: Fleet) -> None:
    """As in the dashboard: only operators, and who is in one of their groups, are told who someone is."""
    site = street.site("aurora")
    ada, bert, olga = (
        street.user(f"note-{name}", aurora="change", operator=name == "olga") for name in ["ada", "bert", "olga"]
    )
    for author in (ada, bert, olga):
        Note.objects.create(site=site, author=author, text="x")
    told = {
        user.username: [note["author"] for note in client_of(user).get("/sites/aurora/notes").body["notes"]]
        for user in (ada, olga)
    }
    assert told == {
        "note-ada": ["Someone else", "Someone else", "note-ada"],
        "note-olga": ["note-olga", "note-bert", "note-ada"],
    }
    bert.groups.add(ada.groups.get())
    assert client_of(ada).get("/sites/aurora/notes").body["notes"][1]["author"] == "note-bert"


def test_number_of_all_sites_is_for_those_who_see_them(street: Fleet) -> None:
    for identifier in ("stop-a", "stop-b"):
        street.add(identifier)
    person = street.user("stopper", **{"stop-a": "operate", "stop-b": "operate"})
    changes = [
        {"action": "patch", "id": identifier, "generation": "*", "record": {"enabled": False}}
        for identifier in ("stop-a", "stop-b")
    ]
    refused = {
        user.username: client_of(user).post("/sites:batch", {"changes": changes})
        for user in (person, street.user("stop-olga", operator=True))
    }
    assert {reply.status for reply in refused.values()} == {409}
    assert refused["stopper"].errors[0]["message"] == "This stops 2 sites at once. State 2 to confirm it."
    assert " of " in refused["stop-olga"].errors[0]["message"]

"""Sites over the API: conditional requests, what comes back, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from tests.control.clients import ApiClient, client_of, operator_client
from tests.control.fleet import Fleet
from wagtail_multihost.control.models import Event, ManagedSite

RECORD = {"record": {"hostnames": ["aurora.example.com"]}}


@pytest.fixture(name="operator")
def _operator(fleet: Fleet) -> ApiClient:
    return operator_client(fleet)


def test_put_creates_and_the_same_again_is_no_change(fleet: Fleet, operator: ApiClient) -> None:
    before = fleet.revision
    made = operator.put("/sites/aurora", {**RECORD, "reason": "a customer"})
    assert (made.status, made.etag, made.headers["Location"]) == (201, '"1"', "/api/control/v1/sites/aurora")
    assert made.body["revision"] == fleet.revision == before + 1
    assert made.body["changes"][0]["type"] == "site.created"
    assert Event.objects.get(revision=before + 1).metadata["reason"] == "a customer"
    again = operator.put("/sites/aurora", RECORD)
    assert (again.status, again.body["changes"], again.body["revision"]) == (200, [], before + 1)
    whole = operator.put("/sites/aurora", {"record": made.body["site"]["record"]})
    assert (whole.status, whole.body["changes"], fleet.revision) == (200, [], before + 1)


def test_what_was_read_must_be_stated(fleet: Fleet, operator: ApiClient) -> None:
    fleet.add("aurora")
    change: dict[str, Any] = {"record": {"admins": ["a@example.com"]}}
    for method in ("patch", "put", "delete"):
        body = None if method == "delete" else {"record": {"hostnames": ["other.example.com"]}}
        assert operator.ask(method, "/sites/aurora", body).status == 428
        assert operator.ask(method, "/sites/aurora", body, if_match='"7"').status == 412
        assert operator.ask(method, "/sites/aurora", body, if_match='W/"1"').status == 412
        assert operator.ask(method, "/sites/aurora", body, if_match="1").status == 400
        assert operator.ask(method, "/sites/aurora", body, if_match='"1" "2"').status == 400
    first = operator.patch("/sites/aurora", change, if_match='"1"')
    assert (first.status, first.etag, first.body["revision"]) == (200, '"2"', fleet.revision)
    assert operator.patch("/sites/aurora", {"record": {"admins": None}}, if_match='"1"').status == 412
    assert operator.patch("/sites/aurora", {"record": {"admins": None}}, if_match='"1", "2"').status == 200
    assert operator.patch("/sites/aurora", change, if_match="*").etag == '"4"'
    assert operator.patch("/sites/aurora", change).body["changes"] == []


def test_none_may_be_there_for_a_new_one(fleet: Fleet, operator: ApiClient) -> None:
    assert operator.put("/sites/aurora", RECORD, if_match='"1"').status == 412
    assert operator.put("/sites/aurora", RECORD, if_none_match="*").status == 201
    assert operator.put("/sites/aurora", RECORD, if_none_match="*").status == 412
    assert operator.put("/sites/aurora", RECORD, if_none_match='"1"').status == 400


def test_site_made_by_another_in_the_meantime_is_the_one_that_is_there(
    fleet: Fleet, operator: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wagtail_multihost.control.api import sites

    fleet.add("aurora")
    answers = iter([None])
    find = sites.find_site
    monkeypatch.setattr(sites, "find_site", lambda *key: next(answers, find(*key)))
    reply = operator.put("/sites/aurora", {"record": {"hostnames": ["other.example.com"]}})
    assert reply.status == 428


def test_dry_run_says_what_would_come_of_it(fleet: Fleet, operator: ApiClient) -> None:
    fleet.add("aurora")
    before = fleet.revision
    reply = operator.patch("/sites/aurora?dry_run=1", {"record": {"admins": ["a@example.com"]}}, if_match='"1"')
    assert reply.body["dry_run"] is True
    assert reply.body["changes"][0]["differences"] == [{"key": "admins", "before": None, "after": ["a@example.com"]}]
    refused = operator.patch("/sites/aurora?dry_run=1", {"record": {"hostnames": []}}, if_match='"1"')
    assert refused.status == 422
    assert refused.errors[0]["site"] == "aurora"
    new = operator.put("/sites/borealis?dry_run=1", {"record": {"hostnames": ["b.example.com"]}})
    assert (new.status, new.body["site"], fleet.revision) == (200, None, before)


def test_all_problems_come_with_site_and_key(operator: ApiClient) -> None:
    reply = operator.put("/sites/aurora", {"record": {"colour": "red", "hostnames": ["no host"]}})
    assert reply.status == 422
    assert {(error["site"], error["key"].partition(": ")[0]) for error in reply.errors} == {("aurora", "Site aurora")}
    assert len(reply.errors) == 2


def test_clash_is_a_conflict(fleet: Fleet, operator: ApiClient) -> None:
    fleet.add("aurora")
    reply = operator.put("/sites/borealis", RECORD)
    assert reply.status == 409
    assert "belongs to the site aurora" in reply.errors[0]["message"]


def test_retired_site_is_found_no_more(fleet: Fleet, operator: ApiClient) -> None:
    old = fleet.add("aurora")
    reply = operator.delete("/sites/aurora?reason=gone", if_match='"1"')
    assert (reply.status, reply.body["site"], reply.body["revision"]) == (200, None, fleet.revision)
    assert operator.get("/sites/aurora").status == 404
    assert operator.get("/sites").body["sites"] == []
    assert operator.delete("/sites/aurora", if_match='"1"').status == 404
    again = operator.put("/sites/aurora", RECORD)
    assert again.status == 201
    assert again.body["site"]["uid"] != str(old.uid)


def test_pages_have_every_site_once(fleet: Fleet, operator: ApiClient) -> None:
    for number in range(5):
        fleet.add(f"site{number}")
    found, after = [], ""
    while after is not None:
        page = operator.get(f"/sites?limit=2&after={after}").body
        found += [site["id"] for site in page["sites"]]
        after = page["next"]
    assert found == [f"site{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=bore", ["borealis"]),
        ("q=AURORA.example", ["aurora"]),
        ("q=north", ["aurora"]),
        ("q=%25", []),
        ("label=customer=north", ["aurora"]),
        ("label=customer", ["aurora", "borealis"]),
        ("label=customer=nor", []),
        ("state=maintenance", ["borealis"]),
        ("state=active&q=e", ["aurora"]),
    ],
)
def test_list_is_filtered(fleet: Fleet, operator: ApiClient, query: str, found: list[str]) -> None:
    fleet.add("aurora", labels={"customer": "north"})
    fleet.add("borealis", labels={"customer": "south"}, state="maintenance")
    assert [site["id"] for site in operator.get(f"/sites?{query}").body["sites"]] == found


def test_list_needs_as_many_queries_for_many_sites(fleet: Fleet, operator: ApiClient) -> None:
    operator.get("/platform")  # the first use of a token is noted
    counts = []
    for number in range(6):
        fleet.add(f"site{number}", f"a{number}.example.com", f"b{number}.example.com")
        if number in (0, 5):
            with CaptureQueriesContext(connection) as queries:
                assert len(operator.get("/sites?q=site&label=").body["sites"]) == number + 1
            counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


def test_references_to_secrets_are_shown_to_operators_alone(fleet: Fleet, operator: ApiClient) -> None:
    reference = "env:MULTIHOST_SECRET_AURORA_DB"
    database = {"engine": "postgresql", "host": "db.internal", "password": reference}
    fleet.add("aurora", database=database)
    assert operator.get("/sites/aurora").body["record"]["database"]["password"] == reference
    person = client_of(fleet.user("ada", aurora="admin"))
    shown = person.get("/sites/aurora").body["record"]
    assert shown["database"]["password"] == "•••"
    sent = {**shown, "admins": ["a@example.com"]}
    assert person.put("/sites/aurora", {"record": sent}, if_match='"1"').status == 200
    assert fleet.site("aurora").record["database"]["password"] == reference
    sent["database"] = {**shown["database"], "password": "env:MULTIHOST_SECRET_BOREALIS_DB"}
    refused = person.put("/sites/aurora", {"record": sent}, if_match='"2"')
    assert (refused.status, refused.errors[0]["key"]) == (403, "Site aurora: database.password")


def test_batch_is_all_or_nothing(fleet: Fleet, operator: ApiClient) -> None:
    fleet.add("aurora")
    before = fleet.revision
    changes: list[dict[str, Any]] = [
        {"action": "create", "id": "borealis", "record": {"hostnames": ["b.example.com"], "colour": "red"}},
        {"action": "patch", "id": "aurora", "generation": 1, "record": {"hostnames": ["no host"]}},
    ]
    refused = operator.post("/sites:batch", {"changes": changes})
    assert refused.status == 422
    assert {error["site"] for error in refused.errors} == {"aurora", "borealis"}
    assert (fleet.revision, ManagedSite.objects.count()) == (before, 1)
    changes[0]["record"] = {"hostnames": ["b.example.com"]}
    changes[1]["record"] = {"labels": {"wave": "first"}}
    done = operator.post("/sites:batch", {"changes": changes, "reason": "a wave"})
    assert (done.status, done.body["revision"]) == (200, before + 2)
    stale = operator.post("/sites:batch", {"changes": changes[1:]})
    assert (stale.status, stale.errors[0]["site"]) == (412, "aurora")
    missing = operator.post("/sites:batch", {"changes": [{**changes[1], "id": "nowhere"}]})
    assert (missing.status, missing.errors[0]["site"]) == (404, "nowhere")


def test_batch_that_stops_many_sites_wants_their_number(fleet: Fleet, operator: ApiClient) -> None:
    for number in range(4):
        fleet.add(f"site{number}")
    stop = [
        {"action": "patch", "id": f"site{number}", "generation": "*", "record": {"enabled": False}}
        for number in range(3)
    ]
    refused = operator.post("/sites:batch", {"changes": stop})
    assert (refused.status, refused.errors[0]["key"]) == (409, "confirmed")
    assert "State 3" in refused.errors[0]["message"]
    assert operator.post("/sites:batch", {"changes": stop, "confirmed": 3}).status == 200
    retire = [{"action": "retire", "id": f"site{number}", "generation": 2} for number in range(3)]
    assert operator.post("/sites:batch", {"changes": retire}).status == 200


@pytest.mark.parametrize("key", ["id", "uid", "names", "revision", "generation", "state", "enabled", "site"])
def test_keys_beside_the_record_are_refused(fleet: Fleet, operator: ApiClient, key: str) -> None:
    fleet.add("aurora")
    for method in ("put", "patch"):
        reply = operator.ask(method, "/sites/aurora", {**RECORD, key: "x"}, if_match="*")
        assert (reply.status, reply.errors[0]["key"]) == (422, key)


@pytest.mark.parametrize("key", ["uid", "names"])
def test_what_registration_gives_never_changes(fleet: Fleet, operator: ApiClient, key: str) -> None:
    site = fleet.add("aurora")
    other = {"uid": "11111111-1111-4111-8111-111111111111", "names": {**site.record["names"], "database": "postgres"}}
    assert operator.patch("/sites/aurora", {"record": {key: other[key]}}, if_match="*").status == 422
    assert operator.patch("/sites/aurora", {"record": {key: None}}, if_match="*").status == 422
    reply = operator.put("/sites/borealis", {"record": {"hostnames": ["b.example.com"], key: other[key]}})
    assert (reply.status, reply.errors[0]["key"]) == (422, f"Site borealis: {key}")
    assert fleet.site("aurora").record == site.record


@override_settings(DEBUG=True)
def test_defect_says_nothing_of_itself(fleet: Fleet, operator: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from wagtail_multihost.control.api import sites

    monkeypatch.setattr(sites, "visible_sites", lambda authority: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        operator.get("/sites")
    operator.client.raise_request_exception = False
    reply = operator.get("/sites")
    assert reply.status == 500
    assert "zero" not in str(reply.body)

"""Requests that are broken, hostile or not about a token: each has an answer, none makes an error."""

from __future__ import annotations

import json
from unittest.mock import Mock

import pytest
from django.db import OperationalError
from django.test import Client

from tests.control.clients import HOST, ROOT, ApiClient, client_of, document, operator_client
from tests.control.fleet import Fleet
from wagtail_multihost.control.api.bodies import DEPTH, LIMIT
from wagtail_multihost.control.models import TokenScope


@pytest.fixture(name="operator")
def _operator(fleet: Fleet) -> ApiClient:
    fleet.add("aurora")
    return operator_client(fleet)


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"{", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[]", 422, ""),
        (b"null", 422, ""),
        (b"", 422, ""),
        (b'{"record": {"x": NaN}}', 400, "NaN"),
        (b'{"record": {"x": -Infinity}}', 400, "Infinity"),
        (b'{"record": {"x": 1e999}}', 400, "too large"),
        (b'{"record": {"x": 9223372036854775808}}', 400, "too large"),
        (b'{"record": {"x": ' + b"9" * 5000 + b"}}", 400, "too large"),
        (b'{"record": {"x": 1, "x": 2}}', 400, "twice"),
        (b'{"record": {"x": "\\ud800"}}', 400, "surrogate"),
        (b'{"record": {"\\ud800": 1}}', 400, "surrogate"),
        (b'{"record": {"x": "a\\u0000b"}}', 400, "NUL"),
        (b'{"record": {"a\\u0000b": 1}}', 400, "NUL"),
        (b'{"record": {"x": [["a\\u0000b"]]}}', 400, "NUL"),
        (b'{"record": ' + b'{"x": ' * DEPTH + b"1" + b"}" * DEPTH + b"}", 400, "deep"),
        (b'{"record": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "deep"),
        (b'{"record": {}, "reason": "' + b"x" * LIMIT + b'"}', 413, "bytes"),
        (b'{"record": {}, "reason": "' + b"x" * 3_000_000 + b'"}', 413, "large"),
        (b'{"record": {}, "reason": "' + b"x" * 501 + b'"}', 422, ""),
        (b'{"record": 5}', 422, ""),
    ],
)
def test_body_that_cannot_be_read_has_an_answer(operator: ApiClient, data: bytes, status: int, said: str) -> None:
    for method, path in (("patch", "/sites/aurora"), ("put", "/sites/borealis"), ("patch", "/platform")):
        reply = operator.ask(method, path, data=data, if_match="*")
        assert reply.status == (412 if reply.status == 412 else status)
        assert reply.status == 412 or said in reply.body["detail"]
    if status != 422:
        assert operator.ask("post", "/sites:batch", data=data).status == status


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_body_of_another_type_is_refused(operator: ApiClient, kind: str) -> None:
    assert operator.patch("/sites/aurora", {"record": {}}, content_type=kind).status == 415


def test_type_of_merge_patches_is_accepted(operator: ApiClient) -> None:
    kind = "application/merge-patch+json; charset=utf-8"
    assert operator.patch("/sites/aurora", {"record": {}}, content_type=kind).status == 200


@pytest.mark.parametrize(
    "record",
    [
        {"hostnames": "aurora.example.com"},
        {"hostnames": {"a": 1}},
        {"hostnames": [1, None, ["x"]]},
        {"hostnames": None},
        {"labels": ["x"]},
        {"labels": {"x": {"y": 1}}},
        {"enabled": "yes"},
        {"state": ["live"]},
        {"database": []},
        {"database": {"engine": {"x": "y"}}},
        {"project_settings": {"X": "y"}},
        {"project_settings": 5},
        {"env": [1]},
        {"env": {"X": {"y": "z"}}},
        {"tls": 5},
        {"frontend": {"token": 5}},
        {"": ""},
        {"a.b": {"c.d": 1}},
        {"nodes": 3},
        {"cache": "redis://:secret@host/0"},
    ],
)
def test_record_of_any_shape_has_an_answer(operator: ApiClient, record: dict[str, object]) -> None:
    for path in ("/sites/aurora", "/platform"):
        assert operator.patch(path, {"record": record}, if_match="*").status in (200, 422)
    assert operator.put("/sites/borealis", {"record": record}).status in (201, 422)


@pytest.mark.parametrize(
    "path",
    [
        "/sites/a%00b",
        "/sites/a%00b/notes",
        "/sites/%ff",
        "/sites/" + "a" * 5000,
        "/sites/%F0%9F%98%80",
        "/sites/aurora/hostnames/a%00b.example.com",
        "/sites/aurora/hostnames/%2e%2e",
        "/sites/../platform/..",
        "/sites/aurora/",
        "/nowhere",
        "/",
    ],
)
def test_address_of_nothing_has_an_answer(operator: ApiClient, path: str) -> None:
    assert operator.get(path).status == 404


@pytest.mark.parametrize(
    "query",
    [
        *("q=a%00b", "q=%ff%00", "limit=0", "limit=501", "limit=x", "after=%00", "label=%00:", "state=nothing"),
        *(f"limit={10**30}", "q=" + "x" * 300),
    ],
)
def test_parameter_that_fits_nothing_is_refused(operator: ApiClient, query: str) -> None:
    reply = operator.get(f"/sites?{query}")
    assert reply.status == 422
    assert reply.errors[0]["key"] in query


def test_numbers_beyond_the_database_are_refused(operator: ApiClient) -> None:
    big = 10**30
    for path in (
        f"/events?after={big}",
        f"/audit?before={big}",
        f"/sites/aurora/notes?before={big}",
        "/events?wait=26",
    ):
        assert operator.get(path).status == 422
    assert operator.delete(f"/sites/aurora/grants/{big}").status == 422


def test_method_that_an_address_does_not_take_is_said(operator: ApiClient) -> None:
    reply = operator.ask("patch", "/sites", {})
    assert (reply.status, reply.headers["Allow"]) == (405, "GET")
    assert reply.body["status"] == 405


def test_session_counts_for_nothing(fleet: Fleet) -> None:
    """An operator who is logged in, and a page of somebody else's that makes their browser ask."""
    client = ApiClient()
    client.client.force_login(fleet.user("olga", operator=True))
    for method, path in (("get", "/sites"), ("put", "/sites/aurora"), ("get", "/events"), ("get", "/openapi.json")):
        reply = client.ask(method, path, {"record": {}} if method == "put" else None)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    "token", ["", "wagtail_", "wagtail_" + "0" * 33, "Bearer", "a b c", "\xe9", "x" * 5000, "wagtail_%00"]
)
def test_token_that_is_none_is_refused(fleet: Fleet, token: str) -> None:
    client = ApiClient()
    assert client.get("/sites", Authorization=f"Bearer {token}").status == 401
    assert client.get("/sites", Authorization=f"Basic {token}").status == 401


def test_token_without_a_scope_may_do_nothing(fleet: Fleet) -> None:
    client = operator_client(fleet)
    assert client.get("/sites").status == 200
    TokenScope.objects.all().delete()
    for path in ("/sites", "/events", "/openapi.json"):
        reply = client.get(path)
        assert reply.status == 403
        assert "no scope" in reply.body["detail"]


def test_document_is_for_those_who_have_a_token(fleet: Fleet) -> None:
    fleet.add("aurora")
    assert ApiClient().get("/openapi.json").status == 401
    answer = client_of(fleet.user("ada", aurora="view"), "read").get("/openapi.json")
    assert answer.body == document()
    for path in ("/docs", "/docs/", "/openapi", "/schema"):
        assert Client(HTTP_HOST=HOST).get(f"{ROOT}{path}").status_code == 404


def test_document_says_everything() -> None:
    """Every operation has an id, sentences, its failures and a token; every key and parameter says what it is."""
    ids = []
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            ids.append(operation["operationId"])
            assert operation["summary"] and operation["description"].endswith("."), path
            assert operation["security"] == [{"Token": []}]
            assert {"401", "403", "422", "500", "503"} <= set(operation["responses"])
            for parameter in operation["parameters"]:
                assert parameter["description"].endswith("."), (path, parameter["name"])
            for status, response in operation["responses"].items():
                kind = "application/problem+json" if int(status) >= 400 else "application/json"
                assert list(response["content"]) == [kind]
    assert len(ids) == len(set(ids)) >= 19
    assert all("description" in schema for schema in document()["components"]["schemas"].values())
    assert "examples" in json.dumps(document()["components"]["schemas"]["SiteOut"])


def test_address_with_line_breaks_forges_no_line_of_the_log(
    operator: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    operator.client.raise_request_exception = False
    for kind, status in ((OperationalError, 503), (KeyError, 500)):
        failing = Mock(side_effect=kind("away"))
        monkeypatch.setattr("wagtail_multihost.control.api.hostnames.get_site", failing)
        assert operator.get("/sites/aurora/hostnames/a%0AINFO%20nothing.org").status == status
    said = [record.getMessage() for record in caplog.records if record.name == "django.request"]
    assert len([line for line in said if "hostnames/a" in line]) >= 2
    assert not any("\n" in line for line in said)

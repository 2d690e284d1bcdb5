"""Clients of the API, which compare every answer with what the OpenAPI document says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

import jsonschema
from django.test import Client
from django.utils import timezone

from tests.control.fleet import Fleet
from wagtail_multihost.control.api.api import api
from wagtail_multihost.control.api.document import document_of
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.tokens import create_token

ROOT = "/api/control/v1"
HOST = "control.localhost"
METHODS = ("get", "put", "patch", "delete", "post")


class Reply(NamedTuple):
    """An answer of the API."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def etag(self) -> str:
        return self.headers["ETag"]

    @property
    def errors(self) -> list[dict[str, str]]:
        return self.body["errors"]


@cache
def document() -> dict[str, Any]:
    return json.loads(json.dumps(document_of(api)))


def template_of(path: str) -> str:
    """Return the path of the document that an address belongs to."""
    for template in document()["paths"]:
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return template
    return ""


def check_reply(method: str, path: str, reply: Reply) -> None:
    """Fail unless the document has this answer of this operation, in this form."""
    assert reply.headers["Cache-Control"] == "no-store"
    operation = document()["paths"].get(template_of(path), {}).get(method)
    if operation is None:
        assert reply.status in (404, 405), reply
        return
    stated = operation["responses"][str(reply.status)]
    [(kind, content)] = stated["content"].items()
    assert reply.headers["Content-Type"].split(";")[0] == kind
    schema = {**content["schema"], "components": document()["components"]}
    jsonschema.Draft202012Validator(schema).validate(reply.body)
    if reply.status >= 400:
        assert reply.body["status"] == reply.status
        assert reply.body["detail"].endswith(".")


class ApiClient:
    """Asks the API as someone who has the token; without one if it is blank."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.client = Client(HTTP_HOST=HOST, enforce_csrf_checks=True)

    def ask(self, method: str, path: str, body: object = None, *, data: bytes | None = None, **headers: str) -> Reply:
        """Send JSON, or ``data`` as it is; headers are written as if_match or content_type."""
        kind = headers.pop("content_type", "application/json")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if data is None:
            data = b"" if body is None else json.dumps(body).encode()
        answer = self.client.generic(method.upper(), f"{ROOT}{path}", data, kind, headers=sent)
        found = json.loads(answer.content) if answer.content else None
        reply = Reply(answer.status_code, answer.headers, found)
        check_reply(method, f"{ROOT}{path}".partition("?")[0], reply)
        return reply

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("get", path, **headers)

    def put(self, path: str, body: object, **headers: str) -> Reply:
        return self.ask("put", path, body, **headers)

    def patch(self, path: str, body: object, **headers: str) -> Reply:
        return self.ask("patch", path, body, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> Reply:
        return self.ask("post", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Reply:
        return self.ask("delete", path, **headers)


def token_of(user: Any, action: str = "operate", sites: list[ManagedSite] | None = None) -> str:
    """Make a token of a user's that lasts an hour."""
    return create_token(user, "a script", action, sites, timezone.now() + timedelta(hours=1)).secret


def client_of(user: Any, action: str = "operate", sites: list[ManagedSite] | None = None) -> ApiClient:
    return ApiClient(token_of(user, action, sites))


def operator_client(fleet: Fleet) -> ApiClient:
    return client_of(fleet.user("olga", operator=True))

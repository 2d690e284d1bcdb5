"""Cookies that a neighbour below one domain plants under a name that browsers keep for the host itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_started
from django.db import close_old_connections
from django.http import HttpResponse
from django.test import RequestFactory

NAME = "__Host-sessionid_borealis"
#: What Python's str.strip takes away and a browser does not, and may send.
BLANKS = (
    "\x85",
    "\xa0",
    "\u1680",
    "\u2000",
    "\u2007",
    "\u2028",
    "\u2029",
    "\u202f",
    "\u205f",
    "\u3000",
    "\x0b",
    "\x1c",
)


@pytest.fixture(autouse=True)
def _without_databases() -> Iterator[None]:
    """Leave connections of other tests alone, as Django's own test client does."""
    request_started.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)


def seen_by_wsgi(monkeypatch: pytest.MonkeyPatch, header: bytes) -> dict[str, str]:
    """Return the cookies that Django finds in a request of a WSGI server."""
    found: dict[str, str] = {}

    def respond(handler: WSGIHandler, request: WSGIRequest) -> HttpResponse:
        found.update(request.COOKIES)
        return HttpResponse()

    monkeypatch.setattr(WSGIHandler, "load_middleware", lambda handler: None)
    monkeypatch.setattr(WSGIHandler, "get_response", respond)
    environ = RequestFactory().get("/").environ | {"HTTP_COOKIE": header.decode("latin-1")}
    WSGIHandler()(environ, lambda status, headers: None)  # type: ignore[arg-type]
    return found


def seen_by_asgi(monkeypatch: pytest.MonkeyPatch, header: bytes) -> dict[str, str]:
    """Return the cookies that Django finds in a request of an ASGI server."""
    found: dict[str, str] = {}

    async def respond(handler: ASGIHandler, request: ASGIRequest) -> HttpResponse:
        found.update(request.COOKIES)
        return HttpResponse()

    async def receive() -> dict[str, Any]:
        if found or asked:
            await asyncio.sleep(3600)
        asked.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: object) -> None: ...

    asked: list[bool] = []
    monkeypatch.setattr(ASGIHandler, "load_middleware", lambda handler, is_async: None)
    monkeypatch.setattr(ASGIHandler, "get_response_async", respond)
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"cookie", header)]}
    asyncio.run(ASGIHandler()(scope, receive, send))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_planted_cookie_does_not_take_the_place_of_the_hosts_own(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    """With every blank that Django takes away and browsers do not, the host's own cookie is the one that is read."""
    header = f"{NAME}=own; {blank}{NAME}=planted; theme=dark"
    assert seen_by_wsgi(monkeypatch, header.encode()) == {NAME: "own", "theme": "dark"}


@pytest.mark.parametrize("blank", [b"\x85", b"\xa0", b"\x1f"], ids=ascii)
def test_planted_cookie_is_dropped_behind_asgi_too(monkeypatch: pytest.MonkeyPatch, blank: bytes) -> None:
    """Django reads single bytes there, and two of them are blanks."""
    header = f"{NAME}=own; ".encode() + blank + f"{NAME}=planted; theme=dark".encode()
    assert seen_by_asgi(monkeypatch, header) == {NAME: "own", "theme": "dark"}


@pytest.mark.parametrize("blank", ["\x85", "\u2000"], ids=ascii)
def test_planted_cookie_alone_is_none(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    """Where the host has set no cookie yet, the planted one is not taken for it."""
    assert seen_by_wsgi(monkeypatch, f"{blank}{NAME}=planted".encode()) == {}
    assert seen_by_wsgi(monkeypatch, f" \t{blank} {NAME}=planted".encode()) == {}


def test_other_cookies_are_read_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of any bytes, names that are not ASCII, spaces and tabs stay, for WSGI and for ASGI."""
    header = f"{NAME}=own;\ttheme=\xa0dunkel;  schön=ja; alone".encode()
    assert seen_by_wsgi(monkeypatch, header) == {NAME: "own", "theme": "dunkel", "schön": "ja", "": "alone"}
    plain = f"{NAME}=own; theme=dark; alone".encode()
    assert seen_by_asgi(monkeypatch, plain) == {NAME: "own", "theme": "dark", "": "alone"}

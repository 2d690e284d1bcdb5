"""
A site plants a cookie of a neighbour below one domain, over https, in a real browser: the name has ``__Host-``, which
browsers keep for the host itself, behind a blank that Django takes away.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_started
from django.db import close_old_connections
from django.http import HttpResponse
from django.test import RequestFactory

from tests.health.certificates import make
from tests.servers.chromium import Chromium, chromium

pytestmark = pytest.mark.servers

HOSTILE, NEIGHBOUR = "aurora.example.org", "borealis.example.org"
NAME = "__Host-sessionid_borealis"
#: The prefix in its plain spelling, which browsers know, and two that they do not.
SPELLINGS = {"plain": b"", "quad": "\u2000".encode(), "no-break": "\xa0".encode()}


class Hosts(BaseHTTPRequestHandler):
    """Both sites: the hostile one plants cookies, the neighbour keeps what browsers send."""

    sent: ClassVar[list[bytes]] = []

    def do_GET(self) -> None:
        self.send_response(200)
        if self.headers["Host"].startswith(HOSTILE):
            blank = SPELLINGS.get(self.path.strip("/"), b"").decode("latin-1")
            self.send_header("Set-Cookie", f"{blank}{NAME}=planted; Domain=example.org; Path=/; Secure")
        elif self.path == "/":
            self.sent.append((self.headers.get("Cookie") or "").encode("latin-1"))
            self.send_header("Set-Cookie", f"{NAME}=own; Path=/; Secure")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None: ...


@contextlib.contextmanager
def opened_browser(folder: Path) -> Iterator[tuple[Chromium, int]]:
    """Serve both hosts over https on a port of loopback; yield it, and a browser that finds them there."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hosts) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = make("example.org", 2).write(folder, "both")
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        rules = (
            "--ignore-certificate-errors",
            "--no-proxy-server",
            "--host-resolver-rules=MAP *.example.org 127.0.0.1",
        )
        try:
            with chromium(folder / "profile", *rules) as browser:
                yield browser, server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(name="opened", scope="module")
def _opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Chromium, int]]:
    with opened_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _without_databases() -> Iterator[None]:
    """Leave connections of other tests alone, as Django's own test client does."""
    request_started.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)


def found_by_django(monkeypatch: pytest.MonkeyPatch, header: bytes) -> str | None:
    """Return the value of the neighbour's cookie that Django finds in what a browser has sent."""
    found: dict[str, str] = {}

    def respond(handler: WSGIHandler, request: WSGIRequest) -> HttpResponse:
        found.update(request.COOKIES)
        return HttpResponse()

    monkeypatch.setattr(WSGIHandler, "load_middleware", lambda handler: None)
    monkeypatch.setattr(WSGIHandler, "get_response", respond)
    environ = RequestFactory().get("/").environ | {"HTTP_COOKIE": header.decode("latin-1")}
    WSGIHandler()(environ, lambda status, headers: None)  # type: ignore[arg-type]
    return found.get(NAME)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_cookie_that_a_neighbour_plants_is_not_taken_for_the_hosts_own(
    opened: tuple[Chromium, int], monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    """Neither a visitor without a cookie of the host, nor one who has one, comes with the planted one."""
    browser, port = opened
    browser.send("Network.clearBrowserCookies")
    Hosts.sent.clear()
    for url in (
        f"{HOSTILE}:{port}/{spelling}",
        f"{NEIGHBOUR}:{port}/",
        f"{HOSTILE}:{port}/{spelling}",
        f"{NEIGHBOUR}:{port}/",
    ):
        browser.visit(f"https://{url}", width=800, height=600)
    first, *_, last = Hosts.sent
    # So that the test ends where browsers refuse these names too.
    assert (b"planted" in first + last) == (spelling != "plain")
    assert found_by_django(monkeypatch, first) is None
    assert found_by_django(monkeypatch, last) == "own"

"""What an application reads of its visitor behind uWSGI's own router: one value each, and never a blank."""

from __future__ import annotations

import http.client
import json
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.servers.processes import free_port, wait_for
from tests.servers.router import BUILDS, emperor, local_plan

pytestmark = pytest.mark.servers

HOST = "aurora.example.org"
APPLICATION = """
import json

def application(environ, start_response):
    length = len(environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "application/json")])
    seen = {name: value for name, value in environ.items() if isinstance(value, str)}
    return [json.dumps(seen | {"length": length, "scheme": environ["wsgi.url_scheme"]}).encode()]
"""
FORGED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Ssl": "on",
    "X-Real-IP": "192.0.2.1",
    "Forwarded": "for=192.0.2.1;proto=https;host=evil.example",
}


@pytest.fixture(name="port", scope="module", params=BUILDS)
def _port(request: pytest.FixtureRequest) -> Iterator[int]:
    """One site behind the router, whose application answers with what it was given."""
    with tempfile.TemporaryDirectory(prefix="mh") as name:
        folder, port = Path(name), free_port()
        plan = local_plan(folder, request.param, port)
        (plan.codebase.directory / "trivial/wsgi.py").write_text(APPLICATION)
        with emperor(plan, folder, request.param):
            wait_for(lambda: is_up(port), "the site")
            yield port


def is_up(port: int) -> bool:
    try:
        return ask(port)[0] == 200
    except OSError:
        return False


def ask(
    port: int, headers: Mapping[str, str] | None = None, body: object = None, host: str = HOST
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        method = "POST" if body is not None else "GET"
        connection.request(method, "/p?q=1", body=body, headers={"Host": host, **(headers or {})})  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("headers", [{}, FORGED, dict.fromkeys(FORGED, "")], ids=["none", "forged", "blank"])
def test_every_forwarded_header_has_the_visitors_value(port: int, headers: dict[str, str]) -> None:
    """Whatever the visitor states: the host, the address, the scheme and the port are those of the connection."""
    status, body = ask(port, headers)
    seen = json.loads(body)
    assert status == 200
    assert {name: seen[name] for name in seen if "FORWARDED" in name or name in ("HTTP_X_REAL_IP", "scheme")} == {
        "HTTP_X_FORWARDED_HOST": HOST,
        "HTTP_X_FORWARDED_FOR": "127.0.0.1",
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_X_FORWARDED_PORT": str(port),
        "HTTP_X_FORWARDED_SSL": "off",
        "HTTP_FORWARDED": "proto=http",
        "HTTP_X_REAL_IP": "127.0.0.1",
        "scheme": "http",
    }


def test_forwarded_host_is_the_host_with_its_port(port: int) -> None:
    """As the visitor asked for it: a project with USE_X_FORWARDED_HOST makes its addresses of it."""
    for host in (f"{HOST}:{port}", f"{HOST.upper()}:{port}", f"{HOST}."):
        seen = json.loads(ask(port, host=host)[1])
        assert seen["HTTP_X_FORWARDED_HOST"] == seen["HTTP_HOST"] == host


def test_body_is_read_or_refused(port: int) -> None:
    """A body with a length arrives whole; one in chunks, which no application of WSGI reads, is never lost unsaid."""
    assert json.loads(ask(port, body=b"x" * 100_000)[1])["length"] == 100_000
    for coding in (b"chunked", b"gzip, chunked"):
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            head = b"POST / HTTP/1.1\r\nHost: aurora.example.org\r\nTransfer-Encoding: " + coding
            connection.sendall(head + b"\r\n\r\n1\r\nx\r\n0\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 411 ")

"""Asking servers what they use."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from wagtail_multihost.emitters.apply.verification import Address, context, parsed, verify
from wagtail_multihost.exceptions import ApplyError, EmitError


class Handler(BaseHTTPRequestHandler):
    """Answers with its path: /STATUS/WORDS."""

    def do_GET(self) -> None:
        _, status, body = self.path.split("/", 2)
        self.send_response(int(status))
        self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""

    def address_string(self) -> str:
        return ""


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The beginning of a URL of a server."""
    if request.param == "tcp":
        server = HTTPServer(("127.0.0.1", 0), Handler)
        url = f"http://127.0.0.1:{server.server_port}"
    else:
        server = UnixStreamServer(str(tmp_path / "s"), Handler)  # type: ignore[assignment]
        url = f"unix:{tmp_path}/s:"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_token_is_in_the_answer(address: str) -> None:
    """An answer with the token is what is waited for."""
    verify(f"{address}/200/generation-abc", 10, "abc")


@pytest.mark.parametrize(
    ("path", "token", "words"),
    [
        ("/200/generation-abd", "abc", "does not have it"),
        ("/404/abc", "abc", "status 404"),
        ("/500/", "", "status 500"),
    ],
)
def test_another_answer_is_refused(address: str, path: str, token: str, words: str) -> None:
    """An answer of an earlier generation, or an error, is told when the time is up."""
    with pytest.raises(ApplyError, match=words):
        verify(f"{address}{path}", 0.01, token)


@pytest.mark.parametrize("status", [204, 302])
def test_without_a_token_a_status_is_enough(address: str, status: int) -> None:
    """A target that shows no generation is asked for a good status; redirects are not followed."""
    verify(f"{address}/{status}/", 10, "")


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a/", "http://", "file:///etc/passwd", "http://a b/", "unix:a:/", "http://a:x/", "http://a/\r\nX: y"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """Only http, https and unix sockets are asked, and no URL smuggles a header in."""
    with pytest.raises(EmitError, match="is no address"):
        parsed(url)


def test_a_password_in_an_address_is_not_repeated() -> None:
    """The report on an address with an account does not have its password."""
    with pytest.raises(EmitError) as caught:
        parsed("http://user:not-printed@example.org/")
    assert "not-printed" not in str(caught.value)


def test_addresses_are_read() -> None:
    """Ports, queries and sockets are taken from the URL."""
    assert parsed("https://a.example:8443/x?y=1") == Address("/x?y=1", "a.example", 8443, True)
    assert parsed("unix:/run/s.sock:/x") == Address("/x", socket="/run/s.sock")
    assert parsed("unix:/run/s.sock") == Address("/", socket="/run/s.sock")


@pytest.mark.parametrize(
    ("host", "checked"), [("127.0.0.1", False), ("::1", False), ("localhost", False), ("a.org", True)]
)
def test_certificates_are_checked_but_on_this_machine(host: str, checked: bool) -> None:
    """A certificate's name is that of a site: asked by a loopback address it cannot be right."""
    assert context(host).check_hostname is checked
    assert bool(context(host).verify_mode) is checked

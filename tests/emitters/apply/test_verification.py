"""Asking servers what they use."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import UnixStreamServer
from typing import ClassVar

import pytest

from wagtail_multihost.emitters.apply import verification
from wagtail_multihost.emitters.apply.verification import (
    MOST_BYTES,
    ask_once,
    parse_url,
    verify,
)
from wagtail_multihost.exceptions import ApplyError, EmitError
from wagtail_multihost.http_client.client import Reply, Target


class Handler(BaseHTTPRequestHandler):
    """Answers with its path: /STATUS/WORDS, after so many blanks; notes what it was asked."""

    seen: ClassVar[list[tuple[str, str | None, str | None]]] = []
    blanks: ClassVar[int] = 0

    def do_GET(self) -> None:
        self.seen.append((self.requestline, self.headers["Host"], self.headers["Connection"]))
        _, status, body = self.path.split("/", 2)
        self.send_response(int(status))
        self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()
        self.wfile.write(b" " * self.blanks + body.encode())

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
        ("/200/generation-abd", "abc", "does not contain it"),
        ("/200/generation-abd", "abc", "with the generation abc within 0.01 seconds"),
        ("/404/abc", "abc", "status 404"),
        ("/500/", "", "status 500"),
        ("/500/", "", "with a status of 2xx or 3xx within 0.01 seconds"),
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
    [
        *("", "ftp://a/", "http://", "file:///etc/passwd", "http://a b/", "http://a:x/", "http://a/\r\nX: y"),
        *("http://é.example/", "http://a/\x7f", "http://user@a/", "a.example/", "//a/"),
        *("unix:", "unix:a:/", "unix:/a:b", "unix:/a b:/", "unix:/é:/", "unix:/a\n:/", "unix:/a:/\x7f"),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """Only http, https and unix sockets are asked, and no URL smuggles a header in."""
    with pytest.raises(EmitError, match="is not a URL"):
        parse_url(url)


def test_a_password_in_an_address_is_not_repeated() -> None:
    """The report on an address with an account does not have its password."""
    with pytest.raises(EmitError) as caught:
        parse_url("http://user:not-printed@example.org/")
    assert "not-printed" not in str(caught.value)


def test_addresses_are_read() -> None:
    """Ports, queries and sockets are taken from the URL."""

    def told(url: str) -> tuple[object, ...]:
        target = parse_url(url)
        return target.scheme, target.host, target.port, target.socket, target.path

    assert told("https://a.example:8443/x?y=1") == ("https", "a.example", 8443, "", "/x?y=1")
    assert told("http://a.example") == ("http", "a.example", 80, "", "")
    assert told("http://a.example?y=1") == ("http", "a.example", 80, "", "/?y=1")
    assert told("unix:/run/s.sock:/x:y?z") == ("http", "localhost", 80, "/run/s.sock", "/x:y?z")
    assert told("unix:/run/s.sock") == told("unix:/run/s.sock:") == ("http", "localhost", 80, "/run/s.sock", "")


def test_a_server_is_asked_once_for_the_path(address: str) -> None:
    """It is a GET of the whole path, for the host of the address, of which the connection is not kept."""
    Handler.seen.clear()
    verify(f"{address}/200/a?b=c", 10, "")
    host = "localhost" if address.startswith("unix:") else address.removeprefix("http://")
    assert Handler.seen == [("GET /200/a?b=c HTTP/1.1", host, "close")]


@pytest.mark.parametrize(("blanks", "found"), [(MOST_BYTES - 3, True), (MOST_BYTES - 2, False)])
def test_a_token_is_looked_for_at_the_beginning_of_an_answer(address: str, blanks: int, found: bool) -> None:
    """A server that sends without an end fills no memory."""
    Handler.blanks = blanks
    try:
        refused = ask_once(parse_url(f"{address}/200/abc"), "abc", 10)
    finally:
        Handler.blanks = 0
    assert bool(refused) is not found


@pytest.mark.parametrize(("status", "accepted"), [(200, True), (399, True), (400, False), (599, False)])
def test_a_status_of_success_is_accepted(address: str, status: int, accepted: bool) -> None:
    """2xx and 3xx, to their ends."""
    assert bool(ask_once(parse_url(f"{address}/{status}/"), "", 10)) is not accepted


def test_what_is_no_answer_is_told() -> None:
    """Bytes that are no HTTP, silence and a closed port are refusals with a reason."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert ask_once(parse_url(url), "", 0.1) == "it cannot be asked (There was no answer within 0.1 seconds)"
        listener.accept()[0].close()

        def answer() -> None:
            with listener.accept()[0] as stream:
                stream.recv(4096)  # what is closed unread is reset
                stream.sendall(b"no HTTP\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert ask_once(parse_url(url), "", 10) == "it cannot be asked (The answer is not HTTP, or was cut off)"
        thread.join()
    assert ask_once(parse_url(url), "", 10) == "it cannot be asked (Connection refused)"


class Clock:
    """A time that passes in pauses alone; asked for, a server refuses so often, and notes how long it may take."""

    def __init__(self, refusals: int) -> None:
        self.now, self.refusals = 100.0, refusals
        self.limits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def refusal(self, target: Target, token: str, timeout: float, *, is_proxy: bool = False) -> str:
        self.limits.append(round(timeout, 3))
        return "no" if len(self.limits) <= self.refusals else ""


@pytest.mark.parametrize(
    ("timeout", "refusals", "limits"),
    [
        (10, 0, [3]),
        (10, 2, [3, 3, 3]),
        (3.15, 3, [3, 3, 2.95, 2.85]),
        (0.05, 1, [0.1]),
        (0.35, 9, [0.35, 0.25, 0.15, 0.1]),
        (0.125, 9, [0.125, 0.1]),
    ],
)
def test_a_server_is_asked_until_the_time_is_up(
    monkeypatch: pytest.MonkeyPatch, timeout: float, refusals: int, limits: list[float]
) -> None:
    """Each question may take what is left, but three seconds at most; there is time for one at least."""
    clock = Clock(refusals)
    monkeypatch.setattr(verification, "time", clock)
    monkeypatch.setattr(verification, "ask_once", clock.refusal)
    if refusals == 9 or timeout == 0.05:
        with pytest.raises(ApplyError, match=f"within {timeout} seconds: no"):
            verify("http://a.example/", timeout, "")
    else:
        verify("http://a.example/", timeout, "")
    assert clock.limits == limits


@pytest.mark.parametrize(
    ("host", "trusts"), [("127.0.0.1", True), ("[::1]", True), ("localhost", True), ("a.org", False)]
)
def test_certificates_are_checked_but_on_this_machine(monkeypatch: pytest.MonkeyPatch, host: str, trusts: bool) -> None:
    """A certificate's name is that of a site: asked by a loopback address it cannot be right."""
    asked: list[dict[str, object]] = []

    def ask(target: Target, path: str, **options: object) -> Reply:
        asked.append(options)
        return Reply(200, {}, b"")

    monkeypatch.setattr(verification, "ask_server", ask)
    assert ask_once(parse_url(f"https://{host}/"), "", 7) == ""
    assert [(options["trusts_any"], options["seconds"]) for options in asked] == [(trusts, 7)]


class Listener:
    """Answers with the generation, to who says the line first or, without ``wants_line``, does not."""

    def __init__(self, wants_line: bool) -> None:
        self.wants_line = wants_line
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                stream = self.socket.accept()[0]
            except OSError:
                return
            with stream:
                data = b""
                while b"\r\n\r\n" not in data and (block := stream.recv(4096)):
                    data += block
                if data.startswith(b"PROXY UNKNOWN\r\nGET") == self.wants_line:
                    stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.socket.close()


@pytest.mark.parametrize(
    ("wants_line", "is_told", "works"),
    [(True, True, True), (False, True, True), (False, False, True), (True, False, False)],
)
def test_listener_that_wants_a_proxy_line_gets_one(wants_line: bool, is_told: bool, works: bool) -> None:
    """Where ours wants one, what stands before it, which does not, can be asked as well."""
    listener = Listener(wants_line)
    try:
        if works:
            verify(listener.url, 10, "abc", wants_line=is_told)
        else:
            with pytest.raises(ApplyError):
                verify(listener.url, 0.1, "abc", wants_line=is_told)
    finally:
        listener.close()

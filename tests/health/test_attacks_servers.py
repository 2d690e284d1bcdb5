"""What visitors send to real servers below the endpoint's prefix: bodies that nobody reads, and requests in one go."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from tests.health.lifecycle import Server
from tests.health.test_lifecycle_servers import SERVERS, served

pytestmark = pytest.mark.servers

NAMES = ("gunicorn-gthread", "granian-wsgi", "granian-asgi", "uvicorn")
HIDDEN = b"GET /-/startup HTTP/1.1\r\nHost: x\r\nX-Hidden: yes\r\n\r\n"
LAST = b"GET /-/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def with_length(line: str) -> bytes:
    return f"{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(HIDDEN)}\r\n\r\n".encode() + HIDDEN


def in_chunks(line: str) -> bytes:
    head = f"{line} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{len(HIDDEN):x}\r\n".encode()
    return head + HIDDEN + b"\r\n0\r\n\r\n"


@pytest.fixture(name="server", scope="module", params=NAMES)
def _server(request: pytest.FixtureRequest) -> Iterator[Server]:
    command, kind = SERVERS[request.param]
    with served(command, "plain:application" if kind == "wsgi" else "plain:asgi") as server:
        yield server


def exchanged(server: Server, data: bytes) -> bytes:
    """Send everything at once, and return all that comes until the server hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize("write", [with_length, in_chunks])
@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("POST /-/drain", b"401"),
        ("POST /-/live", b"405"),
        ("DELETE /-/health", b"405"),
        ("GET /-/live", b"200"),
        ("GET /-/health.txt", b"200"),
    ],
)
def test_body_that_nobody_reads_is_no_request(
    server: Server, line: str, status: bytes, write: Callable[[str], bytes]
) -> None:
    """What is in a body is neither answered nor taken for the next request, which is answered in its turn."""
    answers = exchanged(server, write(line) + LAST).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [status, b"200"]
    assert answers[-1].endswith(b"\r\n\r\npass")


def test_heads_in_one_go_have_no_bodies(server: Server) -> None:
    """After the head of each, which says how long the body would be, the next begins at once."""
    paths = ("/-/live", "/-/health.html", "/-/metrics")
    heads = b"".join(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths)
    answers = exchanged(server, heads + LAST).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200"] * 4
    assert all(answer.endswith(b"\r\n\r\n") for answer in answers[:3])
    assert answers[3].endswith(b"\r\n\r\npass")


@pytest.mark.parametrize("target", ["//-/health", "/-/x/../health", "/-/health;a=b", "/-/health%00", "/-/health%2f%2f"])
def test_other_spellings_of_a_path_are_no_path_of_the_endpoint(server: Server, target: str) -> None:
    """What a front server closes by its name is not to be had under another one."""
    head = f"GET {target} HTTP/1.1\r\nHost: www.example.org\r\nConnection: close\r\n\r\n".encode()
    answer = exchanged(server, head)
    # Django sends visitors to https, and some servers refuse such a path themselves.
    assert answer[9:12] in (b"301", b"400", b"404") and b"no-store" not in answer

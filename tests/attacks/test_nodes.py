"""A hostile site on a node, whose application speaks to nginx as it likes, and its neighbours on the same machines."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emitters import test_nginx_nodes_servers as nodes
from tests.emitters.conftest import make_platform
from tests.emitters.test_nginx_attacks_servers import connected
from tests.emitters.test_nginx_content_servers import AURORA, BOREALIS, folder  # noqa: F401  # a fixture

pytestmark = pytest.mark.servers

SECONDS = 20
OWN = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown"
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\n"
#: More than nginx waits for before it passes on the answer of an application that knows HTTP 0.9 alone.
LONG = 100_000


@contextlib.contextmanager
def speaking(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Let ``answer`` have each connection to a socket after its first bytes, in a thread of its own."""

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            answer(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(SECONDS)


@pytest.mark.parametrize("runner", ["uwsgi", "gunicorn"])
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", SWITCHED + b"Content-Length: 0\r\n\r\n"),
        ("HEAD", SWITCHED + b"\r\n"),
        ("GET", SWITCHED + b"\r\n"),
        ("GET", b"HTTP/1.1 103 Early Hints\r\n\r\n" + OWN),
        ("GET", b"\r\n" + OWN + b"x" * LONG),
        ("HEAD", b"\r\n" + OWN + b"x" * LONG),
    ],
)
def test_an_application_hears_and_answers_no_request_for_its_neighbour(
    folder: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    runner: str,
    method: str,
    answer: bytes,
) -> None:
    """Whatever a site answers and however long it holds the connection: the front server sends no other's request."""
    monkeypatch.setattr(nodes, "make_platform", lambda **options: make_platform(runner=runner, **options))
    heard: list[bytes] = []

    def hold(connection: socket.socket) -> None:
        connection.sendall(answer)
        while block := connection.recv(65536):
            heard.append(block)
            connection.sendall(FORGED)

    with (
        nodes.serving(folder),
        speaking(folder / "aurora.sock", hold),
        speaking(folder / "borealis.sock", lambda connection: connection.sendall(OWN)),
        contextlib.ExitStack() as held,
    ):
        for _ in range(4):  # nginx has several workers, with connections of their own
            attacker = held.enter_context(connected(folder, f"{method} / HTTP/1.1", f"Host: {AURORA}"))
            attacker.settimeout(1)
            with contextlib.suppress(TimeoutError):
                attacker.recv(65536)
            with connected(folder, "GET / HTTP/1.1", f"Host: {BOREALIS}", "Cookie: session=key") as visitor:
                assert visitor.recv(65536).endswith(b"own")
    assert heard == []

"""Attacks of a hostile site and its visitors on nginx and on other sites. Real nginx, raw sockets."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.emitters import test_nginx_buckets_servers as buckets
from tests.emitters import test_nginx_nodes_servers as nodes
from tests.emitters.conftest import make_platform
from tests.emitters.test_nginx_content_servers import (
    AURORA,
    BOREALIS,
    Application,
    accel,
    folder,
    local_plan,
    make_file,
    own_files,
    send,
    serving,
)
from tests.servers.applications import application
from tests.servers.processes import wait_for
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

pytestmark = pytest.mark.servers

__all__ = ["folder"]

SECONDS = 20
MEGABYTE = 1 << 20
LARGE = 10_000_000
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"


@contextlib.contextmanager
def raw_application(path: Path, head: bytes, megabytes: int = 0) -> Iterator[list[bytes]]:
    """Answer each request on a socket with ``head`` and ``megabytes``; the value is all that comes after requests."""
    heard: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(head)
            for _ in range(megabytes):
                connection.sendall(b"x" * MEGABYTE)
            while not megabytes and (block := connection.recv(65536)):
                heard.append(block)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield heard
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(SECONDS)


@contextlib.contextmanager
def connected(folder: Path, *lines: str) -> Iterator[socket.socket]:
    """Open a connection to the socket ``http.sock`` and send a request with these lines."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(f"{folder}/http.sock")
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        yield connection


@pytest.mark.parametrize("pinned", [False, True])
def test_site_cannot_put_a_link_in_the_place_of_its_uploads(folder: Path, pinned: bool) -> None:
    """A site owns the folder above its uploads; a link there leads neither to a neighbour's documents nor elsewhere."""
    make_file(folder, "borealis", "documents/secret.txt", "neighbour's")
    (folder / "keys").mkdir()
    (folder / "keys/privkey.pem").write_text("neighbour's")
    make_file(folder, "aurora", "a.txt", "own")
    sites = own_files(folder)
    media = folder / "data/sites/aurora/media"
    if pinned:
        media = folder / "elsewhere/media"
        media.parent.mkdir()
        (folder / "data/sites/aurora/media").rename(media)
        sites[0] = moved(sites[0], media)
    aurora = Application({"/d": accel("/-/files/documents/secret.txt"), "/own": accel("/-/files/a.txt")})
    with serving(local_plan(folder, *sites), folder, aurora=aurora):
        assert send(folder, AURORA, "/media/a.txt")[2] == send(folder, AURORA, "/own")[2] == b"own"
        media.rename(media.with_name("before"))
        for target in (folder / "data/sites/borealis/media", folder / "keys"):
            media.symlink_to(target)
            for path in ("/d", "/media/privkey.pem", "/media/documents/secret.txt"):
                status, _, text = send(folder, AURORA, path)
                assert (status, b"neighbour" in text) == (404, False)
            media.unlink()


def moved(site: SiteSpec, path: Path) -> SiteSpec:
    return replace(site, storage=StorageSpec(backend="files", path=path))


@pytest.mark.parametrize("length", ["", f"Content-Length: {LARGE}\r\n"])
def test_answer_without_an_end_does_not_fill_the_disk_of_kept_pages(folder: Path, length: str) -> None:
    """nginx keeps writing a page that it keeps, though the visitor has gone; not a large one, or one of any size."""
    plan = local_plan(folder, *own_files(folder), options={"cache": 60, "cache_size": "1m"})
    head = f"HTTP/1.1 200 OK\r\n{length}\r\n".encode()
    with serving(plan, folder), raw_application(folder / "aurora.sock", head, 64):
        with connected(folder, "GET / HTTP/1.1", f"Host: {AURORA}") as connection:
            assert connection.recv(12) == b"HTTP/1.1 200"
        wait_for(lambda: AURORA in (folder / "logs/access.log").read_text(), "the end of the request")
        kept = [path.stat().st_size for path in (folder / "cache-pages").rglob("*") if path.is_file()]
    assert sum(kept) < MEGABYTE


def test_large_file_of_a_bucket_is_sent_and_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of 10 MB and more, which nginx would write to the disk whoever still wants it, is fetched each time."""
    monkeypatch.setattr(buckets.Bucket, "do_GET", send_large)
    with buckets.fetching(folder) as found:
        for number in (1, 2):
            status, _, content = send(folder, AURORA, "/media/film.mp4")
            assert (status, len(content), found.seen["/film.mp4"]) == (200, LARGE, number)
        assert not [path for path in (folder / "cache-files").rglob("*") if path.is_file()]


def send_large(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.server.seen[handler.path] += 1  # type: ignore[attr-defined]
    handler.send_response(200)
    handler.send_header("Content-Length", str(LARGE))
    handler.end_headers()
    handler.wfile.write(b"x" * LARGE)


def test_slow_visitor_keeps_little_of_an_answer_on_the_disk(folder: Path) -> None:
    """What an application sends faster than its visitor reads is not written to the shared disk without a limit."""
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    sent = 0
    with (
        serving(local_plan(folder, *own_files(folder)), folder),
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind(f"{folder}/aurora.sock")
        os.chmod(f"{folder}/aurora.sock", 0o666)
        listener.listen()
        with connected(folder, "GET / HTTP/1.1", f"Host: {AURORA}"):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(head)
                connection.settimeout(2)
                with contextlib.suppress(TimeoutError):
                    while sent < 128 * MEGABYTE:
                        sent += connection.send(b"x" * MEGABYTE)
    assert 32 * MEGABYTE < sent < 80 * MEGABYTE


@pytest.mark.parametrize("value", [" x", ""])
def test_hostile_application_opens_no_way_to_its_node(folder: Path, value: str) -> None:
    """
    What a visitor sends after status 101 is the application's own: the node never reads it as requests of the front
    server, whose word on addresses and schemes it takes.
    """
    borealis = Application()
    lies = ["X-Forwarded-For: 192.0.2.66", "X-Forwarded-Proto: https"]
    with (
        nodes.serving(folder),
        raw_application(folder / "aurora.sock", SWITCHED) as heard,
        application(folder / "borealis.sock", borealis),
    ):
        lines = ("GET / HTTP/1.1", f"Host: {AURORA}", "Connection: Upgrade", f"Upgrade:{value}")
        with connected(folder, *lines) as connection:
            assert connection.recv(12) == b"HTTP/1.1 101"
            connection.sendall("\r\n".join(["GET /forged HTTP/1.1", f"Host: {BOREALIS}", *lies, "", ""]).encode())
            wait_for(lambda: heard or borealis.seen, "the forged request")
        assert send(folder, BOREALIS, "/a")[0] == 200
    assert dict(borealis.seen) == {"/a": 1}
    assert "HTTP_UPGRADE" not in borealis.requests[0]
    assert b"".join(heard).startswith(b"GET /forged")


def test_visitor_of_a_front_server_does_not_choose_the_scheme(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Django reads the scheme from another header than the usual one, a visitor cannot state that one either."""
    monkeypatch.setattr(
        nodes,
        "make_platform",
        lambda **options: make_platform(secure_proxy_ssl_header=("HTTP_X_PROTO", "on"), **options),
    )
    aurora = Application()
    with (
        nodes.serving(folder, proxies=("10.0.0.1",)),
        application(folder / "aurora.sock", aurora),
    ):
        assert send(folder, AURORA, "/", {"X-Proto": "on", "X-Forwarded-Proto": "https"})[0] == 200
    told = aurora.requests[0]
    assert {key: told[key] for key in ("HTTP_X_PROTO", "HTTP_X_FORWARDED_PROTO")} == {
        "HTTP_X_PROTO": "http",
        "HTTP_X_FORWARDED_PROTO": "http",
    }


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 2\r\n\r\nhello",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_forged_second_answer_reaches_no_other_site(folder: Path, answer: bytes) -> None:
    """An application that sends two answers for one does not get the second to the visitor of another site."""
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    borealis = Application()
    with (
        nodes.serving(folder),
        raw_closing_application(folder / "aurora.sock", answer + forged),
        application(folder / "borealis.sock", borealis),
    ):
        for number in range(4):
            with connected(folder, "GET / HTTP/1.1", f"Host: {AURORA}", "Connection: close") as connection:
                assert connection.recv(9) == b"HTTP/1.1 "
            assert send(folder, BOREALIS, f"/{number}")[2] == f"{BOREALIS} /{number} 1".encode()


@contextlib.contextmanager
def raw_closing_application(path: Path, answer: bytes) -> Iterator[None]:
    """Answer each request on a socket with ``answer``, and close the connection."""

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.recv(65536)
                    connection.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(SECONDS)

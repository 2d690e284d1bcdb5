"""Files of buckets below a site's media URL: a bucket's domain over TLS, with a name server of the test."""

from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.emitters.conftest import BUCKET, make_site, texts
from tests.emitters.test_nginx_content_servers import (
    AURORA,
    BOREALIS,
    Application,
    accel,
    folder,
    local_plan,
    send,
)
from tests.servers.applications import application
from tests.servers.processes import accepts, running, wait_for
from wagtail_multihost.emitters import Plan

pytestmark = pytest.mark.servers

__all__ = ["folder"]

DOMAIN = "media.example.org"


class Bucket(http.server.BaseHTTPRequestHandler):
    """A bucket whose owner is hostile to nginx."""

    def do_GET(self) -> None:
        counts = self.server.seen  # type: ignore[attr-defined]
        counts[self.path] += 1
        self.server.headers.append(dict(self.headers))  # type: ignore[attr-defined]
        body = f"{self.headers['Host']} {self.path} {counts[self.path]}".encode()
        self.send_response(200)
        for name, value in {
            "Content-Length": str(len(body)),
            "Content-Type": "text/html",
            "Set-Cookie": "sessionid_aurora=forged",
            "X-Accel-Redirect": "/-/files/a.txt",
            "Content-Security-Policy": "default-src *",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class NameServer(socketserver.BaseRequestHandler):
    """Answers every question with 127.0.0.1, and none for IPv6 (RFC 1035)."""

    def handle(self) -> None:
        query, server = self.request
        question = query[12 : query.index(b"\0", 12) + 5]
        is_ipv4 = question[-4:-2] == b"\0\1"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x7f\0\0\1" if is_ipv4 else b""
        head = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_ipv4 else b"\0\0") + b"\0\0\0\0"
        server.sendto(head + question + answer, self.client_address)


@contextlib.contextmanager
def threaded(server: socketserver.BaseServer) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def bucket(folder: Path, name: str) -> Iterator[Any]:
    """Run a bucket with a certificate for ``name``."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    ends = ["-keyout", "bucket.key", "-out", "bucket.pem", "-days", "2", "-subj", "/CN=x"]
    subprocess.run([*command, *ends, "-addext", f"subjectAltName=DNS:{name}"], cwd=folder, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "bucket.pem", folder / "bucket.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    server.daemon_threads = True
    server.seen, server.headers = Counter(), []  # type: ignore[attr-defined]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with threaded(server):
        yield server


@contextlib.contextmanager
def serving(folder: Path, plan: Plan, port: int) -> Iterator[None]:
    """Run the plan's nginx, which finds buckets at ``port`` in the place of 443."""
    for path, text in texts("nginx", plan).items():
        file = plan.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("https://$multihost_bucket_host;", f"https://$multihost_bucket_host:{port};"))
    conf = plan.directory / "nginx/nginx.conf"
    with running(["nginx", "-c", conf, "-g", "daemon off;"], folder / "output.log"):
        wait_for(lambda: accepts(folder / "http.sock"), "nginx")
        yield


@contextlib.contextmanager
def fetching(folder: Path, name: str = DOMAIN) -> Iterator[Any]:
    """Run nginx that fetches files of two sites' buckets; their certificate is for ``name``."""
    site = make_site("aurora", storage=replace(BUCKET, domain=DOMAIN))
    other = make_site("borealis", storage=replace(BUCKET, domain="other.example.org"))
    with bucket(folder, name) as found, threaded(socketserver.UDPServer(("127.0.0.1", 0), NameServer)) as names:
        options = {
            "bucket_media": "proxy",
            "resolvers": (f"127.0.0.1:{names.server_address[1]}",),
            "authorities": folder / "bucket.pem",
        }
        with serving(folder, local_plan(folder, site, other, options=options), found.server_address[1]):
            yield found


def test_redirect_leads_to_the_file_at_the_domain(folder: Path) -> None:
    """A file is sought at the domain, under its own name and without anything that a visitor could add."""
    site = make_site("aurora", storage=replace(BUCKET, domain=DOMAIN))
    plan = local_plan(folder, site, make_site("borealis"), options={"bucket_media": "redirect"})
    with serving(folder, plan, 443):
        status, headers, _ = send(folder, AURORA, "/media/images/a%20b.jpg?x=1")
        assert (status, headers["Location"]) == (302, f"https://{DOMAIN}/images/a%20b.jpg")
        for path in ("/media/documents/a.pdf", "/media/x%0d%0aSet-Cookie:%20a=b"):
            _, headers, _ = send(folder, AURORA, path)
            assert headers["Location"] is None
            assert headers["Set-Cookie"] is None
        assert send(folder, BOREALIS, "/media/none.jpg")[0] == 404


def test_file_is_fetched_once_and_with_nothing_of_the_visitors(folder: Path) -> None:
    """A kept file is the bucket's, without its cookies and commands, and the bucket learns nothing of visitors."""
    cookies = {"Cookie": "sessionid_aurora=1", "Authorization": "Basic eA=="}
    with fetching(folder) as found:
        for _ in range(2):
            status, headers, text = send(folder, AURORA, "/media/images/a%20b.jpg?x=1", cookies)
            assert (status, text.decode()) == (200, f"{DOMAIN} /images/a%20b.jpg 1")
            assert headers["Set-Cookie"] is None
            assert headers.get_all("Content-Security-Policy") == [
                "default-src 'none'; style-src 'unsafe-inline'; sandbox"
            ]
            assert headers["X-Content-Type-Options"] == "nosniff"
        assert send(folder, AURORA, "/media/documents/a.pdf")[0] == 404
    assert [set(headers) for headers in found.headers] == [{"Host", "Connection"}]


def test_bucket_without_a_certificate_in_its_name_gets_no_request(folder: Path) -> None:
    """A domain that leads to some other server, one of this machine's too, is not asked for anything."""
    with fetching(folder, "localhost") as found:
        assert send(folder, AURORA, "/media/a.jpg")[0] == 502
    assert not found.seen


def test_sites_bucket_is_not_its_neighbours(folder: Path) -> None:
    """The domain of a site is asked for its own files, and a kept file is given to that site's visitors alone."""
    with fetching(folder) as found:
        assert send(folder, AURORA, "/media/a.jpg")[0] == 200
        # The certificate is for the other's domain.
        assert send(folder, BOREALIS, "/media/a.jpg")[0] == 502
        with (
            application(folder / "borealis.sock", Application({"/x": accel("/-/bucket/a.jpg")})),
            contextlib.suppress(ConnectionError),
        ):
            assert send(folder, BOREALIS, "/x")[0] != 200
    assert found.seen == {"/a.jpg": 1}


def test_name_server_is_not_needed_to_start(folder: Path) -> None:
    """A domain that cannot be looked up costs its own files alone."""
    site = make_site("aurora", storage=replace(BUCKET, domain=DOMAIN))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        options = {"bucket_media": "proxy", "resolvers": (f"127.0.0.1:{silent.getsockname()[1]}",)}
        plan = local_plan(folder, site, make_site("borealis"), options=options)
        with (
            serving(folder, plan, 443),
            application(folder / "borealis.sock", Application()),
        ):
            assert send(folder, BOREALIS, "/a")[0] == 200
            assert send(folder, AURORA, "/media/a.jpg")[0] == 502

"""A front server whose map of hostnames a test changes, for monitors that are processes of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

from tests.monitor.servers import HOST, Site
from wagtail_multihost.spec.proofs import sign_proof

#: What a hostile site would have printed to a terminal, or into a log.
HOSTILE_WORD = "Bought"
HOSTILE = f"\x1b[31m{HOSTILE_WORD} at evil.example"
Found = TypeVar("Found")


class Front(BaseHTTPRequestHandler):
    """A front server: ``signers`` says which site answers for which hostname, None for one that fails."""

    signers: dict[str, Site | None] = {}
    asked: list[tuple[str, str]] = []

    def do_GET(self) -> None:
        host = str(self.headers["Host"])
        self.asked.append((host, self.path))
        site = self.signers.get(host)
        self.send_response_only(500 if site is None else 200, HOSTILE)
        nonce = self.headers["Multihost-Nonce"]
        if site is not None and nonce:
            self.send_header("Multihost-Proof", sign_proof(site.key, str(nonce), host, site.uid, 200))
        body = f"<h1>{host}</h1>{HOSTILE}".encode()
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Evil", HOSTILE_WORD)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Print nothing."""


@contextmanager
def front(**signers: Site | None) -> Iterator[tuple[str, type[Front]]]:
    """A front server's URL, and what it was asked."""
    names = {f"{name}.example": site for name, site in signers.items()}
    handler = type("OwnFront", (Front,), {"signers": names, "asked": []})
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://{HOST}:{server.server_address[1]}", handler
        server.shutdown()


def wait_until(condition: Callable[[], Found], seconds: float = 60) -> Found:
    """Return what a condition becomes, once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "It did not come about."
        time.sleep(0.1)
    return found

"""A receiver of messages in JSON, as Apprise sends them to ``json://``, on a loopback address."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """
    Its ``port``, and the ``bodies`` and ``paths`` of what it was sent. One that ``holds`` answers once it is released;
    one that ``hangs`` never does while it runs.
    """

    def __init__(self, *, holds: bool = False, hangs: bool = False, status: int = 200) -> None:
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.connections = 0
        self.status = status
        self.released, self.ended = threading.Event(), threading.Event()
        if not holds:
            self.released.set()
        self.hangs = hangs
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]

    def release(self) -> None:
        self.released.set()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.connections += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.hangs:
                    receiver.ended.wait(60)
                    return
                receiver.bodies.append(json.loads(body))
                receiver.released.wait(60)
                self.answer()

            def do_GET(self) -> None:
                receiver.paths.append(self.path)
                self.answer()

            def answer(self) -> None:
                with contextlib.suppress(OSError):
                    self.send_response(receiver.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextlib.contextmanager
def running_receiver(**options: Any) -> Iterator[Receiver]:
    receiver = Receiver(**options)
    thread = threading.Thread(target=receiver.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        receiver.ended.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join(10)

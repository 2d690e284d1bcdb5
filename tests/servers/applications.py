"""A small application that speaks uwsgi's protocol, for tests of what stands in front of one."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

#: What an application answers to the variables of a request: status, headers and body.
Answer = tuple[str, Mapping[str, str], str]


class Handler(socketserver.StreamRequestHandler):
    """One request: a header of four bytes and the variables, each text with its length before it."""

    def handle(self) -> None:
        _, size, _ = struct.unpack("<BHB", self.rfile.read(4))
        variables = dict(pairs(self.rfile.read(size)))
        status, headers, body = self.server.answer(variables)  # type: ignore[attr-defined]
        # As Django's CommonMiddleware has it.
        sent = {"Content-Length": str(len(body.encode())), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(f"HTTP/1.1 {status}\r\n{head}\r\n{body}".encode())


def pairs(block: bytes) -> Iterator[tuple[str, str]]:
    texts = []
    while block:
        (size,) = struct.unpack("<H", block[:2])
        texts.append(block[2 : 2 + size].decode())
        block = block[2 + size :]
    return zip(texts[::2], texts[1::2], strict=True)


class Server(socketserver.ThreadingUnixStreamServer):
    """The application's server."""

    daemon_threads = True
    request_queue_size = 64


@contextlib.contextmanager
def application(path: Path, answer: Callable[[dict[str, str]], Answer]) -> Iterator[None]:
    """Run an application on the unix socket ``path``."""
    with Server(str(path), Handler) as server:
        server.answer = answer  # type: ignore[attr-defined]
        path.chmod(0o666)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()

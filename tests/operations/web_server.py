"""A web server on a loopback address that answers as a test wants, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

HOST = "127.0.0.1"
#: Writes an answer; the connection is closed afterwards.
Answer = Callable[[socket.socket], None]


def saying(body: bytes | str, status: str = "200 OK", *headers: str) -> Answer:
    """Return an answer with this body."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", "Connection: close", *headers, "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + data)


class WebServer:
    """Its ``port``, and the ``requests`` that it had, as text."""

    def __init__(self, answer: Answer, host: str, context: ssl.SSLContext | None) -> None:
        self.answer, self.context = answer, context
        self.listening = socket.create_server((host, 0))
        self.port: int = self.listening.getsockname()[1]
        self.requests: list[str] = []
        self.connections = 0

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                self.connections += 1
                threading.Thread(target=self.handle, args=(connection,), daemon=True).start()

    def handle(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        with contextlib.suppress(OSError), connection:
            stream = self.context.wrap_socket(connection, server_side=True) if self.context else connection
            with stream:
                data = b""
                while b"\r\n\r\n" not in data:
                    block = stream.recv(1 << 16)
                    if not block:
                        return
                    data += block
                self.requests.append(data.decode())
                self.answer(stream)


@contextlib.contextmanager
def running_web_server(answer: Answer, host: str = HOST, certificate: Path | None = None) -> Iterator[WebServer]:
    """Serve the answer to every request, with TLS if there is a ``certificate``, whose key is beside it."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server = WebServer(answer, host, context)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()

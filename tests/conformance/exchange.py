"""Requests that are sent byte by byte, and all that comes back, read as HTTP/1.1 says."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

SECONDS = 15
#: Statuses whose answers have no body (RFC 9112, section 6.3).
BODILESS = (204, 304)


class Leave:
    """The client closes its connection without waiting for an answer, and opens another."""


@dataclass(frozen=True)
class Answer:
    """A status, 0 where the connection was closed without one, the lines of the header, and the body."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class BrokenAnswer(Exception):
    """What came is no answer of HTTP, or ends before its length."""


def exchange(port: int, sends: Iterable[bytes | float | Leave], source: str) -> list[Answer]:
    """Send everything in turn, and return every answer on the last connection."""
    connection = socket.create_connection(("127.0.0.1", port), SECONDS, (source, 0))
    methods: list[bytes] = []
    try:
        for step in sends:
            if isinstance(step, Leave):
                connection.close()
                connection, methods = socket.create_connection(("127.0.0.1", port), SECONDS, (source, 0)), []
            elif isinstance(step, float):
                time.sleep(step)
            else:
                methods += [line.partition(b" ")[0] for line in step.split(b"\r\n") if line.endswith(b" HTTP/1.1")]
                # An answer may come, and the connection end, before all has been sent.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(step)
        return list(answers(received(connection), methods)) or [Answer(0)]
    finally:
        connection.close()


def received(connection: socket.socket) -> bytes:
    blocks = []
    with contextlib.suppress(ConnectionResetError):
        while block := connection.recv(1 << 16):
            blocks.append(block)
    return b"".join(blocks)


def answers(data: bytes, methods: list[bytes]) -> Iterator[Answer]:
    """Yield the answers in ``data``. Raises BrokenAnswer for what is none."""
    methods = list(methods)
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        line, _, fields = head.partition(b"\r\n")
        words = line.split(b" ", 2)
        if not end or not words[0].startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
            raise BrokenAnswer(head[:200])
        status, headers = int(words[1]), BytesHeaderParser().parsebytes(fields + b"\r\n\r\n")
        method = methods[0] if methods else b""
        if status < 200:
            body = b""
        else:
            methods = methods[1:]
            body, data = body_of(data, headers, status in BODILESS or method == b"HEAD")
        yield Answer(status, tuple(headers.items()), body)


def body_of(data: bytes, headers: Message, has_none: bool) -> tuple[bytes, bytes]:
    """Return the body of an answer, and what follows it."""
    if has_none:
        return b"", data
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        return chunks_of(data)
    if (length := headers.get("Content-Length")) is None:
        return data, b""
    if len(data) < int(length):
        raise BrokenAnswer(f"{len(data)} bytes of {length}")
    return data[: int(length)], data[int(length) :]


def chunks_of(data: bytes) -> tuple[bytes, bytes]:
    found = b""
    while True:
        size, end, data = data.partition(b"\r\n")
        if not end:
            raise BrokenAnswer("The last chunk is missing.")
        length = int(size.partition(b";")[0], 16)
        if not length:
            return found, data.partition(b"\r\n")[2]
        found, data = found + data[:length], data[length + 2 :]

"""A way to a server that can be closed: whoever goes by it finds the server away, and the others do not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers.postgres import HOST
from tests.servers.processes import free_port


class Passage:
    """Passes connections to ``port`` on to another one of this machine, while it is open."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_port()
        self.door: socket.socket | None = None
        self.ends: list[socket.socket] = []

    def open(self) -> None:
        self.door = socket.create_server((HOST, self.port))
        threading.Thread(target=self.let_in, args=(self.door,), daemon=True).start()

    def let_in(self, door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = door.accept()
                far = socket.create_connection((HOST, self.target))
                self.ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=(one, other), daemon=True).start()

    def close(self) -> None:
        """Close it, and end what goes by it."""
        for end in [*([self.door] if self.door else []), *self.ends]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.door, self.ends = None, []


def carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def passage_to(port: int) -> Iterator[Passage]:
    """Open a way to a port while the block runs."""
    passage = Passage(port)
    passage.open()
    try:
        yield passage
    finally:
        passage.close()

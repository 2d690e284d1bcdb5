"""A door in front of a server: while it is closed, connections are refused and those that were open are gone."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.servers.processes import free_port

HOST = "127.0.0.1"


class Door:
    """Passes connections at ``port`` on to the server's own ``behind``."""

    def __init__(self, behind: int) -> None:
        self.behind, self.port = behind, free_port()
        self.lock = threading.Lock()
        self.listener: socket.socket | None = None
        self.pairs: list[socket.socket] = []
        self.threads: list[threading.Thread] = []

    def open(self) -> None:
        self.listener = socket.create_server((HOST, self.port))
        self.begin(self.accept, self.listener)

    def close(self) -> None:
        """Refuse connections, and hang up those that there are."""
        if self.listener:
            # Closing alone would not wake the thread that accepts.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for connection in pairs:
            hang_up(connection)
        for thread in self.threads:
            thread.join()
        self.threads.clear()
        for connection in pairs:
            connection.close()

    def begin(self, target: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        self.threads.append(thread)
        thread.start()

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection((HOST, self.behind))
            with self.lock:
                self.pairs += [client, server]
            self.begin(copy, client, server)
            self.begin(copy, server, client)


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(65_536):
            target.sendall(block)
    hang_up(target)


def hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def opened_door(behind: int) -> Iterator[Door]:
    door = Door(behind)
    door.open()
    try:
        yield door
    finally:
        door.close()

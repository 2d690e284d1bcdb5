"""A door in front of a server: while it is closed, connections are refused and those that were open are gone."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from tests.servers.processes import free_port

HOST = "127.0.0.1"


class Door:
    """Passes connections at ``port`` on to the server's own ``behind``."""

    def __init__(self, behind: int) -> None:
        self.behind, self.port = behind, free_port()
        self.lock = threading.Lock()
        self.listener: socket.socket | None = None
        self.ends: set[socket.socket] = set()
        self.threads: list[threading.Thread] = []

    def open(self) -> None:
        self.listener = socket.create_server((HOST, self.port))
        self.threads.append(begin(self.accept, self.listener))

    def close(self) -> None:
        """Refuse new connections, and close the existing ones."""
        if not self.listener:
            return
        # Closing alone would not wake the thread that accepts.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.threads[0].join()  # after this one has ended, there is no further connection
        self.listener.close()
        self.listener = None
        with self.lock:
            for end in self.ends:
                hang_up(end)
        for thread in self.threads:
            thread.join()
        self.threads.clear()

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((HOST, self.behind))
            except OSError:
                client.close()
                continue
            with self.lock:
                self.ends |= {client, server}
            self.threads.append(begin(self.carry, client, server))

    def carry(self, client: socket.socket, server: socket.socket) -> None:
        """Copy both ways until both have ended, and close both ends."""
        back = begin(copy, server, client)
        copy(client, server)
        back.join()
        with self.lock:
            self.ends -= {client, server}
            client.close()
            server.close()


def begin(target: Callable[..., None], *arguments: socket.socket) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments)
    thread.start()
    return thread


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

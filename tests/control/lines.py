"""A line between a node and the server, which can be cut, or fall silent as behind a firewall that forgot it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator

from tests.servers.postgres import HOST


class Line:
    """Passes on what comes at its ``port``."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.listener = socket.create_server((HOST, 0))
        self.port = int(self.listener.getsockname()[1])
        self.ends: list[tuple[socket.socket, socket.socket]] = []
        self.silent: set[socket.socket] = set()
        self.is_cut = False
        self.is_over = False
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        while not self.is_over:
            if self.is_cut:
                self.close_all()
            heard = [self.listener, *(end for pair in self.ends for end in pair if end not in self.silent)]
            for ready in select.select(heard, [], [], 0.05)[0]:
                if ready is self.listener:
                    self.take()
                else:
                    self.pass_on(ready)

    def take(self) -> None:
        client = self.listener.accept()[0]
        try:
            self.ends.append((client, socket.create_connection((HOST, self.server_port))))
        except OSError:
            client.close()

    def pass_on(self, end: socket.socket) -> None:
        for first, second in list(self.ends):
            if end in (first, second):
                with contextlib.suppress(OSError):
                    if data := end.recv(65536):
                        (second if end is first else first).sendall(data)
                        return
                self.close(first, second)

    def close(self, first: socket.socket, second: socket.socket) -> None:
        self.ends.remove((first, second))
        first.close()
        second.close()

    def close_all(self) -> None:
        for first, second in list(self.ends):
            self.close(first, second)

    def cut(self) -> None:
        """End what is connected, and whoever comes, until it is mended."""
        self.is_cut = True

    def mend(self) -> None:
        self.is_cut = False

    def fall_silent(self) -> None:
        """Pass nothing on any more of what is connected now; new connections are as ever."""
        self.silent |= {end for pair in self.ends for end in pair}


@contextlib.contextmanager
def line_to(server_port: int) -> Iterator[Line]:
    line = Line(server_port)
    line.thread.start()
    try:
        yield line
    finally:
        line.is_over = True
        line.thread.join()
        line.listener.close()
        line.close_all()

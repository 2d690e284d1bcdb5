"""A server that accepts connections and never answers, as a firewall or a paused machine does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


class Silent:
    """The server: its ``port``, and how often somebody has connected."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections: list[socket.socket] = []


@contextlib.contextmanager
def silent_server() -> Iterator[Silent]:
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        server = Silent(listener.getsockname()[1])

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    server.connections.append(stack.enter_context(connection))

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextlib.contextmanager
def done_within(least: float, most: float) -> Iterator[None]:
    """Fail unless what is inside takes between so many seconds: it has waited, and not for long."""
    started = time.monotonic()
    yield
    taken = time.monotonic() - started
    assert least <= taken <= most, f"it took {taken:.1f} seconds"

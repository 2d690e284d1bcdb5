"""The account of a server on this machine."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

TABLES = ("/proc/self/net/tcp", "/proc/self/net/tcp6")
LISTENS = "0A"


def accounts_of(connection: socket.socket) -> set[int]:
    """Return the accounts that may be at the other end of ``connection``; none where the system does not say."""
    if connection.family == socket.AF_UNIX:
        # Those of the moment in which the server began to listen: SO_PEERCRED in unix(7).
        option = getattr(socket, "SO_PEERCRED", None)
        return {struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, option, 12))[1]} if option else set()
    return set(listening_accounts(connection.getpeername()[1]))


def listening_accounts(port: int) -> Iterator[int]:
    """Yield the account of each server at a TCP ``port``, whatever its address (proc_net_tcp in proc_net(5))."""
    for table in TABLES:
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == LISTENS and int(words[1].rpartition(":")[2], 16) == port:
                    yield int(words[7])

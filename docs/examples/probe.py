"""Ask a site's own process whether it is ready: probe.py SOCKET. Exit codes: 0 it is, 1 it is not."""

from __future__ import annotations

import socket
import struct
import sys

SECONDS = 10


def packet(variables: dict[str, str]) -> bytes:
    """Return a request of the uwsgi protocol (https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html)."""
    parts = [part.encode() for pair in variables.items() for part in pair]
    body = b"".join(struct.pack("<H", len(part)) + part for part in parts)
    return struct.pack("<BHB", 0, len(body), 0) + body


def status(path: str, target: str = "/-/ready/") -> int:
    """Return the status code of the answer to GET ``target`` on the unix socket ``path``."""
    variables = {"REQUEST_METHOD": "GET", "REQUEST_URI": target, "PATH_INFO": target, "QUERY_STRING": ""}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
        connection.sendall(packet({**variables, "SERVER_NAME": "probe", "SERVER_PORT": "80"}))
        line = connection.makefile("rb").readline()
    return int(line.split()[1])


if __name__ == "__main__":
    try:
        sys.exit(0 if status(sys.argv[1]) == 200 else 1)
    except (OSError, IndexError, ValueError) as error:
        sys.exit(f"No answer: {error}")

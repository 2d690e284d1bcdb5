"""uWSGI's emperor with the configuration that was emitted, and the uwsgi protocol that nginx speaks to a site."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from tests.servers.accounts import SITES
from tests.servers.nginx import SECONDS
from tests.servers.processes import running, wait_for

PROGRAM = Path("/usr/bin/uwsgi-core")
PLUGIN = Path("/usr/lib/uwsgi/plugins/python3_plugin.so")
LOG_CHARACTERS = 4000


def refuse_other_python() -> None:
    """Raise AssertionError when these tests, whose environment the sites use, have not the Python of Debian's uWSGI."""
    embedded = PLUGIN.resolve().name.partition("_")[0]
    own = f"python{sys.version_info.major}{sys.version_info.minor}"
    assert own == embedded, f"Debian's uWSGI has {embedded}; run these tests in an environment of /usr/bin/python3."


@contextlib.contextmanager
def running_emperor(
    config: Path, log: Path, environ: Mapping[str, str], sockets: Mapping[str, Path]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the emperor and wait until every site answers at its socket."""
    # The emperor goes back to the folder that it was started in at every look at its vassals.
    with running(SITES.command(PROGRAM, "--ini", config), log, environ, cwd=Path("/")) as process:
        try:
            for site, path in sockets.items():
                wait_for(partial(ended_or_live, process, path), f"the site {site}", 120)
            assert process.poll() is None, "The emperor ended by itself."
        except AssertionError as error:
            raise AssertionError(f"{error}\n{log.read_text(errors='replace')[-LOG_CHARACTERS:]}") from None
        yield process


def ended_or_live(process: subprocess.Popen[bytes], path: Path) -> bool:
    return process.poll() is not None or is_live(path)


def is_live(path: Path) -> bool:
    try:
        return "200 OK" in ask(path, "/-/live/")
    except (ConnectionRefusedError, FileNotFoundError):
        return False


def ask(path: Path, url: str, method: str = "GET") -> str:
    """Return the answer, headers and all, of the site at the socket ``path``, asked as a probe on the machine asks."""
    variables = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": url,
        "PATH_INFO": url,
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "probe",
        "SERVER_PORT": "80",
        "HTTP_HOST": "probe",
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(str(path))
        connection.sendall(packet(variables))
        received = b""
        while block := connection.recv(65536):
            received += block
    return received.decode()


def packet(variables: Mapping[str, str]) -> bytes:
    """Return a request of the uwsgi protocol (https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html)."""
    body = b"".join(sized(name) + sized(value) for name, value in variables.items())
    return struct.pack("<BHB", 0, len(body), 0) + body


def sized(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<H", len(data)) + data

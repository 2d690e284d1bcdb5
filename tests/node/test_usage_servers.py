"""What a real nginx logs of hostile requests is counted for the site that it chose, and each request once."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emitters.conftest import make_site, written
from tests.emitters.test_nginx_servers import local_plan
from tests.servers.processes import running, wait_for
from wagtail_multihost.node.access_log import Place, read_log

pytestmark = pytest.mark.servers

FORGED = '","scheme":"http","status":200,"bytes":999999999,"seconds":0'


class Front:
    """nginx in ``folder``, and how far its log was read."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "logs" / "access.log"
        self.places: tuple[Place, ...] | None = None

    def ask(self, host: str, path: str = "/", agent: str = "x") -> bytes:
        """Return the body of an answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.folder / "http.sock"))
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode())
            data = b""
            while block := connection.recv(65536):
                data += block
        return data.partition(b"\r\n\r\n")[2]

    def count(self) -> dict[str, tuple[int, int]]:
        reading = read_log(self.log, self.places)
        self.places = reading.places
        return {key.site: (number, reading.counted.bytes[key]) for key, number in reading.counted.requests.items()}


@pytest.fixture(name="front")
def _front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        folder = Path(name)
        plan = local_plan(folder, make_site("aurora"), make_site("borealis"), sockets=folder / "none")
        config = written("nginx", plan) / "nginx/nginx.conf"
        command = ["nginx", "-e", "stderr", "-c", str(config), "-g", "daemon off;"]
        with running(command, folder / "nginx.log") as process:
            wait_for(lambda: process.poll() is not None or (folder / "http.sock").exists(), "nginx")
            front = Front(folder)
            wait_for(front.log.exists, "the log")
            front.count()
            yield front


def test_requests_count_for_the_site_that_nginx_chose(front: Front) -> None:
    hosts = {site: make_site(site).canonical for site in ("aurora", "borealis")}
    sent = 0
    hostile = f"/?x={FORGED.replace(' ', '')}"
    for agent in ("x", FORGED, f"\\{FORGED}", '{"time":"2026-12-01T16:00:00+00:00","site":"borealis"', "\x80\xff"):
        sent += len(front.ask(hosts["aurora"], hostile, agent))
    front.ask("unknown.example.net", hostile)
    wait_for(lambda: front.log.read_bytes().count(b"\n") >= 6, "the lines")
    assert front.count() == {"aurora": (5, sent)}
    other = len(front.ask(hosts["borealis"]))
    wait_for(lambda: front.log.read_bytes().count(b"\n") >= 7, "the line")
    assert front.count() == {"borealis": (1, other)}


def test_rotated_log_loses_nothing(front: Front) -> None:
    host = make_site("aurora").canonical
    front.ask(host)
    renamed = front.log.rename(front.log.with_name("access.log.1"))
    front.ask(host)
    wait_for(lambda: renamed.read_bytes().count(b"\n") >= 2, "the lines")
    os.kill(int((front.folder / "nginx.pid").read_text()), signal.SIGUSR1)
    wait_for(front.log.exists, "the new log")
    front.ask(host)
    wait_for(lambda: front.log.read_bytes().count(b"\n") >= 1, "the line")
    assert front.count()["aurora"][0] == 3
    assert front.count() == {}

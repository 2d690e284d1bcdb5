"""uWSGI's, systemd's and gunicorn's own word on variables: a site's process sees exactly what was stated."""

from __future__ import annotations

import json
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, texts, written
from tests.emitters.test_systemd_servers import folder as readable_folder  # noqa: F401  # a fixture
from tests.emitters.test_systemd_servers import loaded
from tests.emitters.test_variables import NASTY
from tests.emitters.units import command, environment, last, read_unit
from tests.servers.processes import accepts, running, wait_for
from tests.servers.router import BUILDS, VIRTUALENVS, program
from tests.servers.uwsgi import packet
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

pytestmark = pytest.mark.servers

APPLICATION = """
import json
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: value for name, value in os.environ.items() if name[:1] == "V"}).encode()]
"""


@pytest.fixture(name="place")
def _place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        Path(name, "trivial.py").write_text(APPLICATION)
        Path(name, "run").mkdir()
        yield Path(name)


def make(folder: Path, virtualenv: Path, **platform: object) -> Plan:
    return make_plan(
        make_site("aurora", env=tuple(NASTY.items())),
        directory=folder,
        platform=make_platform(sockets=folder / "run", **platform),
        codebase=make_codebase(directory=folder, virtualenv=virtualenv, wsgi="trivial:application"),
    )


def answer(path: Path, request: bytes) -> bytes:
    """Return what the site at a socket answers, headers and all; blank while nobody listens."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(path))
            connection.sendall(request)
            received = b""
            while block := connection.recv(65536):
                received += block
            return received
    except (ConnectionRefusedError, FileNotFoundError):
        return b""


def variables_in(received: bytes) -> dict[str, str]:
    return dict(json.loads(received.partition(b"\r\n\r\n")[2]))


@pytest.mark.parametrize("build", BUILDS)
def test_uwsgi_gives_a_site_its_very_variables(place: Path, build: str) -> None:
    """Percent signs, dollars, quotes, signs of comments and other scripts arrive as they were stated."""
    plan = make(place, VIRTUALENVS[build], uwsgi=UwsgiOptions(build=build, processes=1))  # type: ignore[arg-type]
    ini = written("uwsgi", plan) / "uwsgi/aurora.ini"
    path = place / "run/aurora.sock"
    request = packet({"REQUEST_METHOD": "GET", "REQUEST_URI": "/", "PATH_INFO": "/", "QUERY_STRING": ""})
    with running([program(build), "--ini", ini], place / "log", {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}):
        wait_for(lambda: answer(path, request), "the site", 60)
        found = variables_in(answer(path, request))
    assert {name: found.get(name) for name in NASTY} == NASTY


def test_gunicorn_gives_a_site_its_very_variables(place: Path) -> None:
    """Started as its unit says, which is read as systemd reads it."""
    plan = make(place, Path(sys.prefix), runner="gunicorn", systemd=SystemdOptions(workers=1))
    written("systemd", plan)
    emitted = texts("systemd", plan)
    unit = read_unit(emitted["systemd/multihost@.service"], emitted["systemd/multihost@aurora.service.d/50-site.conf"])
    path = place / "run/aurora.sock"
    variables = [word for pair in environment(unit, "aurora").items() for word in ("-E", "=".join(pair))]
    start = command(last(unit, "Service", "ExecStart"), "aurora")
    with running(["systemd-socket-activate", "-l", path, *variables, *start], place / "log", cwd=place):
        wait_for(lambda: accepts(path), "the socket", 30)
        found = variables_in(answer(path, b"GET / HTTP/1.0\r\nHost: aurora.example.org\r\n\r\n"))
    assert {name: found.get(name) for name in NASTY} == NASTY


def test_systemd_itself_reads_the_very_variables(readable_folder: Path) -> None:  # noqa: F811
    """What systemd has made of the site's unit has each assignment, for the service and for what publishes."""
    systemd = SystemdOptions(publish=30)
    plan = make_plan(
        make_site("aurora", env=tuple(NASTY.items())),
        platform=make_platform(runner="gunicorn", user="site-{site}", systemd=systemd),
    )
    for unit in ("multihost@aurora.service", "multihost-publish@aurora.service"):
        found = loaded(readable_folder, plan, unit)["Environment"]
        assert [f"{name}={value}" for name, value in NASTY.items() if f"{name}={value}" not in found] == []

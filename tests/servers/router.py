"""uWSGI alone: an emperor with its HTTP router, and one site of a trivial application behind it, in both builds."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, written
from tests.servers.processes import running
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

BUILDS = ("pyuwsgi", "debian")
# Debian's build has Debian's Python; the application needs nothing but that.
VIRTUALENVS = {"pyuwsgi": Path(sys.prefix), "debian": Path("/usr")}
APPLICATION = """
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.environ['MULTIHOST_SITE']} {environ['PATH_INFO']}".encode()]
"""


def program(build: str) -> str:
    """Return uWSGI's binary of a build."""
    return str(Path(sys.executable).with_name("uwsgi")) if build == "pyuwsgi" else "/usr/bin/uwsgi-core"


def local_plan(folder: Path, build: Any, port: int = 8000, odd: str = "o [x]*\\ \"'é=#;") -> Plan:
    """Return a plan of one site that runs a trivial application, with oddly named folders."""
    for name in ("run", f"code {odd}/trivial", f"data {odd}/documents", f"static {odd}", f"conf {odd}"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / f"code {odd}/trivial/wsgi.py").write_text(APPLICATION)
    site = make_site(
        "aurora",
        hostnames=("aurora.example.org", "www.aurora.example.org"),
        storage=StorageSpec(backend="files", path=folder / f"data {odd}"),
    )
    uwsgi = UwsgiOptions(build=build, http=f"127.0.0.1:{port}", processes=1)
    return make_plan(
        site,
        directory=folder / f"conf {odd}",
        registry=str(folder / f"sites {odd}.toml"),
        platform=make_platform(sockets=folder / "run", origin=f"http://{{hostname}}:{port}", uwsgi=uwsgi),
        codebase=make_codebase(
            directory=folder / f"code {odd}",
            virtualenv=VIRTUALENVS[build],
            wsgi="trivial.wsgi:application",
            static_root=folder / f"static {odd}",
        ),
    )


@contextmanager
def emperor(plan: Plan, folder: Path, build: str) -> Iterator[None]:
    """Run the plan's emperor."""
    ini = written("uwsgi", plan) / "uwsgi-emperor/emperor.ini"
    log = folder / "emperor.log"
    with running([program(build), "--ini", ini], log):
        yield


def get(
    port: int, path: str, *, host: str = "aurora.example.org", headers: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """Return status, body and Location of a path; status 0 when nobody answers yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers.get("Location", "")
    except (ConnectionError, http.client.HTTPException):
        return 0, "", ""
    finally:
        connection.close()

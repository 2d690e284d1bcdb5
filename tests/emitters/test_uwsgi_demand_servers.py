"""Sites on demand beside sites that always run, under one account, in both builds of uWSGI."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, written
from tests.servers.processes import is_running, running, wait_for
from tests.servers.router import BUILDS, VIRTUALENVS, program
from tests.servers.uwsgi import ask
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.uwsgi import UwsgiOptions

pytestmark = pytest.mark.servers

APPLICATION = """
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.environ['MULTIHOST_SITE']} {os.getpid()}".encode()]
"""


def plan_below(folder: Path, build: Any) -> Plan:
    """Return a plan of a site that always runs and one on demand."""
    for name in ("run", "code"):
        (folder / name).mkdir()
    (folder / "code/trivial.py").write_text(APPLICATION)
    return make_plan(
        make_site("aurora"),
        make_site("borealis", uwsgi=(("on_demand", True), ("idle", 1))),
        directory=folder / "conf",
        platform=make_platform(sockets=folder / "run", uwsgi=UwsgiOptions(build=build, processes=1)),
        codebase=make_codebase(
            directory=folder / "code", virtualenv=VIRTUALENVS[build], wsgi="trivial:application", static_root=None
        ),
    )


def process_of(plan: Plan, site: str) -> int:
    """Return the process that answers for a site, 0 where none does."""
    try:
        body = ask(plan.platform.sockets / f"{site}.sock", "/").rpartition("\r\n")[2]
    except OSError:
        return 0
    name, _, pid = body.partition(" ")
    return int(pid) if name == site else 0


def answering(plan: Plan, site: str) -> Callable[[], int]:
    return lambda: process_of(plan, site)


@pytest.mark.parametrize("build", BUILDS)
def test_site_on_demand_comes_and_goes_beside_one_that_stays(build: str) -> None:
    """The emperor holds the socket; the site starts with a request, ends when idle, and starts again."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        plan = plan_below(Path(name), build)
        ini = written("uwsgi", plan) / "uwsgi-emperor/emperor.ini"
        with running([program(build), "--ini", ini], Path(name, "log"), {"PATH": "/usr/bin:/bin"}, Path("/")):
            wait_for(answering(plan, "aurora"), "the site that always runs")
            stays, seen = process_of(plan, "aurora"), []
            for _ in range(2):
                wait_for(answering(plan, "borealis"), "the site on demand")
                seen.append(process_of(plan, "borealis"))
                wait_for(lambda: not is_running(seen[-1]), "the end of the site on demand")
            assert len(set(seen)) == 2
            assert process_of(plan, "aurora") == stays

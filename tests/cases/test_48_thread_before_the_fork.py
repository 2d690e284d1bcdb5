"""
Threads that run in uWSGI's master while it forks its workers: those hung for ever (https://github.com/unbit/uwsgi/issues/2387),
and the option that lets Python know of a fork started no worker on Python 3.13 (https://github.com/unbit/uwsgi/issues/2710).
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.processes import free_port, wait_for
from tests.servers.router import emperor, get, local_plan
from wagtail_multihost.spec.uwsgi import UwsgiOptions

#: A thread that is busy, as one of Sentry's or of a pool may be, until after the workers have been forked.
APPLICATION = """
import threading, time

def work():
    until = time.monotonic() + 3
    while time.monotonic() < until:
        pass

threading.Thread(target=work, daemon=True).start()

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]
"""


@pytest.mark.parametrize("build", ["pyuwsgi", pytest.param("debian", marks=pytest.mark.servers)])
def test_workers_start_while_a_thread_of_the_master_is_busy(build: str) -> None:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="mh") as name:
        folder = Path(name)
        plan = local_plan(folder, build, port, odd="o")
        uwsgi = UwsgiOptions(build=build, http=f"127.0.0.1:{port}", processes=2)
        plan = replace(plan, platform=plan.platform.with_options(uwsgi))
        (plan.codebase.directory / "trivial/wsgi.py").write_text(APPLICATION)
        with emperor(plan, folder, build):
            wait_for(lambda: get(port, "/") == (200, "served", ""), "the site")
        log = (folder / "emperor.log").read_text()
    assert "Fatal Python error" not in log
    assert "respawn" not in log.lower()

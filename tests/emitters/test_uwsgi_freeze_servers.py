"""What both builds of uWSGI load before they fork, and out of the way of the collector."""

from __future__ import annotations

import contextlib
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, written
from tests.servers.processes import running, wait_for
from tests.servers.router import BUILDS, VIRTUALENVS, program
from tests.servers.uwsgi import ask
from wagtail_multihost.spec.uwsgi import UwsgiOptions

pytestmark = pytest.mark.servers

#: Says who loaded it, what the site was then, what is frozen, and what a folder of its own adds.
APPLICATION = """
import gc, json, os
from extra import WORD

LOADED = [os.getpid(), os.environ.get("MULTIHOST_SITE")]

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([*LOADED, os.getpid(), gc.get_freeze_count(), WORD]).encode()]
"""


def answer(path: Path) -> Any:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(ask(path, "/").partition("\r\n\r\n")[2])


@pytest.mark.parametrize("freeze", [True, False])
@pytest.mark.parametrize("build", BUILDS)
def test_own_code_is_loaded_and_frozen_before_the_fork(build: Any, freeze: bool) -> None:
    """A site's own code runs with its folders and variables, and with freeze the workers collect none of it."""
    with tempfile.TemporaryDirectory(prefix="multihost-") as name:
        folder = Path(name)
        for part in ("run", "own code", "own code/extra [x]", "conf 'x'"):
            (folder / part).mkdir()
        (folder / "own code/shell.py").write_text(APPLICATION)
        (folder / "own code/extra [x]/extra.py").write_text("WORD = 'own'")
        code = (
            ("directory", folder / "own code"),
            ("wsgi", "shell:application"),
            ("pythonpath", (str(folder / "own code/extra [x]"),)),
        )
        plan = make_plan(
            make_site("aurora", code=code),
            directory=folder / "conf 'x'",
            platform=make_platform(sockets=folder / "run", uwsgi=UwsgiOptions(build=build, freeze=freeze)),
            codebase=make_codebase(virtualenv=VIRTUALENVS[build]),
        )
        ini = written("uwsgi", plan) / "uwsgi-emperor/emperor.ini"
        with running([program(build), "--ini", ini], folder / "log"):
            wait_for(partial(answer, folder / "run/aurora.sock"), "the site")
            loader, site, worker, frozen, word = answer(folder / "run/aurora.sock")
    assert (site, word, loader != worker) == ("aurora", "own", True)
    assert (frozen > 1000) == freeze

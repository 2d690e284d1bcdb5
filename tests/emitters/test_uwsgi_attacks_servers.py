"""What the code of a hostile site tries around its uWSGI: the ways that were found open, and are closed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

import pytest

from tests.accounts import needs_root, passable_folder
from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, written
from tests.servers.processes import running, wait_for
from tests.servers.uwsgi import PROGRAM, ask
from wagtail_multihost.emitters import Plan, Stage, emitters
from wagtail_multihost.spec.uwsgi import UwsgiOptions

pytestmark = [pytest.mark.servers, needs_root]

#: An account that every Debian has, with a group of the same name.
HOSTILE = "games"
#: Python runs the line of a .pth file while it starts (https://docs.python.org/3/library/site.html).
TRAP = 'import os; open({trace!r}, "a").write(str(os.getresuid()))\n'


@pytest.fixture
def folder() -> Iterator[Path]:
    with passable_folder() as path:
        yield path


def trapped(folder: Path) -> Path:
    """Make the site's own virtual environment, whose Python says in a file who it is; return the file."""
    own = folder / "venv"
    packages = own / "lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    (own / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (own / "bin").mkdir()
    (own / "bin/python3").symlink_to("/usr/bin/python3")
    (packages / "trap.pth").write_text(TRAP.format(trace=str(folder / "trace")))
    return folder / "trace"


def plan_below(folder: Path, user: str) -> Plan:
    """Return a plan of a site that brings its own code."""
    for name in ("code", "run"):
        (folder / name).mkdir()
    options = UwsgiOptions(build="debian")
    return make_plan(
        make_site(HOSTILE, code=(("virtualenv", folder / "venv"), ("directory", folder / "code"))),
        directory=folder / "etc",
        platform=make_platform(user=user, sockets=folder / "run", uwsgi=options),
        codebase=make_codebase(directory=folder / "code", virtualenv=Path("/usr")),
    )


@pytest.mark.parametrize("user", ["{site}", "www-data"], ids=["own accounts", "one account"])
def test_root_validates_a_vassal_without_starting_the_python_of_its_site(folder: Path, user: str) -> None:
    """A site that writes its own virtual environment has none of it run when root applies the configuration."""
    trace = trapped(folder)
    plan = plan_below(folder, user)
    changed = frozenset({PurePosixPath(f"uwsgi/{HOSTILE}.ini")})
    (validation,) = emitters()["uwsgi"].validate(Stage(plan, written("uwsgi", plan), changed))
    result = subprocess.run(validation.command, capture_output=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert not trace.exists(), f"Ran as {trace.read_text()}."


def test_the_trap_works(folder: Path) -> None:
    """The same environment, given to uWSGI with nothing to stop it, runs its line: the test above can fail."""
    trace = trapped(folder)
    command = ["/usr/bin/uwsgi-core", "--plugins", "python3", "--virtualenv", str(folder / "venv"), "--no-server"]
    subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert trace.read_text().startswith("(0, 0, 0)")


#: What a site does that would use up the machine: start processes until it may not.
FORKS = """
import os, signal, time

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    started, refused = [], b"never refused"
    try:
        for _ in range(60):
            child = os.fork()
            if not child:
                time.sleep(60)
                os._exit(0)
            started.append(child)
    except BlockingIOError:
        refused = b"refused"
    for child in started:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return [refused]
"""


def test_a_site_starts_no_more_processes_than_its_account_may_have(folder: Path) -> None:
    """A fork bomb ends at the limit of the site's own account; the kernel refuses, and the site cannot raise it."""
    plan = plan_below(folder, "{site}")
    (folder / "code/bomb.py").write_text(FORKS)
    site = replace(plan.sites[0], options=(("uwsgi", (("tasks", 30), ("processes", 1))),), code=())
    codebase = make_codebase(directory=folder / "code", virtualenv=Path("/usr"), wsgi="bomb:application")
    ini = written("uwsgi", replace(plan, sites=(site,), codebase=codebase)) / "uwsgi-emperor/emperor.ini"
    socket = folder / f"run/{HOSTILE}.sock"
    with running([PROGRAM, "--ini", ini], folder / "log", {"PATH": "/usr/bin:/bin"}, Path("/")):
        wait_for(partial(answers, socket), "the site")
        assert ask(socket, "/").endswith("\r\n\r\nrefused")


def answers(socket: Path) -> bool:
    try:
        return "200 OK" in ask(socket, "/")
    except OSError:
        return False

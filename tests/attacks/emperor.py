"""An emperor that is root, started from emitted files, and sites with an account each that run what an attack says."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site
from tests.servers.processes import end, wait_for
from tests.servers.uwsgi import PROGRAM, ask
from wagtail_multihost.emitters import Plan, emit
from wagtail_multihost.emitters.output import compare, write
from wagtail_multihost.spec.uwsgi import UwsgiOptions

#: Accounts that every Debian has, with a group of the same name: the sites are named like them.
HOSTILE, NEIGHBOUR = "games", "news"
#: Runs the functions of the attack's ATTACKS by the request's path, and answers with what they return or raise.
SHELL = """
import json, os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    try:
        answer = {"value": ATTACKS[environ["PATH_INFO"].strip("/")]()}
    except Exception as error:
        answer = {"error": type(error).__name__}
    return [json.dumps(answer).encode()]
"""


@dataclass(frozen=True)
class House:
    """A running emperor and the plan that its files are of."""

    plan: Plan
    emperor: subprocess.Popen[bytes]

    def let(self, site: str, attack: str) -> Any:
        """Let a site's code do ``attack``; return what came of it, or the name of the exception."""
        answer = ask(self.plan.platform.sockets / f"{site}.sock", f"/{attack}")
        found = json.loads(answer.partition("\r\n\r\n")[2])
        return found.get("value", found.get("error"))

    def answers(self, site: str) -> bool:
        try:
            return bool(self.let(site, "site") == site)
        except (OSError, ValueError):
            return False


def house_plan(folder: Path, attacks: str, virtualenv: Path = Path("/usr"), **options: object) -> Plan:
    """
    Return a plan of two sites with folders as the guide lays them out, whose code is ``attacks`` and the shell; the
    platform has ``options`` on top.
    """
    data, sockets, code = (folder / name for name in ("data", "run", "code"))
    for path, mode in ((data, 0o711), (data / "sites", 0o711), (code, 0o755), (sockets, 0o750)):
        path.mkdir()
        path.chmod(mode)
    shutil.chown(sockets, "root", "www-data")
    site = 'ATTACKS["site"] = lambda: os.environ["MULTIHOST_SITE"]\n'
    (code / "shell.py").write_text(f"{attacks}\n{SHELL}\n{site}")
    for name in (HOSTILE, NEIGHBOUR):
        for path in (data / "sites" / name, data / "sites" / name / "tmp"):
            path.mkdir(mode=0o750)
            shutil.chown(path, name, name)
    return make_plan(
        make_site(HOSTILE),
        make_site(NEIGHBOUR),
        directory=folder / "etc",
        platform=make_platform(
            **{
                "user": "{site}",
                "data": data,
                "sockets": sockets,
                "uwsgi": UwsgiOptions(build="debian", processes=1),
                **options,
            }
        ),
        codebase=make_codebase(directory=code, virtualenv=virtualenv, wsgi="shell:application"),
        registry="/nowhere",
    )


@contextlib.contextmanager
def opened_house(
    folder: Path, attacks: str, log: IO[bytes] | int, within: Sequence[str | Path] = (), **options: object
) -> Iterator[House]:
    """Start the emperor with its output in ``log``, by the words ``within`` where they are given."""
    plan = house_plan(folder, attacks, **options)  # type: ignore[arg-type]
    write(plan.directory, *compare(plan.directory, emit("uwsgi", plan)))
    config = plan.directory / "uwsgi-emperor/emperor.ini"
    process = subprocess.Popen(
        [str(word) for word in (*within, "setpriv", "--no-new-privs", PROGRAM, "--ini", config)],
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        house = House(plan, process)
        for site in (HOSTILE, NEIGHBOUR):
            wait_for(partial(house.answers, site), f"the site {site}")
        yield house
    finally:
        end(process)

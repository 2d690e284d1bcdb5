"""An emperor that is root, and sites whose code is hostile, each under an account of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.accounts import needs_root, passable_folder
from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site
from tests.servers.processes import accepts, children, running, wait_for
from tests.servers.uwsgi import PROGRAM, ask
from wagtail_multihost.emitters import Plan, Stage, emit, emitters
from wagtail_multihost.emitters.output import State, compare, write
from wagtail_multihost.spec.uwsgi import UwsgiOptions

pytestmark = [pytest.mark.servers, needs_root]

#: Accounts that every Debian has, with a group of the same name: the sites are named like them.
HOSTILE, NEIGHBOUR, SLEEPER = "games", "news", "man"
MARK = "belongs to news"
#: Does what the request's path says, and answers with what came of it.
APPLICATION = """
import gc, json, os, resource, socket

LOADED = os.getpid()

def status():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return {key: lines[key].split() for key in ("Uid", "Gid", "Groups", "CapEff", "CapPrm", "CapInh", "NoNewPrivs")}

def connect(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)

def append(path):
    open(path, "a").close()

ACTIONS = {
    "read": lambda path: open(path, "rb").read().decode(errors="replace"),
    "list": os.listdir,
    "append": append,
    "unlink": os.unlink,
    "connect": connect,
    "signal": lambda path: os.kill(int(path.strip("/")), 0),
    "root": lambda path: os.setuid(0),
    "status": lambda path: status(),
    "loaded": lambda path: [LOADED, os.getpid(), gc.get_freeze_count()],
    "memory": lambda path: resource.getrlimit(resource.RLIMIT_AS),
}

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    _, action, path = environ["PATH_INFO"].split("/", 2)
    try:
        answer = {"site": os.environ["MULTIHOST_SITE"], "value": ACTIONS[action]("/" + path)}
    except OSError as error:
        answer = {"error": type(error).__name__}
    return [json.dumps(answer).encode()]
"""


@dataclass(frozen=True)
class House:
    """A running emperor, the plan that its files are of, and its log."""

    plan: Plan
    emperor: subprocess.Popen[bytes]
    log: Path

    def socket(self, site: str) -> Path:
        return self.plan.platform.sockets / f"{site}.sock"

    def ask(self, site: str, action: str, path: object = "") -> dict[str, Any]:
        """Let a site's code do something; return what it says."""
        answer = ask(self.socket(site), f"/{action}/{str(path).lstrip('/')}")
        return dict(json.loads(answer.partition("\r\n\r\n")[2]))

    def answers(self, site: str) -> bool:
        try:
            return bool(self.ask(site, "status")["site"] == site)
        except (OSError, ValueError):
            return False


@pytest.fixture(name="house", scope="module")
def _house() -> Iterator[House]:
    with passable_folder() as folder:
        plan = plan_below(folder)
        write_files(plan)
        log = folder / "emperor.log"
        ini = plan.directory / "uwsgi-emperor/emperor.ini"
        with running(
            ["setpriv", "--no-new-privs", PROGRAM, "--ini", ini], log, {"PATH": "/usr/bin:/bin"}, Path("/")
        ) as it:
            house = House(plan, it, log)
            for site in (HOSTILE, NEIGHBOUR):
                wait_for(partial(house.answers, site), f"the site {site}")
            wait_for(partial(accepts, house.socket(SLEEPER)), "the socket of the site on demand")
            yield house


def plan_below(folder: Path) -> Plan:
    """Return a plan of three sites, whose folders and files are laid out as the guide says."""
    data, sockets, snapshots, code = (folder / name for name in ("data", "run", "snapshots", "code"))
    for path, mode in ((data, 0o711), (data / "sites", 0o711), (snapshots, 0o711), (code, 0o755), (sockets, 0o750)):
        path.mkdir()
        path.chmod(mode)
    shutil.chown(sockets, "root", "www-data")
    (code / "shell.py").write_text(APPLICATION)
    for site in (HOSTILE, NEIGHBOUR, SLEEPER):
        own = data / "sites" / site
        for path in (own, own / "tmp", own / "media"):
            path.mkdir(mode=0o750)
            shutil.chown(path, site, site)
        for path in (own / "db.sqlite3", own / "media/upload.txt"):
            path.write_text(f"belongs to {site}")
            path.chmod(0o640)
            shutil.chown(path, site, site)
        snapshot = snapshots / f"{site}.json"
        snapshot.write_text(f"belongs to {site}")
        snapshot.chmod(0o440)
        shutil.chown(snapshot, "root", site)
    options = UwsgiOptions(build="debian", processes=1, memory="1g", stats=True)
    return make_plan(
        make_site(HOSTILE),
        make_site(NEIGHBOUR),
        make_site(SLEEPER, uwsgi=(("on_demand", True), ("idle", 1))),
        directory=folder / "etc",
        platform=make_platform(user="{site}", data=data, sockets=sockets, snapshots=snapshots, uwsgi=options),
        codebase=make_codebase(directory=code, virtualenv=Path("/usr"), wsgi="shell:application"),
        registry=str(snapshots),
    )


def write_files(plan: Plan) -> None:
    changes = [change for change in compare(plan.directory, emit("uwsgi", plan)) if change.state is not State.SAME]
    write(plan.directory, *changes)


def test_a_site_has_no_privilege_and_no_group_but_its_own(house: House) -> None:
    """A hostile site's process has its own uid and gid four times, no other group, no capability, and gets none."""
    status = house.ask(HOSTILE, "status")["value"]
    assert (set(status["Uid"]), set(status["Gid"])) == ({"5"}, {"60"})
    assert (status["Groups"], status["NoNewPrivs"]) == ([], ["1"])
    assert {int(status[key][0], 16) for key in ("CapEff", "CapPrm", "CapInh")} == {0}
    assert house.ask(HOSTILE, "root") == {"error": "PermissionError"}


def test_a_site_reads_nothing_of_its_neighbour(house: House) -> None:
    """Neither configuration, snapshot, database, upload nor environment; its own files it reads."""
    neighbour = house.plan.platform.data / "sites" / NEIGHBOUR
    processes = [pid for pid in children(house.emperor.pid) if os.stat(f"/proc/{pid}/task").st_uid == 9]
    assert processes
    paths = [
        house.plan.directory / f"uwsgi/{NEIGHBOUR}.ini",
        Path(house.plan.registry) / f"{NEIGHBOUR}.json",
        neighbour / "db.sqlite3",
        neighbour / "media/upload.txt",
        *(Path(f"/proc/{pid}/{name}") for pid in processes for name in ("environ", "maps")),
    ]
    assert [house.ask(HOSTILE, "read", path) for path in paths] == [{"error": "PermissionError"}] * len(paths)
    for path in (Path(house.plan.registry), house.plan.platform.sockets, neighbour, neighbour / "tmp"):
        assert house.ask(HOSTILE, "list", path) == {"error": "PermissionError"}
    for path in (neighbour / "db.sqlite3", Path(house.plan.registry) / f"{NEIGHBOUR}.json"):
        assert house.ask(NEIGHBOUR, "read", path)["value"] == MARK


def test_a_site_reaches_no_socket(house: House) -> None:
    """Whoever connects to a socket of uWSGI can make it load code, so no site enters the folder, nor removes one."""
    for site in (HOSTILE, NEIGHBOUR, SLEEPER):
        for action in ("connect", "unlink"):
            assert house.ask(HOSTILE, action, house.socket(site)) == {"error": "PermissionError"}
    statistics = house.plan.platform.data / "sites" / NEIGHBOUR / "tmp/uwsgi.stats"
    assert statistics.exists()
    assert house.ask(HOSTILE, "connect", statistics) == {"error": "PermissionError"}


def test_a_site_changes_neither_its_limits_nor_the_emperor(house: House) -> None:
    """Its ini is root's, its memory limit is hard, and it may not signal the emperor or a neighbour."""
    ini = house.plan.directory / f"uwsgi/{HOSTILE}.ini"
    assert "limit-as = 1024" in house.ask(HOSTILE, "read", ini)["value"]
    assert house.ask(HOSTILE, "append", ini) == {"error": "PermissionError"}
    assert house.ask(HOSTILE, "append", ini.with_name("new.ini")) == {"error": "PermissionError"}
    assert house.ask(HOSTILE, "memory")["value"] == [1 << 30, 1 << 30]
    neighbours = [pid for pid in children(house.emperor.pid) if os.stat(f"/proc/{pid}/task").st_uid == 9]
    for pid in (house.emperor.pid, *neighbours):
        assert house.ask(HOSTILE, "signal", pid) == {"error": "PermissionError"}


def test_what_is_loaded_is_frozen_in_the_master(house: House) -> None:
    """The application is loaded in a process that is not the worker, and is out of its garbage collection."""
    loaded, worker, frozen = house.ask(HOSTILE, "loaded")["value"]
    assert loaded != worker
    assert frozen > 1000


def test_a_site_with_an_account_reloads_when_its_file_changes(house: House) -> None:
    """A reload reads the ini as the site's account, and leaves the neighbour's processes alone."""
    before, neighbour = house.ask(HOSTILE, "loaded")["value"][1], house.ask(NEIGHBOUR, "loaded")["value"][1]
    changed = replace(house.plan.sites[0], options=(("uwsgi", (("harakiri", 59),)),))
    # The emperor compares whole seconds.
    path = house.plan.directory / f"uwsgi/{HOSTILE}.ini"
    wait_for(lambda: time.time() >= int(path.stat().st_mtime) + 1, "the next second")
    write_files(replace(house.plan, sites=(changed, *house.plan.sites[1:])))
    wait_for(lambda: house.answers(HOSTILE) and house.ask(HOSTILE, "loaded")["value"][1] != before, "the reload")
    assert house.ask(HOSTILE, "status")["value"]["Uid"][0] == "5"
    assert house.ask(NEIGHBOUR, "loaded")["value"][1] == neighbour


def test_a_site_on_demand_starts_stops_and_starts_again(house: House) -> None:
    """It runs from its first request until it is idle, under its account, beside sites that always run."""
    for _ in range(2):
        wait_for(lambda: not running_as(house, 6), "the end of the site on demand")
        assert house.ask(SLEEPER, "status")["value"]["Uid"][0] == "6"
        assert running_as(house, 6)
    wait_for(lambda: not running_as(house, 6), "the end of the site on demand")
    assert house.answers(NEIGHBOUR)
    assert house.ask(SLEEPER, "connect", house.socket(SLEEPER)) == {"error": "PermissionError"}


def running_as(house: House, uid: int) -> list[int]:
    found = []
    for pid in children(house.emperor.pid):
        status = Path(f"/proc/{pid}/status")
        if status.exists() and f"Uid:\t{uid}\t" in status.read_text():
            found.append(pid)
    return found


def test_every_line_of_uwsgi_names_its_site(house: House) -> None:
    """What a vassal's uWSGI says in the log that all share starts with its site."""
    lines = house.log.read_text(errors="replace").splitlines()
    for site in (HOSTILE, NEIGHBOUR):
        assert any(line.startswith(f"[{site}] - spawned uWSGI worker") for line in lines)
    assert not any(line.startswith("spawned uWSGI worker") for line in lines)


def test_vassals_are_validated_without_running_the_sites_code(house: House, tmp_path: Path) -> None:
    """The command of a validation accepts what is emitted, refuses an unknown option, and loads no application."""
    path = PurePosixPath(f"uwsgi/{NEIGHBOUR}.ini")
    broken = tmp_path / path
    stage = Stage(house.plan, house.plan.directory, frozenset(file.path for file in emit("uwsgi", house.plan)))
    validations = list(emitters()["uwsgi"].validate(stage))
    # One for the two sites that always run, one for the site on demand.
    assert len(validations) == 2
    for validation in validations:
        result = subprocess.run(validation.command, capture_output=True, timeout=60, check=False)
        assert result.returncode == 0, result.stderr
        assert b"WSGI app" not in result.stderr and b"Python version" not in result.stderr
    broken.parent.mkdir()
    broken.write_text((house.plan.directory / f"uwsgi/{NEIGHBOUR}.ini").read_text() + "no-such-option = 1\n")
    (validation,) = emitters()["uwsgi"].validate(replace(stage, folder=tmp_path, changed=frozenset({path})))
    assert subprocess.run(validation.command, capture_output=True, timeout=60, check=False).returncode == 1

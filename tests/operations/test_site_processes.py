"""Reloading and restarting one site's processes under a real emperor, and beside a stand-in for systemd."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tests.accounts import needs_root
from tests.servers.processes import running, wait_for
from tests.servers.uwsgi import PROGRAM, ask, packet, refuse_other_python
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.node.job_kinds import MOST_A_MINUTE, Pace, served_site
from wagtail_multihost.node.jobs import LeaseKeeper, LeftError
from wagtail_multihost.node.patience import OwnPatience
from wagtail_multihost.node.site_commands import ADDRESS_SHOWN, LONGEST, make_order, without_addresses
from wagtail_multihost.node.site_processes import ASIDE, can_restart, put_back_vassals, reload_site, restart_site
from wagtail_multihost.nodeapi.job_kinds import KINDS
from wagtail_multihost.nodeapi.job_list import JobList, TakenJob
from wagtail_multihost.nodeapi.jobs_v1 import NODE
from wagtail_multihost.spec.codebase import Codebase

APP = """
import os, time
STARTED = f"{os.getpid()} {time.time()}"
def application(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        time.sleep(3600)
    start_response("200 OK", [("X-Started", STARTED), ("X-Master", str(os.getppid()))])
    return [b"fine"]
"""
INI = """
[uwsgi]
plugins = python3
chdir = {folder}
module = app
socket = {socket}
master = true
processes = 1
lazy-apps = false
die-on-term = true
"""


class Site:
    """The site aurora below a folder, served by nobody yet."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.spec = folder, a_site()
        self.socket = folder / "run" / self.spec.names.socket
        self.vassal = folder / "etc" / "uwsgi" / f"{self.spec.id}.ini"
        self.vassal.parent.mkdir(parents=True)
        self.socket.parent.mkdir()
        (folder / "app.py").write_text(APP)
        self.vassal.write_text(INI.format(folder=folder, socket=self.socket))
        self.platform: Any = SimpleNamespace(sockets=self.socket.parent)

    def options(self, *targets: str) -> Any:
        return SimpleNamespace(targets=targets or ("uwsgi",), output=self.folder / "etc")

    @property
    def started(self) -> str:
        """Which process answers, and since when."""
        try:
            found = ask(self.socket, "/")
        except OSError:
            return ""
        return "".join(line for line in found.split("\r\n") if line.startswith("X-"))


def keeper(seconds: float = 60, *, is_stopping: bool = False, is_ours: bool = True) -> LeaseKeeper:
    """Return what holds on to a job of nobody's; the database of a real one has tests of its own."""
    jobs = JobList(lambda statement, values: [(is_ours,)], "node_api_v1", "node", "test")
    job = TakenJob(uuid4(), uuid4(), 1, "restart-site", "aurora", None, {}, seconds)
    return LeaseKeeper(jobs, job, lambda: is_stopping)


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(name="served")
def _served(site: Site) -> Iterator[Site]:
    """Return the site while an emperor serves it."""
    refuse_other_python()
    words = [PROGRAM, "--master", "--emperor", f"{site.vassal.parent}/*.ini", "--emperor-freq", "1", "--die-on-term"]
    with running([*words, "--no-orphans"], site.folder / "log"):
        wait_for(lambda: site.started, "the site")
        yield site


@pytest.mark.servers
def test_site_is_reloaded_and_restarted(served: Site) -> None:
    """A reload loses no request: who asks meanwhile waits. A restart is by other processes altogether."""
    first = served.started
    text = served.vassal.read_bytes()
    reload_site(served.options(), served.spec, keeper())
    until = time.monotonic() + 30
    answers = []
    while time.monotonic() < until and len(set(answers)) < 2:
        answers.append(served.started)
    assert "" not in answers
    assert len({*answers, first}) == 2
    before = served.started
    said = restart_site(served.options(), served.platform, served.spec, keeper(), lambda: True)
    assert "are started again" in said
    wait_for(lambda: served.started, "the site again")
    assert served.started.partition("X-Master")[2] != before.partition("X-Master")[2]
    assert served.vassal.read_bytes() == text
    assert [path.name for path in served.vassal.parent.iterdir()] == [served.vassal.name]


@pytest.mark.servers
def test_site_that_hangs_answers_again_after_a_restart(served: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its only process answers nobody any more; the healer has it restarted."""
    before = served.started
    with closing(socket.socket(socket.AF_UNIX)) as hanging:
        hanging.connect(str(served.socket))
        hanging.sendall(packet({"REQUEST_METHOD": "GET", "PATH_INFO": "/hang"}))
        monkeypatch.setattr("tests.servers.uwsgi.SECONDS", 2)
        wait_for(lambda: not served.started, "the hanging process")
        restart_site(served.options(), served.platform, served.spec, OwnPatience(60, lambda: False), lambda: True)
    monkeypatch.undo()
    wait_for(lambda: served.started, "the site again")
    assert served.started.partition("X-Master")[2] != before.partition("X-Master")[2]


@pytest.mark.parametrize("why", ["stopping", "late"])
def test_healing_that_is_left_puts_the_file_back(site: Site, why: str) -> None:
    patience = OwnPatience(0 if why == "late" else 60, lambda: why == "stopping")
    with pytest.raises(MultihostError, match="The agent stops" if why == "stopping" else "not done in time"):
        restart_site(site.options(), site.platform, site.spec, patience, lambda: True)
    assert [path.name for path in site.vassal.parent.iterdir()] == [site.vassal.name]


@pytest.mark.parametrize(("targets", "can"), [(("nginx", "uwsgi"), True), (("systemd",), True), (("nginx",), False)])
def test_sites_are_restarted_by_what_runs_them(targets: tuple[str, ...], can: bool) -> None:
    options: Any = SimpleNamespace(targets=targets)
    assert can_restart(options) is can


@pytest.mark.parametrize("why", ["stopping", "late", "lost"])
def test_restart_that_is_left_puts_the_file_back(site: Site, why: str) -> None:
    """Told to stop, out of time, or cancelled: the site is served as before."""
    kept = keeper(0 if why == "late" else 60, is_stopping=why == "stopping", is_ours=why != "lost")
    kept.held_at -= 59
    with pytest.raises(MultihostError if why == "late" else LeftError):
        restart_site(site.options(), site.platform, site.spec, kept, lambda: True)
    assert [path.name for path in site.vassal.parent.iterdir()] == [site.vassal.name]


def test_file_that_a_killed_agent_took_away_is_put_back(site: Site) -> None:
    """Unless another one has been written since, which is newer."""
    text = site.vassal.read_text()
    aside = site.vassal.with_name(site.vassal.name + ASIDE)
    site.vassal.rename(aside)
    put_back_vassals(site.folder / "etc")
    assert (site.vassal.read_text(), aside.exists()) == (text, False)
    aside.write_text("older")
    put_back_vassals(site.folder / "etc")
    assert (site.vassal.read_text(), aside.exists()) == (text, False)


def test_site_that_is_taken_away_while_it_is_restarted_does_not_come_back(site: Site) -> None:
    """Whatever was applied meanwhile found no file of it to remove."""
    with pytest.raises(MultihostError, match="disabled or taken from this node"):
        restart_site(site.options(), site.platform, site.spec, keeper(), lambda: False)
    assert list(site.vassal.parent.iterdir()) == []


def test_reload_counts_whatever_the_clock_says(site: Site) -> None:
    """The emperor compares whole seconds, and takes a file that is not newer for the same one."""
    for seconds in (time.time(), time.time() + 3600):
        os.utime(site.vassal, (seconds, seconds))
        before = int(site.vassal.stat().st_mtime)
        reload_site(site.options(), site.spec, keeper())
        assert int(site.vassal.stat().st_mtime) > before


def test_link_in_a_vassals_place_is_not_followed(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("x")
    os.utime(other, (1, 1))
    site.vassal.unlink()
    site.vassal.symlink_to(other)
    reload_site(site.options(), site.spec, keeper())
    assert other.stat().st_mtime == 1


def test_node_without_a_carrier_says_so(site: Site) -> None:
    with pytest.raises(MultihostError, match="None of the targets"):
        reload_site(site.options("nginx"), site.spec, keeper())
    site.vassal.unlink()
    with pytest.raises(MultihostError, match="no vassal's file"):
        reload_site(site.options(), site.spec, keeper())


def test_systemd_is_told_the_sites_unit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in in systemctl's place writes down what it is told: systemd does not run where the tests do."""
    folder = site.folder / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {site.folder}/told\n[ "$1" != restart ]\n')
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    reload_site(site.options("systemd"), site.spec, keeper())
    with pytest.raises(MultihostError, match="exit code 1"):
        restart_site(site.options("systemd"), site.platform, site.spec, keeper(), lambda: True)
    told = (site.folder / "told").read_text().split("\n")
    assert told[:2] == ["try-restart multihost@aurora.service", "restart multihost@aurora.service"]


def test_job_of_another_site_of_the_name_is_refused(site: Site) -> None:
    """A site that was retired, or one of another registry: the uid tells them apart."""
    specs = SimpleNamespace(platform=site.platform, sites={"aurora": site.spec})
    agent: Any = SimpleNamespace(planner=SimpleNamespace(specs=specs))
    job = keeper().job
    assert served_site(agent, job._replace(uid=site.spec.uid)).site == site.spec
    for other in (job, job._replace(uid=uuid4()), job._replace(site="borealis", uid=site.spec.uid)):
        with pytest.raises(MultihostError, match="does not serve the site"):
            served_site(agent, other)


@needs_root
def test_root_runs_no_code_of_a_site(site: Site) -> None:
    """Without an account of the site's own there is nobody whom its code could run as."""
    with pytest.raises(MultihostError, match="no account of its own"):
        make_order(a_platform(snapshots=site.folder), site.spec, code_in(site.folder), ("check",), 10, {})


def test_code_of_a_site_keeps_no_job_of_others_waiting_for_long(site: Site) -> None:
    """A node does one job after the other, and the neighbours' have deadlines."""
    platform, code = a_platform(snapshots=site.folder, user="site-{site}"), code_in(site.folder)
    assert make_order(platform, site.spec, code, ("check",), 10, {})["seconds"] == 10
    assert make_order(platform, site.spec, code, ("check",), 900, {})["seconds"] == LONGEST
    assert min(kind.seconds for kind in KINDS.values() if kind.runner == NODE) > 3 * LONGEST


def code_in(folder: Path) -> Codebase:
    return Codebase(
        directory=folder, virtualenv=folder, wsgi="app:application", settings_module="app", static_root=None
    )


def test_processes_are_not_restarted_all_the_time() -> None:
    """One site's within ten seconds, all sites' within a minute: then whoever comes next waits."""
    pace = Pace()
    for number in range(MOST_A_MINUTE):
        pace.wait(f"site{number}", keeper())
    with pytest.raises(MultihostError, match="less than 10 seconds"):
        pace.wait("site3", keeper())
    with pytest.raises(LeftError):
        pace.wait("another", keeper(is_stopping=True))


def test_no_address_is_kept_of_what_a_site_prints() -> None:
    """Nor does hostile text hold up the agent: it would be searched for minutes if each letter began a new attempt."""
    assert (
        without_addresses("see https://x.example/secret now\n(ftp://y)") == f"see {ADDRESS_SHOWN} now\n{ADDRESS_SHOWN}"
    )
    assert without_addresses("x" * 2_000_000) == "x" * 2_000_000

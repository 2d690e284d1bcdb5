"""The control site of the example: a site that is saved there is served, and everything starts and stops together."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.accounts import needs_root, passable_folder
from tests.servers.accounts import OTHERS
from tests.servers.browser import REDIRECTS, Browser
from tests.servers.example import CHECKOUT, SITES, Run, copy_project, newcomer, press_ctrl_c, started, words_of
from tests.servers.processes import children, free_port, is_running, running, wait_for
from tests.servers.workshop import open_python

pytestmark = pytest.mark.servers

UP = "The control site: "
STARTED = "Stop with Ctrl-C."
START_SECONDS = 480  # on a busy machine; some twenty on an idle one
#: How long a saved site may take, on a busy machine; it takes some four seconds on an idle one.
SERVED_SECONDS = 60
BEGIN = """
from wagtail_multihost.control.authority import operator_authority
from wagtail_multihost.control.changes import CreateSite, EditSite, RetireSite
from wagtail_multihost.control.edits import merge_patch
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.registration import apply_changes

def apply(*changes):
    apply_changes(operator_authority("root"), changes)

def uid(site):
    return ManagedSite.objects.get(identifier=site, retired_at=None).uid

def edit(site, **keys):
    apply(EditSite(uid(site), merge_patch(keys)))

def create(site, *hostnames, **keys):
    apply(CreateSite(site, {"hostnames": list(hostnames), **keys}))
"""


def serve(project: Path, port: int, *words: str, python: Path = Path(sys.executable)) -> list[str | Path]:
    """Return the command, with this Python's packages: test_example_run.py installs them as a newcomer does."""
    return [python, project / "serve.py", "--port", str(port), *words]


@contextlib.contextmanager
def served(project: Path, log: Path, port: int) -> Iterator[tuple[Run, subprocess.Popen[bytes]]]:
    """Serve a project until its control site is up."""
    with started(serve(project, port), log) as process:
        wait_for(lambda: UP in log.read_text() or process.poll() is not None, "the control site", START_SECONDS)
        assert process.poll() is None, log.read_text()
        yield Run(project, port, process.pid, log.read_text()), process


@pytest.fixture(name="log", scope="module")
def _log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("control") / "run.log"


@pytest.fixture(name="run", scope="module")
def _run(log: Path) -> Iterator[Run]:
    project = copy_project(CHECKOUT / "example_project", log.parent / "example_project")
    with served(project, log, free_port()) as (run, _):
        yield run


@pytest.fixture(name="stopped")
def _stopped(run: Run, tmp_path: Path) -> Path:
    """A project whose data is that of the first, as if it had been stopped: without its control site."""
    left_out = shutil.ignore_patterns("run.lock", "control", "runtime")
    return Path(shutil.copytree(run.project, tmp_path / "example_project", symlinks=True, ignore=left_out))


def control(run: Run, code: str) -> str:
    """Return what Python code prints in the control project."""
    done = subprocess.run(
        [run.project / "data" / "control" / "manage", "shell", "-v0", "-c", f"{BEGIN}\n{code}"],
        env=newcomer(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def status(run: Run, host: str) -> int:
    """Return what a host answers with; 0 while uWSGI knows it and its process is not there yet."""
    try:
        return run.get(f"{host}:{run.port}").status
    except http.client.RemoteDisconnected:
        return 0


def wait_for_status(run: Run, host: str, expected: int) -> None:
    wait_for(lambda: status(run, host) == expected, f"{expected} from {host}", SERVED_SECONDS)


def facts_of(run: Run, site: str) -> dict[str, str]:
    """Return what a site's page says to be its own."""
    return dict(re.findall(r'<dt>(.*?)</dt><dd class="value">(.*?)</dd>', run.page(site, "/mine/")))


def postgres_of(run: Run) -> int:
    return int((run.project / "data" / "control" / "cluster" / "postmaster.pid").read_text().split()[0])


def log_in(run: Run) -> Browser:
    browser = Browser(f"http://control.localhost:{run.port}", run.port)
    password = (run.project / "data" / "admin-password").read_text().strip()
    assert browser.log_in("admin", password).status == 200
    return browser


def save_in_admin(run: Run, site: str, hostname: str) -> None:
    """Fill in the form of a new site, as a person does, and save it."""
    browser = log_in(run)
    home = browser.open("/admin/")
    sites = browser.open(next(url for url in home.links() if url.endswith("/fleet/sites/")))
    page = browser.open(next(url for url in sites.links() if url.endswith("/fleet/sites/new/")))
    answer = browser.submit(page, page.form("identifier", "hostnames"), {"identifier": site, "hostnames": hostname})
    assert answer.status in REDIRECTS, answer.text


def test_sites_answer_first_and_control_follows(run: Run) -> None:
    """Addresses and login are printed before anything is done for the control site, whose steps have lines too."""
    first, _, then = run.output.partition(f"{STARTED}\n")
    assert "3 sites, one codebase:" in first and "PostgreSQL" not in first
    steps = [line.split(" s  ")[1] for line in then.splitlines() if " s  " in line]
    for step, word in zip(steps, ["Starting PostgreSQL", "Making", "Taking the sites", "Starting"], strict=True):
        assert word in step
    assert f"{UP}http://control.localhost:{run.port}/admin/\n" in then


def test_agent_says_what_the_sites_are_served_from(run: Run, log: Path) -> None:
    """
    The agent is the one node, under a login of its own that reads no table, and writes what the sites have started
    from: none was restarted for it.
    """
    place = Path((run.project / "data" / "runtime").read_text())
    wished, running = place / "etc" / "embedded", place / "etc" / "uwsgi"
    wait_for(lambda: (wished / "hosts.txt").exists(), "what the agent applies", SERVED_SECONDS)
    for site in SITES:
        text = (wished / f"{site}.ini").read_text()
        assert text == (running / f"{site}.ini").read_text()
        assert f"env = MULTIHOST_REGISTRY={place}/snapshots\n" in text
        assert (place / "snapshots" / f"{site}.json").stat().st_mode & 0o777 == 0o440
    assert not re.search("^Served: (Aurora|Rösterei|Jardin)", log.read_text(), re.MULTILINE)
    report = control(
        run, "from wagtail_multihost.control.models import Report as r; print(*r.objects.values_list('node'))"
    )
    assert report == "('local',)\n"
    host = control(run, "from django.conf import settings as s; print(s.DATABASES['default']['HOST'])").strip()
    with psycopg.connect(host=host, user="multihost_node_local", dbname="control") as connection:
        assert connection.execute('SELECT id, "group", holds FROM node_api_v1.self').fetchall() == [
            ("local", "example", "all")
        ]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT record FROM public.control_site")


def test_login_of_the_sites_is_that_of_control(run: Run) -> None:
    """The password that is printed opens the control site's admin, whose files are there."""
    page = log_in(run).get("/admin/")
    assert page.status == 200
    styles = [url for url in page.links("link", "href") if "/static/" in url]
    assert styles
    browser = Browser(f"http://control.localhost:{run.port}", run.port)
    for url in styles:
        assert (url, browser.get(url).status) == (url, 200)


def test_sites_are_taken_in_with_their_uids(run: Run) -> None:
    """What the control site has is what the sites are already: nothing of them was made or started anew."""
    said = control(run, "print(*(f'{site} {site.uid}' for site in ManagedSite.objects.all()), sep='\\n')")
    rows = dict(line.split() for line in said.splitlines())
    assert set(rows) >= set(SITES)
    for site in SITES:
        assert facts_of(run, site)["Site"] == f"{site} · {rows[site]}"
    assert words_of(run.project.parent / "run.log").count("Starting the sites") == 1


def test_project_is_the_one_that_everybody_makes(run: Run, tmp_path: Path) -> None:
    """The example's control project is file by file what ``startproject`` makes; only its secret key is its own."""
    command = [sys.executable, "-m", "wagtail_multihost.control", "startproject", "aviary_control"]
    subprocess.run(command, cwd=tmp_path, env=newcomer(), check=True)
    made, own = texts_in(tmp_path / "aviary_control"), texts_in(run.project / "data" / "control" / "project")
    assert made.keys() == own.keys() and len(made) > 8
    key = re.compile(r"^SECRET_KEY=.{50,}$", re.MULTILINE)
    for name, text in made.items():
        assert key.sub("", own[name]) == key.sub("", text), name
    assert key.search(own["variables.env"])[0] != key.search(made["variables.env"])[0]  # type: ignore[index]


def texts_in(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in paths
        if path.relative_to(folder).parts[0] != "static"
    }


def test_saved_site_is_served_and_follows_the_registry(run: Run, log: Path) -> None:
    """
    A new site has a database, keys and content of its own; it moves with its hostname, stops when it is disabled, and
    its successor with the same id has nothing of it. Neighbours go on as they are.
    """
    neighbour = facts_of(run, "aurora")["Process"]
    assert status(run, "dione.localhost") == 404
    save_in_admin(run, "dione", "dione.localhost")
    wait_for_status(run, "dione.localhost", 200)
    assert "<h1>Welcome to Dione</h1>" in run.page("dione")
    own = facts_of(run, "dione")
    assert own["Database"].endswith("/data/sites/dione/db.sqlite3")
    assert own["Key fingerprint"] not in {facts_of(run, site)["Key fingerprint"] for site in SITES}
    wait_for(lambda: f"Served: Dione  http://dione.localhost:{run.port}/" in log.read_text(), "the line of it")
    assert not [step for step in words_of(log) if "Migrating" in step][1:]

    control(run, "edit('dione', hostnames=['moved.localhost'])")
    wait_for_status(run, "moved.localhost", 200)
    wait_for_status(run, "dione.localhost", 404)
    wait_for(lambda: facts_of(run, "moved")["Addresses"] == "moved.localhost", "the new address")
    assert facts_of(run, "moved")["Key fingerprint"] == own["Key fingerprint"]

    control(run, "edit('dione', enabled=False)")
    wait_for_status(run, "moved.localhost", 404)
    control(run, "edit('dione', enabled=True)")
    wait_for_status(run, "moved.localhost", 200)

    control(run, "apply(RetireSite(uid('dione'))); create('dione', 'dione.localhost')")
    wait_for_status(run, "moved.localhost", 404)
    wait_for_status(run, "dione.localhost", 200)
    assert facts_of(run, "dione")["Key fingerprint"] != own["Key fingerprint"]
    assert len(list((run.project / "data" / "retired").iterdir())) == 1
    assert facts_of(run, "aurora")["Process"] == neighbour


def test_site_that_cannot_be_served_is_named_and_stops_no_other(run: Run, log: Path) -> None:
    """A failure is one sentence, and so is what the agent refuses; the next change is followed."""
    control(run, "edit('aurora', codebase='museum')")
    wait_for(lambda: "The newest record of aurora is not served. " in log.read_text(), "the sentence", SERVED_SECONDS)
    said_last = (run.project / "data" / "control" / "sites.toml").read_text()
    assert "aurora.localhost" in said_last and "museum" not in said_last
    (run.project / "data" / "sites" / "eos").write_text("in the way")
    control(run, "create('eos', 'eos.localhost')")
    wait_for(lambda: "is not served. It failed: " in log.read_text(), "the sentence", SERVED_SECONDS)
    assert {status(run, f"{site}.localhost") for site in SITES} == {200}
    (run.project / "data" / "sites" / "eos").unlink()
    control(run, "edit('aurora', codebase=None); create('flora', 'flora.localhost')")
    wait_for_status(run, "flora.localhost", 200)
    wait_for_status(run, "eos.localhost", 200)


def test_postgres_is_for_this_account_alone(run: Run) -> None:
    """It listens on no address, the roles have no more rights than they need, and other accounts are refused."""
    url = control(run, "from django.conf import settings as s; d = s.DATABASES['default']; print(d['HOST'], d['PORT'])")
    host, port = url.split()
    # What the server runs as is nobody's business either: it cannot log in to itself.
    connect = f"import psycopg; psycopg.connect(host={host!r}, port={port}, user='postgres', dbname='control')"
    for role, statement in (
        ("multihost_web", "CREATE TABLE mine (id int)"),
        ("multihost_web", "ALTER TABLE control_site DISABLE TRIGGER ALL"),
        ("multihost_reader", "SELECT record FROM public.control_site"),
    ):
        with (
            psycopg.connect(host=host, port=port, user=role, dbname="control") as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)
    with psycopg.connect(host=host, port=port, user="multihost_reader", dbname="control") as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SELECT count(*) FROM node_api_v1.site").fetchone() >= (3,)  # type: ignore[operator]
    assert Path(host).stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        with passable_folder() as folder:
            words = OTHERS.command(open_python(folder), "-c", connect)
            refused = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert "Peer authentication failed" in refused.stderr or "Permission denied" in refused.stderr
        assert Path(f"/proc/{postgres_of(run)}").stat().st_uid != 0


def test_everything_stops_and_the_next_run_has_all_sites_at_once(stopped: Path, tmp_path: Path) -> None:
    """
    Ctrl-C leaves neither process nor folder, and the next run starts what the control site said last, before that is
    up. After kill -9 PostgreSQL ends too; where it does not, the next run ends it, and has its data.
    """
    log, port, data = tmp_path / "run.log", free_port(), stopped / "data"
    with served(stopped, log, port) as (first, process):
        control(first, "create('gaia', 'gaia.localhost')")
        wait_for_status(first, "gaia.localhost", 200)
        folders = marked_folders(data)
        server = postgres_of(first)
        assert server in children(process.pid)
        press_ctrl_c(process)
    assert not is_running(server)
    assert folders and not [folder for folder in folders if folder.exists()]
    assert marked_folders(data) == []
    assert log.read_text().endswith("Stopped.\n")

    with served(stopped, log, port) as (second, process):
        before, _, after = second.output.partition(STARTED)
        assert "4 sites, one codebase:" in before and f"http://gaia.localhost:{port}/\n" in before
        assert "PostgreSQL" not in before and "PostgreSQL" in after
        assert not [step for step in words_of(log) if "once" in step or "Loading" in step]
        assert "Gaia" in second.page("gaia")
        control(second, "create('hebe', 'hebe.localhost')")
        server, everything = postgres_of(second), children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        wait_for(lambda: not any(is_running(pid) for pid in everything), "every process to end")
        assert server in everything

    with served(stopped, log, port) as (third, process):
        assert "Removed what a killed run had left: " in third.output
        wait_for_status(third, "hebe.localhost", 200)
        server, folders = postgres_of(third), marked_folders(data)
        os.kill(server, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGKILL)

    with served(stopped, log, port) as (fourth, _):
        assert "Removed what a killed run had left: PostgreSQL and " in fourth.output
        assert not is_running(server)
        assert folders and not [folder for folder in folders if folder.exists()]
        assert {status(fourth, f"{site}.localhost") for site in ("aurora", "gaia", "hebe")} == {200}
        assert len(control(fourth, "print(*ManagedSite.objects.all())").split()) == 5


def marked_folders(data: Path) -> list[Path]:
    """Return the folders outside the checkout that a run has now."""
    marks = [data / "runtime", data / "control" / "server"]
    return [Path(mark.read_text()) for mark in marks if mark.exists()]


def test_control_that_cannot_start_leaves_the_sites_alone(run: Run, stopped: Path, tmp_path: Path) -> None:
    """A broken cluster is one sentence, and the sites are served."""
    log, port = tmp_path / "run.log", free_port()
    cluster = stopped / "data" / "control" / "cluster"
    cluster.mkdir(parents=True)
    with started(serve(stopped, port), log) as process:
        wait_for(lambda: "There is no control site" in log.read_text(), "the sentence", START_SECONDS)
        last = log.read_text().splitlines()[-1]
        assert last.startswith("There is no control site, and the sites go on without it. PostgreSQL does not answer.")
        assert Path(last.split()[-3]).is_file()
        broken = Run(stopped, port, process.pid, "")
        assert {status(broken, f"{site}.localhost") for site in SITES} == {200}
        press_ctrl_c(process)


def test_small_form_has_neither_postgres_nor_control(run: Run, stopped: Path, tmp_path: Path) -> None:
    """It serves what sites.toml says, whatever was saved in a control site, and starts nothing else."""
    log, port = tmp_path / "run.log", free_port()
    with started(serve(stopped, port, "--without-control"), log) as process:
        wait_for(lambda: STARTED in log.read_text() or process.poll() is not None, "the sites", START_SECONDS)
        small = Run(stopped, port, process.pid, log.read_text())
        assert "3 sites, one codebase:" in small.output and "control" not in small.output
        assert status(small, "control.localhost") == 404
        names = [Path(f"/proc/{pid}/cmdline").read_text() for pid in children(process.pid)]
        assert names and not [name for name in names if "postgres" in name]
        assert not (stopped / "data" / "control").exists()
        press_ctrl_c(process)
    assert log.read_text().endswith(f"{STARTED}\nStopped.\n")


@needs_root
def test_another_account_than_root_serves_it_too(run: Run, tmp_path: Path) -> None:
    """Whoever runs it is who PostgreSQL runs as, without a copy of its programs."""
    with passable_folder() as folder, passable_folder() as place:
        left_out = shutil.ignore_patterns("run.lock", "control", "runtime")
        project = Path(shutil.copytree(run.project, folder / "example_project", ignore=left_out))
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, OTHERS.user, OTHERS.group)
        log, port = tmp_path / "run.log", free_port()
        command = OTHERS.command(*serve(project, port, python=open_python(place)))
        with running(command, log, environ=newcomer(HOME=str(folder)), cwd=Path("/")) as process:
            wait_for(lambda: UP in log.read_text() or process.poll() is not None, "the control site", START_SECONDS)
            assert process.poll() is None, log.read_text()
            other = Run(project, port, process.pid, log.read_text())
            save_in_admin(other, "gaia", "gaia.localhost")  # PostgreSQL refuses root
            wait_for_status(other, "gaia.localhost", 200)
            assert not (project / "data" / "control" / "server").exists()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0

"""The control site: a PostgreSQL, and the project that ``startproject`` makes, served by a uWSGI of its own."""

import contextlib
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import psycopg

from runner.agent import MAKE_NODE, MAKE_ROLE, RELEASE, ROLE, start_agent
from runner.children import Child, end, finish, start, wait_for
from runner.folders import CONTROL, CONTROL_HOST, HERE, LOGS, MANAGE_CONTROL
from runner.postgres import SUPERUSER, Server, make_cluster, server_in, start_server
from runner.preparing import PASSWORD, Prepared, digest_code, digest_folders, environment
from runner.preparing import manage as example_manage
from runner.progress import Progress
from runner.reading import read_control
from runner.registry import COPY, NODE, REGISTRY, SITES, TAKEN_IN, Place, sites_of, write
from runner.router import answers, send_to

NAME = "aviary_control"
PROJECT = CONTROL / "project"
DATABASE = "control"
ADMIN = "admin"
WEB, READER = "multihost_web", "multihost_reader"
THREADS = 24  # of which those who wait for events hold one each
SERVING = (
    *("--strict", "--master", "--need-app", "--enable-threads", "--py-call-uwsgi-fork-hooks", "--die-on-term"),
    *("--vacuum", "--no-orphans", "--ignore-sigpipe", "--ignore-write-errors", "--disable-write-exception"),
    *("--processes=1", f"--threads={THREADS}", "--harakiri=60", "--max-fd=1024", "--umask=077", "--chmod-socket=600"),
    *("--buffer-size=65535", "--post-buffering=131072"),
    "--route-run=addheader:Connection: close",  # uWSGI's router takes one request from a connection
)
MANAGE_SCRIPT = """\
#!/bin/sh
# manage.py of the control site, from any folder, while it runs: {path} COMMAND
{variables} exec {python} {manage} "$@"
"""


@dataclass(frozen=True)
class Control:
    """What runs, and where the registry, and what the agent reports, is read."""

    children: tuple[Child, ...]
    registry: str
    reports: str


@contextlib.contextmanager
def control_site(place: Place, progress: Progress) -> Iterator[Control]:
    """Serve the control site; whatever of it runs ends with the context."""
    children: list[Child] = []
    CONTROL.mkdir(mode=0o700, exist_ok=True)
    with server_in(place.runtime) as server:
        try:
            progress.begin("Starting PostgreSQL for the control site")
            make_cluster(server, progress)
            children.append(start_server(server, progress))
            prepare_control(server, place, progress)
            progress.begin("Starting the control site")
            children.append(start_agent(server.url(ROLE, DATABASE), place))
            children.append(start_web(server, place))
            send_to(CONTROL_HOST, socket_of(place), place)
            wait_for(lambda: answers(CONTROL_HOST, place.port, "/-/ready"), children[-1], CONTROL_HOST, progress)
            yield Control(tuple(children), server.url(READER, DATABASE), server.url(WEB, DATABASE))
        finally:
            end(children[::-1])


def prepare_control(server: Server, place: Place, progress: Progress) -> None:
    """Make the project and its tables, and take the sites in, unless that was done."""
    prepared = Prepared(digest_control(), CONTROL / "prepared.json")
    write_manage(server, place)
    if not prepared.has("control"):
        progress.begin("Making the control site (once)")
        make_project(progress)
        make_database(server)
        shared = [manage("control-static", server, place, "collectstatic", "--noinput", "-v0")]
        finish([manage("control-tables", server, place, "migrate", "-v0", role=SUPERUSER), *shared], progress)
        roles = ("multihost_control_roles", "--apply")
        finish([manage("control-roles", server, place, *roles, role=SUPERUSER)], progress)
        with psycopg.connect(server.url(SUPERUSER, DATABASE)) as connection:
            connection.execute(MAKE_ROLE)
        node = manage("control-node", server, place, "shell", "-v0", "-c", MAKE_NODE, role=SUPERUSER)
        release = example_manage("release", "multihost_codebase", "--output", str(RELEASE), "-v0")
        finish([node, release], progress)
        prepared.keep("control")
    if not NODE.exists():
        progress.begin("Taking the sites into the control site (once)")
        draft = NODE.with_suffix(".new")
        taken = ("multihost_import_registry", str(REGISTRY), "--node-file", str(draft))
        finish([manage("control-import", server, place, *taken), *make_login(server, place)], progress)
        shutil.copyfile(SITES, TAKEN_IN)
        draft.rename(NODE)
    if not COPY.exists():
        keep_copy(server, place)


def make_login(server: Server, place: Place) -> Iterator[Child]:
    """Start making the person that every site has, unless a run that was stopped has made them."""
    with psycopg.connect(server.url(WEB, DATABASE)) as connection:
        if connection.execute("SELECT 1 FROM auth_user WHERE username = %s", [ADMIN]).fetchone():
            return
    login = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD.read_text().strip()}
    words = ("createsuperuser", "--noinput", "--username", ADMIN, "--email", f"{ADMIN}@example.org")
    yield manage("control-login", server, place, *words, **login)


def keep_copy(server: Server, place: Place) -> None:
    """Keep what was just taken in: the same sites, with their uids and names."""
    with psycopg.connect(server.url(READER, DATABASE), autocommit=True) as connection:
        said = read_control(connection)
    prepared = Prepared(digest_code())
    for site in sites_of(said, place):
        prepared.keep(site.id, site.record)
    write(COPY, said)


def make_project(progress: Progress) -> None:
    """Make the project as the command for everyone does; one from older code is made anew, and keeps its secret key."""
    draft = PROJECT.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    words = ["-m", "wagtail_multihost.control", "startproject", NAME, str(draft)]
    finish([start([sys.executable, *words], LOGS / "control-project.log", environment(), CONTROL)], progress)
    if PROJECT.is_dir():
        shutil.copy2(PROJECT / "variables.env", draft / "variables.env")
        shutil.rmtree(PROJECT)
    draft.rename(PROJECT)


def make_database(server: Server) -> None:
    """Make the database, where it is missing."""
    with psycopg.connect(server.url(SUPERUSER, SUPERUSER), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")


def start_web(server: Server, place: Place) -> Child:
    python = Path(sys.executable)
    own = {
        "binary-path": python,  # the wheel is no program of its own
        "virtualenv": python.parent.parent,
        "chdir": PROJECT,
        "module": f"{NAME}.wsgi:application",
        "socket": socket_of(place),
        "static-map": f"/static={PROJECT / 'static'}",
    }
    words = [f"--{name}={value}" for name, value in own.items()]
    command = [str(python.with_name("uwsgi")), *SERVING, *words]
    return start(command, LOGS / "control.log", variables(server, place, WEB), PROJECT)


def manage(log: str, server: Server, place: Place, *words: str, role: str = WEB, **more: str) -> Child:
    command = [sys.executable, str(PROJECT / "manage.py"), *words]
    return start(command, LOGS / f"{log}.log", {**variables(server, place, role), **more}, PROJECT)


def variables(server: Server, place: Place, role: str) -> dict[str, str]:
    """Return the environment of the control site: its own variables, and nothing of sites."""
    own = {key: value for key, value in environment().items() if not key.startswith("MULTIHOST_")}
    return {**own, **own_variables(server, place, role)}


def own_variables(server: Server, place: Place, role: str) -> dict[str, str]:
    return {"ORIGIN": f"http://{CONTROL_HOST}:{place.port}", "DATABASE_URL": server.url(role, DATABASE), "DEBUG": "0"}


def write_manage(server: Server, place: Place) -> None:
    """Write a short command for people, which works in every folder."""
    stated = " ".join(f"{key}={shlex.quote(value)}" for key, value in own_variables(server, place, WEB).items())
    words = {"path": MANAGE_CONTROL, "python": sys.executable, "manage": PROJECT / "manage.py"}
    quoted = {key: shlex.quote(str(word)) for key, word in words.items()}
    MANAGE_CONTROL.write_text(MANAGE_SCRIPT.format(variables=stated, **quoted))
    MANAGE_CONTROL.chmod(0o700)


def socket_of(place: Place) -> str:
    return str(place.runtime / "control.sock")


def digest_control() -> str:
    """Return a digest of all that the project, its tables, its node and its static files are made from."""
    package = Path(str(files("wagtail_multihost")))
    return digest_folders(
        ("django", "wagtail", "wagtail-multihost"), [package / "control", package / "nodeapi", HERE / "example"]
    )

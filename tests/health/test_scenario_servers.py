"""Real servers with a real database, through what happens to them, as a prober sees it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.health.door import HOST, Door, opened_door
from tests.health.prober import LATE, REFUSED, Prober, probing
from tests.servers.postgres import Postgres, running_postgres
from tests.servers.processes import STOP_SECONDS, free_port, running, wait_for
from wagtail_multihost.health.drain import Drain

pytestmark = pytest.mark.servers

BIN = Path(sys.executable).parent
PASSWORD = "a-password-of-a-test"
SERVERS = ("gunicorn", "uwsgi", "granian", "uvicorn")
STARTING = "503 starting"

SETTINGS = """\
import os

SECRET_KEY = "not-a-secret"
ALLOWED_HOSTS = ["www.example.org"]
SECURE_SSL_REDIRECT = True
INSTALLED_APPS = ["django.contrib.contenttypes"]
MIDDLEWARE = [
    "wagtail_multihost.health.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "small_urls"
USE_TZ = True
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": "127.0.0.1",
    "PORT": os.environ["SMALL_PORT"],
    "NAME": os.environ["SMALL_DATABASE"],
    "USER": os.environ["SMALL_DATABASE"],
    "PASSWORD": os.environ["SMALL_PASSWORD"],
    "CONN_MAX_AGE": 60,
}}
MULTIHOST_HEALTH = {
    "INTERVAL": int(os.environ["SMALL_INTERVAL"]),
    "RETRY": 1,
    "STALE": 2000,
    "DRAIN_FILE": os.environ["SMALL_DRAIN"],
    "PROBES": {
        name: {"BACKEND": f"wagtail_multihost.health.probes.{name}.{name.title()}Probe", "OPTIONS": {"timeout": 60}}
        for name in ("database", "migrations")
    },
}
"""
SERVED = """\
import os
import time

from wagtail_multihost.health.{kind} import HealthApplication

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "small_settings")


def load():
    while os.path.exists(os.environ["SMALL_HOLD"]):
        time.sleep(0.05)
    from django.core.{kind} import get_{kind}_application

    return get_{kind}_application()


application = HealthApplication(load)
"""


def command(server: str, port: int) -> list[str | Path]:
    """Return the words that start a server with one process, so that its answers have an order."""
    place = f"{HOST}:{port}"
    words: dict[str, list[str | Path]] = {
        "gunicorn": [BIN / "gunicorn", "--workers", "1", "--threads", "4", "--bind", place, "small_wsgi"],
        "uwsgi": [
            *(BIN / "uwsgi", "--master", "--lazy-apps", "--processes", "1", "--threads", "4", "--enable-threads"),
            *("--die-on-term", "--need-app", "--http-socket", place, "--module", "small_wsgi"),
        ],
        "granian": [
            *(BIN / "granian", "--interface", "wsgi", "--workers", "1", "--host", HOST, "--port", str(port)),
            "small_wsgi:application",
        ],
        "uvicorn": [BIN / "uvicorn", "--host", HOST, "--port", str(port), "small_asgi:application"],
    }
    return words[server]


@dataclass(frozen=True)
class Project:
    """The smallest project, its database behind a door, and its environment."""

    folder: Path
    postgres: Postgres
    door: Door
    database: str

    @property
    def drain(self) -> Drain:
        return Drain(self.folder / "drain")

    @property
    def hold(self) -> Path:
        return self.folder / "hold"

    def environ(self, interval: int) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(self.folder), *sys.path[1:]]),
            "VIRTUAL_ENV": sys.prefix,
            "DJANGO_SETTINGS_MODULE": "small_settings",
            "SMALL_PORT": str(self.door.port),
            "SMALL_DATABASE": self.database,
            "SMALL_PASSWORD": PASSWORD,
            "SMALL_INTERVAL": str(interval),
            "SMALL_DRAIN": str(self.folder / "drain"),
            "SMALL_HOLD": str(self.hold),
        }

    def figure(self, query: str) -> int:
        """Return a number of the server's own statistics about the database."""
        ((number,),) = self.postgres.execute("postgres", query, parameters=(self.database,))
        return int(number)

    def execute(self, statement: str, *parameters: object) -> None:
        self.postgres.execute(self.database, statement, parameters=parameters)

    @contextlib.contextmanager
    def serving(self, server: str, *, interval: int = 1) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
        """Run a server; yield its port and its process."""
        port, log = free_port(), self.folder / f"{server}.log"
        with running(command(server, port), log, self.environ(interval), cwd=self.folder) as process:
            try:
                yield port, process
            except BaseException as error:
                error.add_note(log.read_text(errors="replace")[-3000:])
                raise


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    # Not below pytest's folder, which only its own user may enter.
    folder = Path(tempfile.mkdtemp(prefix="mh-health-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        with running_postgres(folder / "postgres") as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def project(cluster: Postgres, tmp_path: Path) -> Iterator[Project]:
    """A project with a migrated database of its own."""
    number = int(cluster.execute("postgres", "SELECT count(*) FROM pg_database")[0][0])
    database = f"small{number}"
    cluster.add_role(database, PASSWORD)
    cluster.add_database(database, database)
    (tmp_path / "small_settings.py").write_text(SETTINGS)
    (tmp_path / "small_urls.py").write_text("urlpatterns = []\n")
    for kind in ("wsgi", "asgi"):
        (tmp_path / f"small_{kind}.py").write_text(SERVED.format(kind=kind))
    with opened_door(cluster.port) as door:
        project = Project(tmp_path, cluster, door, database)
        migrate = [sys.executable, "-m", "django", "migrate", "-v0"]
        subprocess.run(migrate, env=project.environ(1), cwd=tmp_path, check=True)
        yield project


def answers(prober: Prober, expected: str) -> None:
    """Wait until the prober hears what is expected."""
    seen = len(prober.records)
    wait_for(lambda: expected in prober.answers[seen:], f"{prober.path} to answer {expected}: {prober.sequence()}", 90)


@pytest.mark.parametrize("server", SERVERS)
def test_prober_sees_what_happens_to_the_server(project: Project, server: str) -> None:
    """Start, database down, back, drain, SIGTERM: each has its answer, and none of them is a reason to restart."""
    project.hold.touch()
    with project.serving(server) as (port, process), probing(port, "/-/live", "/-/ready", "/-/startup") as probers:
        live, ready, startup = probers.values()
        answers(ready, STARTING)
        answers(live, "200 pass")
        answers(startup, STARTING)
        project.hold.unlink()
        answers(ready, "200 pass")
        answers(startup, "200 pass")
        project.door.close()
        answers(ready, "503 fail")
        project.door.open()
        answers(ready, "200 pass")
        project.drain.begin()
        answers(ready, "503 draining")
        answers(live, "200 pass")
        assert not live.is_restarted(), live.sequence()
        assert not startup.is_restarted(), startup.sequence()
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) is not None
        answers(ready, REFUSED)
        answers(live, REFUSED)
    expected = [REFUSED, STARTING, "200 pass", "503 fail", "200 pass", "503 draining", REFUSED]
    assert ready.sequence(LATE)[-6:] == expected[-6:]
    assert live.sequence(LATE)[-2:] == ["200 pass", REFUSED]
    assert startup.sequence(LATE)[-3:] == [STARTING, "200 pass", REFUSED]
    assert {*live.answers} <= {"200 pass", REFUSED, LATE}


@pytest.mark.parametrize("server", SERVERS)
def test_flood_reaches_no_database(project: Project, server: str) -> None:
    """A thousand questions on ready, fifty at once, leave the number of connections and sessions as it was."""
    with project.serving(server, interval=3_000) as (port, _):
        prober = Prober(port, "/-/ready")
        wait_for(lambda: prober.ask() == "200 pass", "the server")
        wait_for(lambda: connections(project) == 0, "the end of the probes' connections")
        before = opened(project)
        with ThreadPoolExecutor(50) as threads:
            heard = set(threads.map(lambda _: prober.ask(), range(1_000)))
        assert heard <= {"200 pass", LATE}
        assert "200 pass" in heard
        assert connections(project) == 0
        assert opened(project) == before


def connections(project: Project) -> int:
    return project.figure(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = %s"
    )


def opened(project: Project) -> int:
    """Return how many sessions were opened in the database; the server counts one when it begins."""
    return project.figure("SELECT sessions FROM pg_stat_database WHERE datname = %s")


@pytest.mark.parametrize("server", SERVERS)
def test_head_has_a_length_and_no_body(project: Project, server: str) -> None:
    """HEAD and GET have the same length, and nothing is sent in chunks, redirected or set, whatever the host."""
    with project.serving(server, interval=3_000) as (port, _):
        prober = Prober(port, "/-/live")
        wait_for(lambda: prober.ask() == "200 pass", "the server")
        for host in ("127.0.0.1", "web_1:8000", "[::1]", ""):
            for method, body in (("HEAD", b""), ("GET", b"pass")):
                head, _, rest = raw(port, method, host).partition(b"\r\n\r\n")
                status, *lines = head.decode().lower().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines)
                assert " 200 " in f"{status} "
                assert (headers["content-length"], headers["cache-control"], rest) == ("4", "no-store", body)
                assert not {"transfer-encoding", "set-cookie", "location"} & headers.keys()


def raw(port: int, method: str, host: str) -> bytes:
    """Return all that the server sends; HTTP/1.0 is what may have no host."""
    version, lines = ("1.1", f"Host: {host}\r\n") if host else ("1.0", "")
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall(f"{method} /-/live HTTP/{version}\r\n{lines}Connection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_rolling_deploy_stays_ready_and_a_database_behind_does_not(project: Project) -> None:
    """The old code beside a migrated database goes on; the new code beside an old one waits for it."""
    with project.serving("gunicorn") as (port, _), probing(port, "/-/ready") as probers:
        ready = probers["/-/ready"]
        answers(ready, "200 pass")
        project.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('contenttypes', '0099_new', now())")
        runs = opened(project)
        wait_for(lambda: opened(project) >= runs + 6, "further runs of the probes")
        answers(ready, "200 pass")
        assert set(ready.sequence(LATE, REFUSED, STARTING)) == {"200 pass"}
        project.execute("DELETE FROM django_migrations WHERE app = 'contenttypes' AND name <> '0001_initial'")
        answers(ready, "503 fail")

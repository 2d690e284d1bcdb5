"""Asking and draining real servers: gunicorn over TCP and a unix socket, uWSGI over its own protocol."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands.conftest import PROJECT
from tests.servers.processes import free_port, running, wait_for
from tests.servers.street import CERTIFIED, make_certificate
from wagtail_multihost.health.drain import HEAD, instance_marks
from wagtail_multihost.http_client.client import NoAnswerError, Reply, Target, ask_server

pytestmark = pytest.mark.servers

WORKERS = 3
SECONDS = 30
# Shows which worker has answered, and takes a while, so that others get the next request.
WSGI = """
import os
import time

from django.core.wsgi import get_wsgi_application

django = get_wsgi_application()


def application(environ, start_response):
    time.sleep(0.02)

    def start(status, headers, exc_info=None):
        return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], exc_info)

    return django(environ, start)
"""
URLS = """
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("home"))]
"""
PROBES = """
from dataclasses import dataclass

from wagtail_multihost.health.probe import Probe, passed


@dataclass(frozen=True, kw_only=True)
class OwnProbe(Probe):
    def measure(self):
        yield passed(7, "bytes")
"""
# The first question to each worker waits as long as a slow machine takes.
SETTING = """
MULTIHOST_HEALTH = {
    "PROBES": {"own": {"BACKEND": "website.probes.OwnProbe", "OPTIONS": {"timeout": 60}}},
    "BUDGET": 30_000,
}
ALLOWED_HOSTS = ["*"]
"""
FILES = {
    **PROJECT,
    "website/settings.py": PROJECT["website/settings.py"] + 'WSGI_APPLICATION = "website.wsgi.application"\n' + SETTING,
    "website/wsgi.py": WSGI,
    "website/urls.py": URLS,
    "website/probes.py": PROBES,
}


@dataclass(frozen=True)
class Running:
    """A site that a server runs: where it is asked, and the files of its project."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def environ(self) -> dict[str, str]:
        return environ(self.folder)

    @property
    def token_file(self) -> str:
        path = self.folder / "token"
        if not path.exists():
            path.write_text(self.manage("--token").stdout)
        return str(path)

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        return called([sys.executable, "manage.py", "multihost_health", *words], self.environ, self.folder)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``multihost-health`` in an environment that names no settings."""
        plain = {"PATH": os.defpath, "PYTHONPATH": self.environ["PYTHONPATH"]}
        start = [sys.executable, "-m", "wagtail_multihost.health", "--timeout", str(SECONDS), "--url", self.url]
        return called([*start, *words], plain, self.folder)

    def ask(self, path: str) -> Reply:
        return ask_server(Target(self.url), path, seconds=SECONDS)

    def all_workers(self, path: str) -> set[tuple[int, str]]:
        """Return the statuses and texts of answers to ``path`` that every worker had a part in."""
        found: list[Reply] = []
        with ThreadPoolExecutor(2 * WORKERS) as pool:

            def everybody_answered() -> bool:
                found.extend(pool.map(self.ask, [path] * 2 * WORKERS))
                return len({reply.headers["x-worker"] for reply in found}) == WORKERS

            wait_for(everybody_answered, "an answer of each worker")
        return {(reply.status, reply.text) for reply in found}


def called(words: list[str], environ: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, env=environ, cwd=folder, capture_output=True, text=True, timeout=4 * SECONDS, check=False
    )


def environ(folder: Path) -> dict[str, str]:
    paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
    names = {"MULTIHOST_SITE": "aurora", "DJANGO_SETTINGS_MODULE": "website.settings", "PYTHONPATH": paths}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **names}


def gunicorn(bind: str, application: str = "website.wsgi") -> list[str]:
    start = [sys.executable, "-m", "gunicorn", application, "--workers", str(WORKERS), "--bind", bind]
    return [*start, "--no-control-socket"] if has_control_socket() else start


def has_control_socket() -> bool:
    from gunicorn.config import KNOWN_SETTINGS

    return any(setting.name == "control_socket_disable" for setting in KNOWN_SETTINGS)


def uwsgi(socket: str) -> list[str]:
    program = str(Path(sys.executable).with_name("uwsgi"))
    options = ["--master", "--die-on-term", "--need-app", "--enable-threads", "--processes", str(WORKERS)]
    return [program, *options, "--virtualenv", sys.prefix, "--wsgi-file", "website/wsgi.py", "--socket", socket]


def server_of(kind: str, folder: Path) -> tuple[list[str], str]:
    """Return the words that start a kind of server, and the URL that it is asked at."""
    if kind == "gunicorn":
        address = f"127.0.0.1:{free_port()}"
        return gunicorn(address), f"http://{address}"
    if kind == "gunicorn-unix":
        return gunicorn(f"unix:{folder}/site.sock"), f"unix:{folder}/site.sock"
    if kind == "uwsgi-tcp":
        address = f"127.0.0.1:{free_port()}"
        return uwsgi(address), f"uwsgi://{address}"
    return uwsgi(f"{folder}/site.sock"), f"uwsgi:{folder}/site.sock"


@contextlib.contextmanager
def served(kind: str) -> Iterator[Running]:
    """Serve the site of a project until everything of it has ended."""
    # Not pytest's folder: a unix socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="mh-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for path, text in FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        words, url = server_of(kind, folder)
        with running(words, folder / "log", environ(folder), folder) as process:
            site = Running(url, folder, process)
            try:
                wait_for(lambda: process.poll() is not None or is_ready(site), "the site")
                assert process.poll() is None
            except AssertionError as error:
                raise AssertionError(f"{error}\n{(folder / 'log').read_text(errors='replace')[-4000:]}") from None
            yield site


def is_ready(site: Running) -> bool:
    try:
        return site.ask("/-/ready").status == 200
    except NoAnswerError:
        return False


@pytest.fixture(name="site", params=["gunicorn-unix", "uwsgi"], scope="module")
def _site(request: pytest.FixtureRequest) -> Iterator[Running]:
    with served(request.param) as site:
        yield site


@pytest.mark.parametrize("kind", ["gunicorn", "uwsgi-tcp"])
def test_server_at_a_port_is_asked(kind: str) -> None:
    """A port is asked as a socket is, over HTTP and over uWSGI's protocol."""
    with served(kind) as site:
        assert (found := site.command("--probe")).returncode == 0, found.stdout
        assert "own" in site.command("--token-file", site.token_file).stdout


def test_running_server_is_asked(site: Running) -> None:
    """The word without a token, the details with one; by the site's own command the token goes along."""
    assert (found := site.command("--probe")).returncode == 0, found.stdout
    assert found.stdout == "pass\n"
    assert site.command().stdout == "pass\n"
    assert json.loads(site.command("--json").stdout) == {"status": "pass"}
    for done in (site.command("--json", "--token-file", site.token_file), site.manage("--json", "--url", site.url)):
        document = json.loads(done.stdout)
        assert (done.returncode, document["status"], document["serviceId"]) == (0, "pass", "aurora")
        assert document["checks"]["own:bytes"][0]["observedValue"] == 7
    assert "own" in site.manage("--url", site.url).stdout
    (site.folder / "wrong").write_text("w" * 40)
    assert site.command("--token-file", str(site.folder / "wrong")).returncode == 2


@pytest.mark.parametrize("way", ["command", "request", "file"])
def test_drain_reaches_every_worker_at_once(site: Running, way: str) -> None:
    """From the moment that the drain is said no worker is ready; all are alive and serve whoever comes."""
    token = ("--token-file", site.token_file)
    path = Path(site.manage("--undrain").stdout.removeprefix("serving: ").strip())
    assert site.all_workers("/-/ready") == {(200, "pass")}
    if way == "command":
        assert site.manage("--drain").returncode == 0
    elif way == "request":
        assert site.command("--drain", *token).stdout == "draining\n"
    else:
        path.touch()
    assert site.all_workers("/-/ready") == {(503, "draining")}
    assert site.all_workers("/-/live") == {(200, "pass")} and site.all_workers("/") == {(200, "home")}
    assert site.command("--probe").returncode == 1
    assert site.command("--json", *token).returncode == 1
    undrain = site.command("--undrain", *token) if way == "request" else site.manage("--undrain")
    assert undrain.returncode == 0, undrain.stderr
    assert site.all_workers("/-/ready") == {(200, "pass")}
    assert not path.exists()


def test_drain_over_a_socket_needs_the_token(site: Running) -> None:
    """Who merely reaches the socket takes no site out of service."""
    assert site.command("--drain").returncode == 2
    (site.folder / "wrong").write_text("w" * 40)
    assert site.command("--drain", "--token-file", str(site.folder / "wrong")).returncode == 2
    assert site.all_workers("/-/ready") == {(200, "pass")}


def test_drain_of_an_earlier_container_is_ignored(site: Running) -> None:
    """A file that outlived its container does not keep this one out of service; a server's own restart keeps it."""
    site.manage("--drain")
    path = Path(site.manage("--undrain").stdout.removeprefix("serving: ").strip())
    earlier = {**instance_marks(), "init": str(int(instance_marks()["init"]) + 1)}
    path.write_text(f"{HEAD}{' '.join(f'{name}={value}' for name, value in earlier.items())}\n")
    assert site.all_workers("/-/ready") == {(200, "pass")}
    path.unlink()


class Prober:
    """What Kubernetes does: asks whether the site is ready, and sends visitors as long as it was the last time."""

    def __init__(self, site: Running) -> None:
        self.site = site
        self.seen: list[object] = []
        self.visits: list[object] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.stopped.wait(0.02):
            self.seen.append(self.outcome("/-/ready"))
            if self.seen[-1] == 200:
                self.visits.append(self.outcome("/"))

    def outcome(self, path: str) -> object:
        try:
            return self.site.ask(path).status
        except NoAnswerError:
            return "none"

    def __enter__(self) -> Prober:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopped.set()
        self.thread.join()


@pytest.mark.parametrize("kind", ["gunicorn", "uwsgi"])
def test_hook_before_the_end_loses_no_visitor(kind: str) -> None:
    """Drain, wait, SIGTERM: nobody is refused before all who send visitors have seen the drain."""
    with served(kind) as site, Prober(site) as prober:
        token = site.token_file
        wait_for(lambda: len(prober.visits) > 3, "visitors")
        done = site.command("--drain", "--wait", "1", "--token-file", token)
        assert done.returncode == 0, done.stderr
        wait_for(lambda: 503 in prober.seen, "the drain")
        visits = len(prober.visits)
        site.process.terminate()
        site.process.wait(SECONDS)
        wait_for(lambda: prober.seen[-1] == "none", "the end")
    assert [answer for answer, _ in itertools.groupby(prober.seen)] == [200, 503, "none"]
    assert set(prober.visits) == {200} and len(prober.visits) == visits


def test_server_that_starts_again_serves_again_only_in_a_new_container() -> None:
    """The drain holds for a server that its own supervisor starts anew: the container is still on its way out."""
    with served("gunicorn") as site:
        assert site.manage("--drain").returncode == 0
        site.process.terminate()
        site.process.wait(SECONDS)
        log = site.folder / "again"
        words = gunicorn(site.url.removeprefix("http://"))
        with running(words, log, environ(site.folder), site.folder):
            wait_for(lambda: outcome(site) != "none", "the site")
            assert site.all_workers("/-/ready") == {(503, "draining")}


def outcome(site: Running) -> object:
    try:
        return site.ask("/-/ready").status
    except NoAnswerError:
        return "none"


def test_certificate_is_verified(tmp_path: Path) -> None:
    """An https server is believed by its name and its authority alone."""
    make_certificate(["localhost"], tmp_path)
    files = [str(tmp_path / f"{CERTIFIED}.{end}") for end in ("pem", "key")]
    address = f"localhost:{free_port()}"
    code = (
        "def application(environ, start):\n"
        "    start('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '4')])\n"
        "    return [b'pass']\n"
    )
    (tmp_path / "secured.py").write_text(code)
    words = [*gunicorn(address, "secured"), "--certfile", files[0], "--keyfile", files[1]]
    with running(words, tmp_path / "log", cwd=tmp_path):
        wait_for(lambda: told(f"https://{address}", files[0]) == "pass", "the server")
        assert "certificate verify failed" in told(f"https://{address}", None).lower().replace("_", " ")
        other = address.replace("localhost", "127.0.0.1")
        assert "127.0.0.1" in told(f"https://{other}", files[0])
        assert "No such file" in told(f"https://{address}", str(tmp_path / "none"))


def told(url: str, ca_file: str | None) -> str:
    try:
        return ask_server(Target(url), "/-/ready", seconds=SECONDS, ca_file=ca_file).text
    except NoAnswerError as error:
        return str(error)

"""What the page on draining says, with the servers that it names: the examples are run as they are written."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.processes import free_port, is_running, running, wait_for
from tests.servers.workshop import CHECKOUT, LEFT_OUT

pytestmark = pytest.mark.servers

EXAMPLES = CHECKOUT / "docs" / "examples"
SCRIPTS = ["serve-gunicorn.sh", "serve-uwsgi.sh", "serve-granian.sh"]
SITES = '[platform]\nname = "aviary"\ndata = "./data"\n[sites.aurora]\nhostnames = ["aurora.localhost"]\n'


@dataclass(frozen=True)
class Project:
    """A copy of the example project in a ``folder``, with the site aurora."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "LANG": "C.UTF-8",
            "DJANGO_SETTINGS_MODULE": "example.settings",
            "MULTIHOST_REGISTRY": str(self.folder / "sites.toml"),
            "MULTIHOST_SITE": "aurora",
        }

    def manage(self, *words: str) -> str:
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            command, env=self.environ, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def script(self, name: str, port: int) -> str:
        """Return an example for this project and a loopback port; each of the replaced words is in it."""
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        replaced = {
            "0.0.0.0": "127.0.0.1",
            "8000": str(port),
            "/run/aurora.pid": str(self.folder / "aurora.pid"),
            "mysite": "example",
        }
        for word, own in replaced.items():
            assert word in text, f"{name} has no {word}."
            text = text.replace(word, own)
        return text


@pytest.fixture(name="project", scope="module")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("drain") / "project"
    shutil.copytree(CHECKOUT / "example_project", folder, ignore=LEFT_OUT)
    (folder / "sites.toml").write_text(SITES)
    project = Project(folder)
    project.manage("migrate", "--no-input", "-v0")
    return project


@pytest.fixture(autouse=True)
def _serving(project: Project) -> Iterator[None]:
    """Have the project serve again, however a test ended: a drain outlives the server."""
    yield
    project.manage("multihost_health", "--undrain")


def ask(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    """Return the status code and the body of an answer; (0, "") where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, headers={"Host": "10.0.0.1:8000"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


@contextlib.contextmanager
def served(project: Project, name: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run an example until the site is up, whatever it says of itself."""
    log = project.folder / f"{name}.log"
    with running(["sh", "-c", project.script(name, port)], log, project.environ, project.folder) as process:
        try:
            wait_for(lambda: ask(port, "/-/live") == (200, "pass"), name)
            yield process
        except BaseException as error:
            error.add_note(log.read_text(errors="replace")[-4000:])
            raise


def stop(project: Project, process: subprocess.Popen[bytes]) -> None:
    """Do what the page says: signal the process that the file names."""
    named = int((project.folder / "aurora.pid").read_text())
    os.kill(named, signal.SIGTERM)
    process.wait(60)
    assert not is_running(named)


def ask_command(project: Project, port: int, option: str) -> str:
    """Return what the command says that needs no settings."""
    token = project.folder / "token"
    if not token.exists():
        token.write_text(project.manage("multihost_health", "--token"))
    command = [sys.executable, "-m", "wagtail_multihost.health", option, "--url", f"http://127.0.0.1:{port}"]
    command += ["--token-file", str(token), "--timeout", "60"]
    done = subprocess.run(command, env=project.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_site_drains_and_stops(name: str, project: Project) -> None:
    """
    Ready, drained in every worker by a request and by the command while `live` is answered, and stopped by SIGTERM; a
    request without a token drains nothing.
    """
    port = free_port()
    with served(project, name, port) as process:
        wait_for(lambda: ask(port, "/-/ready")[0] == 200, f"{name} to be ready")
        assert ask(port, "/-/drain", "POST") == (401, "unauthorized")
        assert ask(port, "/-/drain") == (200, "serving")
        for option, word in (("--drain", "draining"), ("--undrain", "serving")):
            assert ask_command(project, port, option) == word
            assert {ask(port, "/-/drain") for _ in range(20)} == {(200, word)}
        assert "draining" in project.manage("multihost_health", "--drain")
        assert {ask(port, "/-/ready") for _ in range(20)} == {(503, "draining")}
        assert ask(port, "/-/live") == (200, "pass")
        stop(project, process)


def test_a_server_that_starts_again_drains_until_it_is_told(project: Project) -> None:
    """On one machine a drain outlives the server, until --undrain."""
    project.manage("multihost_health", "--drain")
    port = free_port()
    with served(project, SCRIPTS[0], port) as process:
        assert ask(port, "/-/ready") == (503, "draining")
        project.manage("multihost_health", "--undrain")
        wait_for(lambda: ask(port, "/-/ready")[0] == 200, "the site to be ready again")
        stop(project, process)

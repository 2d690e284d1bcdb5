"""The first command of the README, run as a newcomer runs it: in a fresh copy, from nothing."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.processes import children, free_port, is_running, running, wait_for

pytestmark = pytest.mark.servers

CHECKOUT = Path(os.environ.get("MULTIHOST_CHECKOUT", Path(__file__).parents[2]))
SITES = ("aurora", "borealis", "corona")
LEFT_OUT = shutil.ignore_patterns(".git", ".tox", ".venv", "data", "static", "__pycache__", "_build")


@dataclass
class Run:
    """A running ./example_project/run."""

    project: Path
    port: int
    pid: int
    output: str

    def get(self, host: str, path: str = "/", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers={"Host": host, **headers})
        response = connection.getresponse()
        response.body = response.read().decode(errors="replace")  # type: ignore[attr-defined]
        connection.close()
        return response


@pytest.fixture(name="checkout", scope="session")
def _checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "checkout"
    shutil.copytree(CHECKOUT, folder, ignore=LEFT_OUT)
    return folder


@pytest.fixture(name="run", scope="session")
def _run(checkout: Path) -> Iterator[Run]:
    project, port, log = checkout / "example_project", free_port(), checkout / "run.log"
    command = [project / "run", "--port", str(port)]
    with running(command, log, environ=newcomer(), cwd=checkout) as process:
        wait_for(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, "the addresses", seconds=300)
        output = log.read_text()
        assert process.poll() is None, output
        yield Run(project, port, process.pid, output)


def newcomer() -> dict[str, str]:
    """Return the environment of a person who has Python and git alone."""
    left_out = ("COVERAGE", "COV_", "VIRTUAL_ENV", "DJANGO", "MULTIHOST", "PYTHON", "PYTEST")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    folder = str(Path(os.sys.executable).parent)  # type: ignore[attr-defined]
    path = [part for part in environ["PATH"].split(os.pathsep) if part != folder]
    return {**environ, "PATH": os.pathsep.join(path)}


def test_run_prints_addresses_and_login(run: Run) -> None:
    """Each site's address and the admin login are printed."""
    for site in SITES:
        assert f"http://{site}.localhost:{run.port}/" in run.output
    assert re.search(r"user admin, password \S{12,}", run.output)


@pytest.mark.parametrize("site", SITES)
def test_run_serves_each_site_its_own_home_page(run: Run, site: str) -> None:
    """A host shows the home page of its site and nothing of the others."""
    body = run.get(f"{site}.localhost:{run.port}").body  # type: ignore[attr-defined]
    assert f"<h1>Welcome to {site.title()}</h1>" in body
    assert not any(other.title() in body for other in SITES if other != site)


@pytest.mark.parametrize(
    "host", ["unknown.localhost", "127.0.0.1", "aurora.localhost..", "aurora", "x.aurora.localhost"]
)
def test_run_closes_unknown_hosts(run: Run, host: str) -> None:
    """A host that is not in the registry gets 404 or 421 and no site's page."""
    response = run.get(f"{host}:{run.port}")
    assert response.status in (404, 421)
    assert "Welcome" not in response.body  # type: ignore[attr-defined]


def test_run_refuses_absolute_form_of_another_site(run: Run) -> None:
    """A request line with one site's URI and another's Host header gets no page."""
    response = run.get(f"aurora.localhost:{run.port}", f"http://borealis.localhost:{run.port}/")
    assert response.status == 400


@pytest.mark.parametrize("path", ["/-/live/", "/-/ready", "/%2d/live/", "//-/live/", "/x/../-/live/"])
def test_run_hides_health(run: Run, path: str) -> None:
    """Health is not reachable from outside, however the path is spelled."""
    response = run.get(f"aurora.localhost:{run.port}", path)
    assert response.status == 404
    assert response.body != "pass"  # type: ignore[attr-defined]


def test_run_ignores_forwarded_headers(run: Run) -> None:
    """A client cannot pretend to be on https or on another host."""
    response = run.get(
        f"aurora.localhost:{run.port}", "/admin/", **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    )
    assert response.status == 302
    assert response.headers["Location"] == "/admin/login/?next=/admin/"


def test_run_serves_static_files_and_public_media(run: Run) -> None:
    """Static files and uploads are served, documents and paths out of the folder are not."""
    media = run.project / "data" / "sites" / "aurora" / "media"
    (media / "images").mkdir(parents=True, exist_ok=True)
    (media / "documents").mkdir(exist_ok=True)
    (media / "images" / "a b.txt").write_text("a picture")
    (media / "documents" / "secret.txt").write_text("a secret")
    host = f"aurora.localhost:{run.port}"
    picture = run.get(host, "/media/images/a%20b.txt")
    assert (picture.status, picture.body) == (200, "a picture")  # type: ignore[attr-defined]
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert run.get(host, "/static/wagtailadmin/css/core.css").status == 200
    for path in ("/media/documents/secret.txt", "/media//documents/secret.txt", "/media/%64ocuments/secret.txt"):
        response = run.get(host, path)
        assert (path, response.status) == (path, 404)
    for path in ("/media/../db.sqlite3", "/media/%2e%2e/db.sqlite3", "/media/images/..%2f..%2fdb.sqlite3", "/media/.x"):
        response = run.get(host, path)
        assert (path, response.status) == (path, 404)
        assert "SQLite" not in response.body  # type: ignore[attr-defined]
    assert run.get(f"borealis.localhost:{run.port}", "/media/images/a%20b.txt").status == 404


def test_run_keeps_sockets_in_a_private_folder_outside_the_checkout(run: Run) -> None:
    """Sockets lie in a 0700 folder that is not in the checkout, with paths that a socket can have."""
    text = (run.project / "data" / "sites.toml").read_text()
    sockets = Path(re.search(r'sockets = "(.*)"', text)[1])  # type: ignore[index]
    assert not sockets.is_relative_to(run.project.parent)
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert len(str(sockets / f"{SITES[1]}.sock")) <= 102
    assert {path.name for path in sockets.glob("*.sock")} >= {f"{site}.sock" for site in SITES}


def test_run_serves_a_browser(run: Run, tmp_path: Path) -> None:
    """Chromium finds a site by its printed address and shows its home page."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path}", "--dump-dom", f"http://corona.localhost:{run.port}/"]
    page = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "<h1>Welcome to Corona</h1>" in page


def test_second_run_on_the_same_data_is_refused(run: Run) -> None:
    """Two runs never write to one folder of data."""
    second = subprocess.run(
        [run.project / "run", "--port", str(free_port())], env=newcomer(), capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert "served already" in second.stderr


def test_run_refuses_a_port_in_use(run: Run, tmp_path: Path) -> None:
    """A port that another program has is named in one sentence."""
    other = tmp_path / "other"
    shutil.copytree(run.project, other / "example_project", ignore=shutil.ignore_patterns("data", ".venv"))
    (other / "example_project" / ".venv").symlink_to(run.project / ".venv")
    serve = [run.project / ".venv" / "bin" / "python", other / "example_project" / "serve.py", "--port", str(run.port)]
    result = subprocess.run(serve, env=newcomer(), capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(f"Port {run.port} cannot be used")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_run_stops_everything_and_keeps_the_data(run: Run, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, SIGTERM and even SIGKILL leave no process behind; the next run has the data of the first."""
    project, port, log = tmp_path / "example_project", free_port(), tmp_path / "run.log"
    shutil.copytree(run.project, project, ignore=shutil.ignore_patterns("run.lock", ".venv"))
    serve = [run.project / ".venv" / "bin" / "python", project / "serve.py", "--port", str(port)]
    database = project / "data" / "sites" / "aurora" / "db.sqlite3"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE home_homepage SET intro = 'Kept from before.'")
    connection.close()
    with running(serve, log, environ=newcomer()) as process:
        wait_for(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, "the addresses", seconds=120)
        everything = [process.pid, *children(process.pid)]
        assert len(everything) > len(SITES)
        page = Run(project, port, process.pid, "").get(f"aurora.localhost:{port}").body  # type: ignore[attr-defined]
        assert "Kept from before." in page
        os.kill(process.pid, number)
        wait_for(lambda: not any(is_running(pid) for pid in everything[1:]), "every process to end")
        assert process.wait(30) == (0 if number is not signal.SIGKILL else -signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_stops_while_it_prepares(run: Run, tmp_path: Path, number: signal.Signals) -> None:
    """A run that is stopped before it serves ends quietly too, and leaves neither process nor folder of sockets."""
    project, log = tmp_path / "example_project", tmp_path / "run.log"
    shutil.copytree(run.project, project, ignore=shutil.ignore_patterns("data", "static", ".venv"))
    serve = [run.project / ".venv" / "bin" / "python", project / "serve.py", "--port", str(free_port())]
    with running(serve, log, environ=newcomer()) as process:
        wait_for(lambda: (project / "data" / "admin-password").exists() and children(process.pid), "the first command")
        sockets = Path(re.search(r'sockets = "(.*)"', (project / "data" / "sites.toml").read_text())[1])  # type: ignore[index]
        everything = children(process.pid)
        os.kill(process.pid, number)
        assert process.wait(30) == 0
    assert not any(is_running(pid) for pid in everything)
    assert not sockets.exists()
    assert log.read_text().endswith("Stopped.\n")

"""The project that ``python -m wagtail_multihost.control startproject`` makes: it runs, and keeps its secrets."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import psycopg
import pytest

from tests.servers.browser import Browser
from tests.servers.postgres import HOST, SUPERUSER, Postgres
from tests.servers.processes import free_port, running, wait_for

NAME = "fleet_control"
PASSWORD = "a-long-enough-word-1"
SECURE = {"ORIGIN": "https://control.example.org", "DEBUG": "0"}
KEPT = ("COVERAGE", "LANG", "LC_", "PATH", "PYTHON")


def surroundings(**more: str) -> dict[str, str]:
    """Return the environment without what names settings or sites."""
    return {**{name: value for name, value in os.environ.items() if name.startswith(KEPT)}, **more}


def start_project(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wagtail_multihost.control", "startproject", *words]
    return subprocess.run(command, cwd=folder, env=surroundings(**more), capture_output=True, text=True, check=False)


def manage(project: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=project, env=surroundings(**more), capture_output=True, text=True, check=False)


@pytest.fixture(name="project", scope="module")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    done = start_project(folder, NAME)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / NAME


@pytest.fixture(name="database", scope="module")
def _database(project: Path, postgres: Postgres) -> Iterator[str]:
    """The URL of a database that has been migrated, and has one person."""
    postgres.add_database(NAME, SUPERUSER)
    url = f"postgres://{SUPERUSER}:{postgres.password}@{HOST}:{postgres.port}/{NAME}"
    for words in (
        ("migrate", "-v0"),
        ("createsuperuser", "--noinput", "--username", "ann", "--email", "ann@example.org"),
        ("collectstatic", "--noinput", "-v0"),
    ):
        done = manage(project, *words, DATABASE_URL=url, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
        assert done.returncode == 0, done.stderr
    yield url
    postgres.execute(SUPERUSER, "DROP DATABASE {} WITH (FORCE)", NAME)


def get(port: int, path: str) -> http.client.HTTPResponse | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": f"control.localhost:{port}"})
        response = connection.getresponse()
        response.text = response.read().decode()  # type: ignore[attr-defined]
        return response
    except OSError:
        return None
    finally:
        connection.close()


def body(port: int, path: str) -> tuple[int, str]:
    response = get(port, path)
    assert response is not None
    return response.status, response.text  # type: ignore[attr-defined]


SERVERS = {
    "runserver": ["manage.py", "runserver", "--noreload", "127.0.0.1:{port}"],
    "ASGI": ["-m", "uvicorn", "--port", "{port}", f"{NAME}.asgi:application"],
    "WSGI": ["-m", "gunicorn", "--bind", "127.0.0.1:{port}", f"{NAME}.wsgi:application"],
}


@pytest.mark.parametrize("server", SERVERS)
def test_project_runs(project: Path, database: str, tmp_path: Path, server: str) -> None:
    """As the README says, and behind servers of both kinds: it is healthy, and a person can log in to its admin."""
    port = free_port()
    command = [sys.executable, *(word.format(port=port) for word in SERVERS[server])]
    stated = {"DATABASE_URL": database, "ORIGIN": f"http://control.localhost:{port}"}
    log = tmp_path / "server.log"
    with running(command, log, surroundings(**stated), project) as process:
        wait_for(lambda: process.poll() is not None or get(port, "/-/live"), server, seconds=60)
        assert process.poll() is None, log.read_text()
        assert body(port, "/-/live") == (200, "pass\n")
        assert body(port, "/-/ready") == (200, "pass\n")
        assert body(port, "/-/nothing")[0] == 404
        front = get(port, "/")
        assert front is not None and (front.status, front.headers["Location"]) == (302, "/admin/")
        browser = Browser(f"http://control.localhost:{port}", port)
        home = browser.log_in("ann", PASSWORD)
        assert (home.status, home.url) == (200, f"http://control.localhost:{port}/admin/")
        assert "control_session" in browser.cookies
        if server == "runserver":
            assert body(port, "/static/wagtailadmin/css/core.css")[0] == 200


def test_project_is_not_ready_without_its_registry(
    project: Path, database: str, postgres: Postgres, tmp_path: Path
) -> None:
    """A process whose database is gone, or was never migrated, is alive, not ready, and says nothing of why."""
    port = free_port()
    command = [sys.executable, *(word.format(port=port) for word in SERVERS["WSGI"])]
    stated = {"DATABASE_URL": database.replace(NAME, SUPERUSER), "ORIGIN": f"http://control.localhost:{port}"}
    with running(command, tmp_path / "server.log", surroundings(**stated), project):
        wait_for(lambda: get(port, "/-/live"), "the server", seconds=60)
        assert body(port, "/-/live") == (200, "pass\n")
        assert body(port, "/-/ready") == (503, "fail\n")
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM control_head").fetchone() == (1,)


def test_project_passes_the_checks_of_a_deployment(project: Path) -> None:
    """With an https origin, Django finds nothing to say, and cookies are for TLS and this host alone."""
    stated = {**SECURE, "DATABASE_URL": f"postgres://nobody@{HOST}:1/none"}
    done = manage(project, "check", "--deploy", "--fail-level", "WARNING", **stated)
    assert done.returncode == 0, done.stderr
    words = ("shell", "-v0", "-c", "from django.conf import settings as s; print(s.SESSION_COOKIE_NAME, s.DEBUG)")
    shown = manage(project, *words, **stated)
    assert shown.stdout.split() == ["__Host-control_session", "False"], shown.stderr


@pytest.mark.parametrize(
    ("stated", "sentence"),
    [
        ({"ORIGIN": "http://control.example.org"}, "http:// is for names that end in localhost."),
        ({"ORIGIN": "https://control.example.org/admin"}, "ORIGIN must be such as https://control.example.org;"),
        ({"ORIGIN": "control.localhost"}, "ORIGIN must be such as https://control.example.org;"),
        ({"ORIGIN": "http://notlocalhost"}, "http:// is for names that end in localhost."),
        ({"ORIGIN": "https://control.example.org"}, "DEBUG shows secrets to visitors"),
        ({"DEBUG": "yes"}, "DEBUG must be 0 or 1."),
        ({"DATABASE_URL": "sqlite:///control.sqlite3"}, "DATABASE_URL must be a database in PostgreSQL"),
    ],
)
def test_wrong_variables_are_refused(project: Path, stated: dict[str, str], sentence: str) -> None:
    """What would be unsafe, or cannot work, is said before anything is served."""
    done = manage(project, "check", **stated)
    assert done.returncode != 0
    assert sentence in done.stderr


def test_missing_variable_is_named(project: Path, tmp_path: Path) -> None:
    """A process without a secret key, as on a server where none was given, does not start."""
    assert start_project(tmp_path, NAME).returncode == 0
    (tmp_path / NAME / "variables.env").unlink()
    done = manage(tmp_path / NAME, "check", **SECURE, DATABASE_URL=f"postgres://nobody@{HOST}:1/none")
    assert done.returncode != 0
    assert "Set SECRET_KEY, or SECRET_KEY_FILE, in the environment" in done.stderr


def test_value_may_be_in_a_file_and_the_environment_counts_more(project: Path, tmp_path: Path) -> None:
    """A file of a secret is read without its last newline, instead of what variables.env says."""
    (tmp_path / "key").write_text("k" * 30 + "ey-of-a-file-0123456789\n")
    words = ("shell", "-v0", "-c", "from django.conf import settings as s; print(s.SECRET_KEY, s.ALLOWED_HOSTS)")
    done = manage(project, *words, SECRET_KEY_FILE=str(tmp_path / "key"), ORIGIN="http://other.localhost:1")
    assert done.stdout.strip() == "k" * 30 + "ey-of-a-file-0123456789 ['other.localhost']", done.stderr


def test_secrets_are_its_owners_alone(tmp_path: Path) -> None:
    """Each project has another key, in a file that only its owner reads and that git leaves out."""
    keys = set()
    for name in ("one_control", "other_control"):
        assert start_project(tmp_path, name).returncode == 0
        secret = tmp_path / name / "variables.env"
        assert S_IMODE(secret.stat().st_mode) == 0o600
        assert "/variables.env\n" in (tmp_path / name / ".gitignore").read_text()
        keys.add(secret.read_text().partition("SECRET_KEY=")[2])
        assert len(keys) > 0 and all(len(key.strip()) >= 50 for key in keys)
        others = [path for path in (tmp_path / name).rglob("*") if path.is_file() and path != secret]
        assert not [path for path in others if any(key.strip() in path.read_text() for key in keys)]
    assert len(keys) == 2


def test_project_is_no_site(project: Path) -> None:
    """It resolves nothing, and a registry or a site in its surroundings changes nothing."""
    texts = "".join(path.read_text() for path in project.rglob("*.py"))
    assert "wagtail_multihost.resolver" not in texts
    assert "MULTIHOST_SITE" not in texts
    words = ("shell", "-v0", "-c", "from wagtail_multihost.running import current; print(current())")
    done = manage(project, *words, MULTIHOST_SITE="aurora", MULTIHOST_REGISTRY="/nowhere.toml")
    assert done.stdout.strip() == "None", done.stderr


def test_project_can_be_made_in_an_empty_folder(tmp_path: Path) -> None:
    """A folder is made where it is missing, and may be there."""
    (tmp_path / "there").mkdir()
    for folder in ("there", "missing/deeper"):
        done = start_project(tmp_path, NAME, folder)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / folder / NAME / "settings.py").is_file()
        assert os.access(tmp_path / folder / "manage.py", os.X_OK)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["fleet-control"], "A project cannot be called 'fleet-control'"),
        (["class"], "A project cannot be called 'class'"),
        (["flötte"], "A project cannot be called 'flötte'"),
        (["django"], "There is a Python module django already"),
        (["sys"], "There is a Python module sys already"),
        ([NAME, "full"], "full is not empty"),
        ([NAME, "full/file"], "full/file is not a folder."),
        ([NAME, "full/file/below"], "full/file/below cannot be written: Not a directory."),
        (["full"], "full is not empty"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(tmp_path: Path, words: list[str], sentence: str) -> None:
    """A wrong name, and a folder that has something, are refused in one line, and nothing is made or changed."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    done = start_project(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
    assert sentence in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "file"]
    assert (tmp_path / "full" / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("sys.modules['psycopg'] = None", "psycopg is not installed"),
        ("import importlib.metadata as m; m.version = lambda name: '7.4.2'", "needs Wagtail 8 or later; 7.4.2 is"),
    ],
)
def test_missing_extra_is_one_sentence(tmp_path: Path, missing: str, sentence: str) -> None:
    """Without what the extra installs, that is said, and no project is made."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(f"import sys; {missing}")
    done = start_project(tmp_path, NAME, PYTHONPATH=str(tmp_path / "hidden"))
    assert done.returncode == 2
    assert sentence in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / NAME).exists()

"""The first command of the README, run as a newcomer runs it: in a fresh copy, from nothing."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest

from tests.servers.browser import Browser
from tests.servers.chromium import Chromium, chromium
from tests.servers.example import (
    CHECKOUT,
    SITES,
    STEP,
    Run,
    copy_project,
    newcomer,
    press_ctrl_c,
    rest_of,
    started,
    wait_for_step,
    words_of,
)
from tests.servers.processes import children, free_port, is_running, running, wait_for

pytestmark = pytest.mark.servers

#: What a visitor sees of each site's settings: language, theme, time zone and a word of its home page.
LOOKS = {
    "aurora": ("en-gb", "night", "Atlantic/Reykjavik", "Welcome to Aurora Observatory"),
    "borealis": ("de", "ember", "Europe/Berlin", "Rösterei Borealis heißt Sie willkommen"),
    "corona": ("fr", "garden", "America/Montreal", "Bienvenue au Jardin Corona"),
}
NAMES = [name for *_, name in LOOKS.values()]
SCREENS = {"phone": (360, 740), "desktop": (1280, 900)}
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(name="checkout", scope="session")
def _checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(CHECKOUT, tmp_path_factory.mktemp("fresh") / "checkout")


@pytest.fixture(name="run", scope="session")
def _run(checkout: Path) -> Iterator[Run]:
    project, port, log = checkout / "example_project", free_port(), checkout / "run.log"
    command = [project / "run", "--port", str(port)]
    with running(command, log, environ=newcomer(), cwd=checkout) as process:
        wait_for(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, "the addresses", seconds=300)
        output = log.read_text()
        assert process.poll() is None, output
        yield Run(project, port, process.pid, output)


@pytest.fixture(name="copy")
def _copy(run: Run, tmp_path: Path) -> Path:
    """A copy of the project without data, which has the environment of the first."""
    project = copy_project(run.project, tmp_path / "example_project")
    (project / ".venv").symlink_to(run.project / ".venv")
    return project


@pytest.fixture(name="browser", scope="module")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


def serve(project: Path, port: int) -> list[str | Path]:
    """Return the command of the small form, which test_example_control.py has with the control site."""
    return [project / ".venv" / "bin" / "python", project / "serve.py", "--port", str(port), "--without-control"]


def test_run_says_what_it_does_and_for_how_long(run: Run) -> None:
    """Each step has a line with the seconds since the start, which only grow; nothing else is said before the end."""
    before, _, _ = run.output.partition("3 sites, one codebase:")
    assert [line for line in before.splitlines() if not STEP.fullmatch(line)] == []
    seconds = [float(line.split()[0]) for line in before.splitlines()]
    assert seconds == sorted(seconds)
    steps = STEP.findall(before)
    for word in ("virtual environment", "Installing", "Migrating", "Loading", "Starting"):
        assert [step for step in steps if word in step], word


def test_run_prints_addresses_and_login(run: Run) -> None:
    """Each site's address and the admin login are printed."""
    for site in SITES:
        assert f"http://{site}.localhost:{run.port}/\n" in run.output
    assert re.search(r"user admin, password \S{12,}", run.output)


@pytest.mark.parametrize("site", SITES)
def test_run_serves_each_site_its_own_home_page(run: Run, site: str) -> None:
    """A host shows its site's home page, in its language, theme and time zone, and nothing of the others."""
    language, theme, zone, title = LOOKS[site]
    page = run.page(site)
    assert f'<html lang="{language}" data-theme="{theme}">' in page
    assert f"<h1>{title}</h1>" in page
    assert zone in page
    assert f"/static/home/{theme}.svg" in page
    assert not [other for other in LOOKS if other != site and other.title() in page]


@pytest.mark.parametrize("site", SITES)
def test_pages_have_pictures_and_a_logo_that_are_there(run: Run, site: str) -> None:
    """A home page has four pictures of the site's own uploads, and each file that it names is served."""
    browser = Browser(f"http://{site}.localhost:{run.port}", run.port)
    images = browser.get("/").links("img", "src")
    assert len([url for url in images if "/media/images/" in url]) == 4
    for url in [*images, f"{browser.origin}/static/home/site.css"]:
        answer = browser.get(url)
        assert (url, answer.status) == (url, 200)
        assert answer.headers["Content-Type"] in ("image/jpeg", "image/svg+xml", "text/css")


def test_content_of_wagtails_own_first_page_is_gone(run: Run) -> None:
    """The tree of pages has the site's pages alone, in the language of the site."""
    for site in SITES:
        with sqlite3.connect(run.project / "data" / "sites" / site / "db.sqlite3") as connection:
            tops = connection.execute("SELECT slug FROM wagtailcore_page WHERE depth = 2").fetchall()
            languages = connection.execute("SELECT language_code FROM wagtailcore_locale").fetchall()
        connection.close()
        assert (tops, languages) == ([("welcome",)], [(LOOKS[site][0],)])


@pytest.mark.parametrize("site", SITES)
def test_pages_are_accessible_and_fit(run: Run, browser: Chromium, site: str, tmp_path: Path) -> None:
    """On a phone and on a desktop, axe finds nothing in any kind of page, and nothing has to be scrolled sideways."""
    origin = f"http://{site}.localhost:{run.port}"
    article = re.search(r'<h2><a href="(.*?)">', run.page(site))[1]  # type: ignore[index]
    paths = [f"{origin}/", f"{origin}{article}", f"{origin}/mine/", f"{origin}/search/?q=e"]
    axe = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    for screen, (width, height) in SCREENS.items():
        for url in paths:
            browser.visit(url, width=width, height=height)
            browser.screenshot(tmp_path / f"{screen}.png")
            assert (url, browser.evaluate("document.documentElement.scrollWidth")) == (url, width)
            browser.evaluate(f"{axe}; 1")
            options = json.dumps({"runOnly": AXE_TAGS})
            found = browser.evaluate(f"axe.run({options}).then(({{violations, passes}}) => ({{violations, passes}}))")
            assert "color-contrast" in {rule["id"] for rule in found["passes"]}
            assert (url, [[rule["id"], [node["html"] for node in rule["nodes"]]] for rule in found["violations"]]) == (
                url,
                [],
            )


def facts_of(run: Run, site: str) -> dict[str, str]:
    """Return what a site's page says to be its own."""
    found = re.findall(r'<dt>(.*?)</dt><dd class="value">(.*?)</dd>', run.page(site, "/mine/"))
    return dict(found)


def test_what_is_mine_is_nobody_elses(run: Run) -> None:
    """Database, prefix, folder, fingerprint and process are on the page of a site, and each site has others."""
    facts = {site: facts_of(run, site) for site in SITES}
    names = {"Site", "Addresses", "Database", "Cache prefix", "Uploads", "Key fingerprint", "Cookie", "Process"}
    assert set(facts["aurora"]) >= names
    for name in facts["aurora"]:
        assert len({own[name] for own in facts.values()}) == len(SITES), name
    for site, own in facts.items():
        assert own["Database"].endswith(f"/data/sites/{site}/db.sqlite3")
        assert int(own["Process"].partition(",")[0]) in children(run.pid)


def test_what_is_mine_shows_no_secret(run: Run) -> None:
    """Neither a key nor the password is on the page, nor the beginning of one."""
    settings = manage(run, "aurora", "from django.conf import settings; print(settings.SECRET_KEY)")
    data = run.project / "data"
    for secret in (settings, (data / "platform.key").read_text(), (data / "admin-password").read_text()):
        assert len(secret.strip()) >= 12
        assert secret.strip()[:12] not in run.page("aurora", "/mine/")


def test_what_is_mine_is_for_development_alone(run: Run) -> None:
    """Visitors of a platform in production do not find the page."""
    code = """
from types import SimpleNamespace
from django.http import Http404
from django.test import RequestFactory
from home import views

site = views.registered_site()[1]
for environment in ("development", "production"):
    views.registered_site = lambda: (SimpleNamespace(environment=environment), site)
    try:
        print(environment, views.mine(RequestFactory().get("/mine/", HTTP_HOST="aurora.localhost")).status_code)
    except Http404:
        print(environment, 404)
"""
    assert manage(run, "aurora", code).splitlines() == ["development 200", "production 404"]


def manage(run: Run, site: str, code: str) -> str:
    """Return what Python code prints in a process of a site."""
    done = subprocess.run(
        [run.project / "data" / "manage", "shell", "-v0", "-c", code],
        env=newcomer(MULTIHOST_SITE=site),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_closing_commands_work_when_pasted(run: Run, tmp_path: Path) -> None:
    """Each command of the closing text works in another folder, and shows what is said of it."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\ncurl --silent --fail --location "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    _, _, text = run.output.partition("in any folder:\n")
    lines = [line.strip() for line in text.splitlines() if line.startswith("  ")]
    shown = {}
    for line in lines:
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=tmp_path,
            env=newcomer(BROWSER=f"{browser} %s"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
        opened = (tmp_path / "opened").read_text() if "webbrowser" in line else ""
        shown[line.rpartition("  # ")[2]] = done.stdout + opened
    assert "corona.localhost" in shown["the sites"]
    assert "Welcome to Aurora Observatory" in shown["a site, in your browser"]
    assert 'name="password"' in shown["its admin"]
    assert "pass" in shown["how it is"]
    assert 'TIME_ZONE = "Atlantic/Reykjavik"' in shown["its settings, and where each comes from"]
    assert {path.name for path in (run.project / "data" / "etc").iterdir()} >= {"nginx", "uwsgi"}
    assert "db.sqlite3" in shown["its files, and all logs"]
    assert len(shown) == 7


@pytest.mark.parametrize(
    "host", ["unknown.localhost", "127.0.0.1", "aurora.localhost..", "aurora", "x.aurora.localhost"]
)
def test_run_closes_unknown_hosts(run: Run, host: str) -> None:
    """A host that is not in the registry gets 404 or 421 and no site's page."""
    response = run.get(f"{host}:{run.port}")
    assert response.status in (404, 421)
    assert not [name for name in NAMES if name in response.body]  # type: ignore[attr-defined]


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
        assert response.status in (400, 404), path
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


def test_second_run_on_the_same_data_is_refused(run: Run) -> None:
    """Two runs never write to one folder of data."""
    second = subprocess.run(
        [run.project / "run", "--port", str(free_port())], env=newcomer(), capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert "served already" in second.stderr


def test_run_refuses_a_port_in_use(run: Run, copy: Path) -> None:
    """A port that another program has is named in one sentence."""
    result = subprocess.run(serve(copy, run.port), env=newcomer(), capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(f"Port {run.port} cannot be used")
    assert result.stderr.count("\n") == 1


def copy_with_data(run: Run, folder: Path) -> Path:
    """Return a copy of the project with its data, which names the first run's folder as its own."""
    left_out = shutil.ignore_patterns("run.lock", ".venv", "control")
    project = Path(shutil.copytree(run.project, folder / "example_project", symlinks=True, ignore=left_out))
    (project / ".venv").symlink_to(run.project / ".venv")
    return project


@contextmanager
def served(project: Path, log: Path, port: int) -> Iterator[tuple[Run, subprocess.Popen[bytes]]]:
    """Serve the sites of a copy."""
    with started(serve(project, port), log) as process:
        wait_for(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, "the addresses", seconds=120)
        assert process.poll() is None, log.read_text()
        yield Run(project, port, process.pid, log.read_text()), process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_stops_everything_and_keeps_the_data(run: Run, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM leave neither process nor folder, and the next run has the same data."""
    project, log = copy_with_data(run, tmp_path), tmp_path / "run.log"
    with sqlite3.connect(project / "data" / "sites" / "aurora" / "db.sqlite3") as connection:
        connection.execute("UPDATE home_homepage SET intro = 'Kept from before.'")
    connection.close()
    with served(project, log, free_port()) as (second, process):
        assert len(children(process.pid)) > len(SITES)
        assert "Kept from before." in second.page("aurora")
        folder = Path((project / "data" / "runtime").read_text())
        press_ctrl_c(process, number)
    assert log.read_text().endswith("Stop with Ctrl-C.\nStopped.\n")
    assert not folder.exists()
    assert not (project / "data" / "runtime").exists()


def test_next_run_removes_what_a_killed_one_left(run: Run, tmp_path: Path) -> None:
    """
    After kill -9 nothing is served any more, and the next run ends and removes what is left, and makes nothing anew.
    What another run has, whose data this is a copy of, stays.
    """
    project, log, port = copy_with_data(run, tmp_path), tmp_path / "run.log", free_port()
    with served(project, log, port) as (_, process):
        everything = children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        wait_for(lambda: not any(is_running(pid) for pid in everything), "every process to end")
    folder = Path((project / "data" / "runtime").read_text())
    assert folder.is_dir()
    sleeping = [project / ".venv" / "bin" / "python", "-c", "import time; time.sleep(600)"]
    looking = ["/bin/sh", "-c", "sleep 600; :", folder / "x"]  # as an editor or a pager does
    with (
        running([*sleeping, folder / "x"], log) as left,
        running([*sleeping, tmp_path / "x"], log) as other,
        running(looking, log) as reader,
    ):
        with served(project, log, port) as (second, _):
            left.wait(10)
            assert other.poll() is None and reader.poll() is None
            assert f"Removed what a killed run had left: {folder} and 1 processes" in second.output
        assert not folder.exists()
        assert words_of(log)[1:] == ["Writing the configurations", "Starting the sites"]
    assert "Aurora" in run.page("aurora")


@pytest.mark.parametrize(
    ("step", "number"),
    [("Migrating", signal.SIGINT), ("Loading", signal.SIGINT), ("Loading", signal.SIGHUP), ("Starting", signal.SIGINT)],
)
def test_run_stops_while_it_prepares(run: Run, copy: Path, tmp_path: Path, step: str, number: signal.Signals) -> None:
    """Stopped before it serves, a run ends with one line, and leaves neither process nor folder of sockets."""
    log, scratch = tmp_path / "run.log", tmp_path / "tmp"
    scratch.mkdir()
    if step != "Migrating":
        copy_template(run.project, copy)
    with started(serve(copy, free_port()), log, TMPDIR=str(scratch), XDG_RUNTIME_DIR="") as process:
        wait_for_step(step, log, process)
        press_ctrl_c(process, number)
    assert rest_of(log.read_text()) == "Stopped.\n"
    assert list(scratch.iterdir()) == []


def copy_template(project: Path, copy: Path) -> None:
    """Spare a copy the migrations."""
    (copy / "data").mkdir()
    for template in (project / "data").glob("template-*.sqlite3"):
        shutil.copy(template, copy / "data")


def test_run_without_room_says_so_in_one_sentence(copy: Path) -> None:
    """A program that cannot write fails the run with a sentence, and the traceback is in the log that it names."""

    def have_little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(
        serve(copy, free_port()),
        env=newcomer(),
        preexec_fn=have_little_room,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    told = rest_of(done.stderr)
    assert told.count("\n") == 1
    assert told.startswith("It failed: ")
    log = told.split()[-1]
    assert "Traceback" in Path(log).read_text()


def test_later_site_is_made_from_the_template(run: Run, tmp_path: Path) -> None:
    """A site that is added to the registry gets a copy of the migrated database, without content of another site."""
    project, log = copy_with_data(run, tmp_path), tmp_path / "run.log"
    with sqlite3.connect(next((project / "data").glob("template-*.sqlite3"))) as connection:
        for table in ("auth_user", "home_homepage", "wagtailimages_image", "django_session"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    connection.close()
    with open(project / "sites.toml", "a") as sites:
        sites.write('\n[sites.delta]\nhostnames = ["delta.localhost"]\n')
    with served(project, log, free_port()) as (second, _):
        assert "<h1>Welcome to Delta</h1>" in second.page("delta")
        assert not [step for step in words_of(log) if "Migrating" in step]


def test_run_is_followed_by_the_control_site(run: Run, checkout: Path) -> None:
    """What the first command installs is enough for the control site too; test_example_control.py has the rest."""
    log = checkout / "run.log"
    wait_for(lambda: "control site: http" in log.read_text(), "the control site", seconds=240)
    assert "There is no control site" not in log.read_text()
    assert run.get(f"control.localhost:{run.port}", "/-/ready").status == 200
    assert {run.get(f"{site}.localhost:{run.port}").status for site in SITES} == {200}

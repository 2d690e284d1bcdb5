"""Projects on the embedded default: SQLite, local files, and uWSGI alone in front."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers.browser import Browser
from tests.servers.processes import free_port, running, wait_for
from tests.servers.workshop import CHECKOUT, LEFT_OUT

SITES = ("aurora", "borealis", "corona")
ADMIN = "admin"
BIN = Path(sys.executable).parent
# The lines of the README, and nothing else, are added to what `wagtail start` makes.
APP = '    "wagtail_multihost",\n'
MIDDLEWARE = '    "wagtail_multihost.health.middleware.HealthMiddleware",\n'
LAST_LINES = "\nfrom wagtail_multihost.resolver import resolve\n\nresolve().apply(globals())\n"
REGISTRY = """\
[platform]
name = "aviary"
data = "{data}"
sockets = "{sockets}"
origin = "http://{{hostname}}:{port}"

[platform.uwsgi]
http = "127.0.0.1:{port}"
processes = 1
"""
SITE = """
[sites.{site}]
hostnames = ["{site}.localhost", "www.{site}.localhost"]
aliases = ["{site}-alias.localhost"]
"""
SEED = """
import os
from django.contrib.auth import get_user_model
get_user_model().objects.create_superuser("admin", "admin@example.org", os.environ["SEED_PASSWORD"])
"""
NAME_HOME = """
from django.conf import settings
from wagtail.models import Site
site = Site.objects.get(is_default_site=True)
site.hostname = settings.ALLOWED_HOSTS[0]
site.save()
home = site.root_page.specific
home.title = "Welcome to " + settings.WAGTAIL_SITE_NAME
home.save_revision().publish()
"""


@dataclass(frozen=True)
class Kind:
    """What differs between the two projects: settings, the type of a new page, and how search is asked."""

    name: str
    settings: str
    page_type: str
    search: str


EXAMPLE = Kind("example_project", "example.settings", "home/articlepage", "/search/?q={query}")
STARTED = Kind("wagtail_start", "mysite.settings.production", "home/homepage", "/search/?query={query}")


@dataclass(frozen=True)
class Embedded:
    """Three sites being served: the ``kind`` of project, its ``folder``, the ``port`` and the admins' ``password``."""

    kind: Kind
    folder: Path
    port: int
    password: str
    emperor: int

    def browser(self, host: str) -> Browser:
        return Browser(f"http://{host}.localhost:{self.port}", self.port)

    def admin(self, site: str) -> Browser:
        browser = self.browser(site)
        browser.log_in(ADMIN, self.password)
        return browser

    def data(self, site: str) -> Path:
        return self.folder / "data" / "sites" / site

    def manage(self, *words: str, site: str = "") -> str:
        return manage(self.kind, self.folder, *words, site=site)


@contextlib.contextmanager
def opened(kind: Kind) -> Iterator[Embedded]:
    folder = Path(tempfile.mkdtemp(prefix="mh-"))
    sockets, port, password = folder / "run", free_port(), secrets.token_urlsafe(16)
    try:
        sockets.mkdir(mode=0o700)
        make_project(kind, folder)
        text = REGISTRY.format(data=folder / "data", sockets=sockets, port=port)
        (folder / "sites.toml").write_text(text + "".join(SITE.format(site=site) for site in SITES))
        make_content(kind, folder, password)
        manage(kind, folder, "multihost_emit", "uwsgi", "--output", str(folder / "etc"))
        command = [BIN / "uwsgi", "--ini", folder / "etc" / "uwsgi-emperor" / "emperor.ini"]
        with running(command, folder / "uwsgi.log", environ=environment(), cwd=folder) as emperor:
            embedded = Embedded(kind, folder, port, password, emperor.pid)
            for site in SITES:
                wait_for(lambda site=site: answers(embedded, site, 200), f"{site}; see {folder / 'uwsgi.log'}")
            # A vassal of its own answers for hosts of nobody. It may be ready last.
            wait_for(lambda: answers(embedded, "unknown", 404), f"unknown hosts; see {folder / 'uwsgi.log'}")
            yield embedded
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def answers(embedded: Embedded, host: str, status: int) -> bool:
    try:
        return embedded.browser(host).get("/").status == status
    except OSError:
        return False


def make_project(kind: Kind, folder: Path) -> None:
    if kind is EXAMPLE:
        shutil.copytree(CHECKOUT / "example_project", folder, ignore=LEFT_OUT, dirs_exist_ok=True)
        return
    subprocess.run([BIN / "wagtail", "start", "mysite", folder], check=True, capture_output=True)
    settings = folder / "mysite" / "settings"
    base = (settings / "base.py").read_text()
    base = base.replace("INSTALLED_APPS = [\n", f"INSTALLED_APPS = [\n{APP}")
    (settings / "base.py").write_text(base.replace("MIDDLEWARE = [\n", f"MIDDLEWARE = [\n{MIDDLEWARE}"))
    for name in ("dev.py", "production.py"):
        with open(settings / name, "a") as file:
            file.write(LAST_LINES)


def make_content(kind: Kind, folder: Path, password: str) -> None:
    """Make the first site's database, clone the others from it, users and all, and name the home pages."""
    manage(kind, folder, "collectstatic", "--noinput", "-v0")
    first, *others = SITES
    if kind is EXAMPLE:
        (folder / "password").write_text(password)
        manage(kind, folder, "load_demo", "--password-file", str(folder / "password"), site=first)
    else:
        manage(kind, folder, "migrate", "-v0", site=first)
        manage(kind, folder, "shell", "-c", SEED, site=first, SEED_PASSWORD=password)
    for other in others:
        manage(kind, folder, "check", site=other)
        shutil.copy(database(folder, first), database(folder, other))
        manage(kind, folder, "multihost_adopt", other, "--noinput")
    for site in SITES:
        manage(kind, folder, "shell", "-c", NAME_HOME, site=site)


def database(folder: Path, site: str) -> Path:
    return folder / "data" / "sites" / site / "db.sqlite3"


def copy_sessions(folder: Path, source: str, target: str) -> None:
    """Put every session of one site's database into another's."""
    with contextlib.closing(sqlite3.connect(database(folder, source))) as connection:
        rows = connection.execute("SELECT session_key, session_data, expire_date FROM django_session").fetchall()
    with contextlib.closing(sqlite3.connect(database(folder, target))) as connection, connection:
        connection.executemany("INSERT OR REPLACE INTO django_session VALUES (?, ?, ?)", rows)


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "DATABASE_URL": "postgresql://ambient:ambient@127.0.0.1:1/x"}


def manage(kind: Kind, folder: Path, *words: str, site: str = "", **more: str) -> str:
    """Run manage.py and return what it prints; raises AssertionError when it fails."""
    named = {"MULTIHOST_SITE": site} if site else {}
    done = subprocess.run(
        [sys.executable, "manage.py", *words, "--settings", kind.settings],
        env={**environment(), **named, **more},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(words)[:200]}\n{done.stdout}\n{done.stderr}"
    return done.stdout

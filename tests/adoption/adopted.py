"""A project that was there before: how it is moved onto the resolver, and served as two sites."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

from tests.adoption.guide import FOLDER, HOW_TO, MODULE, PLACE, commands_of, python_of
from tests.servers.accounts import FRONT, ROOT, SITES, Account
from tests.servers.browser import Browser
from tests.servers.nginx import running_nginx
from tests.servers.postgres import HOST, Postgres, running_postgres
from tests.servers.processes import free_port
from tests.servers.redis import RedisServer, running_redis
from tests.servers.uwsgi import running_emperor
from tests.servers.workshop import open_python
from wagtail_multihost.registry import open_registry
from wagtail_multihost.spec.site import SiteSpec

#: The site that was there before, and the new one, as the guide names them.
OLD, NEW = "aurora", "borealis"
HOSTS = {OLD: "www.aurora.example.org", NEW: "www.borealis.example.org"}
TITLES = {OLD: "Aurora was here before", NEW: "Borealis is new"}
ADMIN, PASSWORD = "admin", "a-password-that-stays-the-same"
SECONDS = 600
APP = '    "wagtail_multihost",\n'
COMPARISON = " --against "
MOVE, FRONT_PAGE, TEST = "move-an-existing-project.md", "put-nginx-and-uwsgi-in-front.md", "test-isolation.md"
# What the old site has: a user, a picture, and a home page with a title of its own.
CONTENT = """
import io
from django.contrib.auth import get_user_model
from django.core.files.images import ImageFile
from PIL import Image as Picture
from wagtail.images import get_image_model
from wagtail.models import Site
get_user_model().objects.create_superuser({admin!r}, "admin@example.org", {password!r})
stream = io.BytesIO()
Picture.new("RGB", (80, 60), "red").save(stream, "PNG")
get_image_model().objects.create(title="old", file=ImageFile(io.BytesIO(stream.getvalue()), name={picture!r}))
page = Site.objects.get(is_default_site=True).root_page.specific
page.title = {title!r}
page.save_revision().publish()
"""


@dataclass
class Adopted:
    """
    A project in ``folder`` with the production settings ``module``, and the ``python`` of its virtual environment.
    """

    folder: Path
    module: str
    postgres: Postgres
    redis: RedisServer
    python: Path
    https: int = field(default_factory=free_port)
    http: int = field(default_factory=free_port)
    old_key: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    old_password: str = field(default_factory=secrets.token_urlsafe)
    #: What the guide's comparison printed with the site's hostnames alone, and with the whole registry.
    differences: list[str] = field(default_factory=list)

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def settings(self) -> Path:
        """The folder of the settings modules."""
        return self.project / self.module.split(".")[0] / "settings"

    @property
    def registry(self) -> Path:
        return self.project / "sites.toml"

    @property
    def etc(self) -> Path:
        return self.folder / "etc"

    @property
    def media(self) -> Path:
        return self.project / "media"

    def environ(self, **more: str) -> dict[str, str]:
        path = os.pathsep.join([str(self.python.parent), os.defpath])
        return {"PATH": path, "LANG": "C.UTF-8", "DJANGO_SETTINGS_MODULE": self.module, **more}

    def run(self, line: str, account: Account, expected: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell in the project's folder."""
        done = subprocess.run(
            account.command("bash", "-c", line),
            env=self.environ(**more),
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            umask=0o022 if account == ROOT else 0o027,
            check=False,
        )
        assert done.returncode == expected, f"{line}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done

    def run_as_written(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of a page, with this project's settings module and folder in place of the page's."""
        for name, own in ((MODULE, self.module), (FOLDER, self.etc), (PLACE, self.folder)):
            line = line.replace(name, str(own))
        # As both pages say of commands that name a site; the others are the operator's, who owns the project.
        as_sites = line.startswith("sudo -u aviary ") or " multihost_as " in line
        return self.run(line.removeprefix("sudo -u aviary "), SITES if as_sites else ROOT)

    def make_old_site(self, title: str) -> None:
        """Make the database and the content of the project as it was, by the project's own commands."""
        self.postgres.add_role(OLD, self.old_password)
        self.postgres.add_database(OLD, OLD)
        self.run("python manage.py migrate -v0", SITES)
        self.add_content(OLD, title)

    def add_content(self, site: str, title: str, **environ: str) -> None:
        code = CONTENT.format(admin=ADMIN, password=PASSWORD, picture=f"{site}.png", title=title)
        self.run(f"python manage.py shell -v0 -c '{code.replace(chr(39), chr(34))}'", SITES, **environ)

    def write_registry(self) -> None:
        """Write the guide's registry, with this machine's servers, folders and secrets in place of the guide's."""
        document = tomlkit.parse((HOW_TO.parent / "examples" / "moved.toml").read_text()).unwrap()
        platform, sites = document["platform"], document["sites"]
        for table in (platform, *sites.values()):  # the guide's shop, which these projects have not
            table.pop("project_settings", None)
            table.pop("env", None)
        keys = SITES.folder(self.folder / "secrets", 0o700)
        certificates = self.make_certificate()
        del platform["secure_proxy_ssl_header"]
        platform |= {
            "revision": 1,
            "data": self.folder / "data",
            "sockets": self.folder / "run",
            "secret_key_file": keys / "platform_key",
            "tls": {"certificate": certificates / "all.pem", "key": certificates / "all.key"},
            "uwsgi": {"build": "debian", "processes": 1},
            "nginx": {
                "http": [f"127.0.0.1:{self.http}"],
                "https": [f"127.0.0.1:{self.https}"],
                "user": FRONT.user,
                "pid": self.folder / "nginx.pid",
                "logs": self.folder / "logs",
                "temp": self.folder / "temp",
            },
            "storage": {"backend": "files"},
        }
        platform["database"] |= {"host": HOST, "port": self.postgres.port, "password_file": keys / "{site}_database"}
        platform["cache"] |= {"host": HOST, "port": self.redis.port, "password_file": keys / "{site}_cache"}
        sites[OLD] |= {"secret_key_file": keys / "aurora_key", "storage": {"path": self.media}}
        sites[OLD]["mail"]["password_file"] = keys / "aurora_mail"
        for site, table in sites.items():
            table["cache"] = {"username": site}
        values = {"platform_key": secrets.token_urlsafe(48), "aurora_key": self.old_key, "aurora_mail": "mail"}
        values |= {f"{OLD}_database": self.old_password, f"{NEW}_database": secrets.token_urlsafe(24)}
        values |= {f"{site}_cache": secrets.token_urlsafe(24) for site in HOSTS}
        for name, value in values.items():
            SITES.write(keys / name, f"{value}\n")
        for name in ("dockerignore", "gitignore"):
            with open(self.project / f".{name}", "a") as ignored:
                ignored.write((HOW_TO.parent / "examples" / name).read_text())
        SITES.write(self.registry, tomlkit.dumps(json.loads(json.dumps(document, default=str))))
        self.add_servers_of_sites(values)

    def add_servers_of_sites(self, values: Mapping[str, str]) -> None:
        """Make what the operator makes at the servers: the new site's database, and both sites' users of Redis."""
        names = sites_of(self.registry)[NEW].names
        self.postgres.add_role(names.role, values[f"{NEW}_database"])
        self.postgres.add_database(names.database, names.role)
        for site, spec in sites_of(self.registry).items():
            self.redis.add_user(site, values[f"{site}_cache"], spec.names.key_prefix)

    def make_certificate(self) -> Path:
        folder = ROOT.folder(self.folder / "certificates", 0o711)
        names = ",".join(f"DNS:{host}" for host in (*HOSTS.values(), "aurora.example.org"))
        command = ["openssl", "req", "-x509", "-days", "2", "-nodes", "-newkey", "ec"]
        command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={HOSTS[OLD]}"]
        command += ["-addext", f"subjectAltName={names}", "-keyout", "all.key", "-out", "all.pem"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        FRONT.take(folder / "all.pem", 0o644)
        FRONT.take(folder / "all.key", 0o400)
        return folder

    def compare_before_the_move(self) -> str:
        """Do the guide's first step: add the app, write its short registry, and return what would change."""
        edit(self.settings / "base.py", ("INSTALLED_APPS = [\n", f"INSTALLED_APPS = [\n{APP}"))
        text = (HOW_TO.parent / "examples" / "before-the-move.toml").read_text()
        SITES.write(self.registry, text.replace("/srv/aviary/data", str(self.folder / "data")))
        return self.compare()

    def compare(self) -> str:
        """Return what the guide's comparison prints."""
        [line] = commands_of(MOVE, COMPARISON)
        return self.run_as_written(line).stdout

    def follow_the_guides(self) -> None:
        """Run the commands of the guide to moving, and those that put servers in front, in their order."""
        for page in (MOVE, FRONT_PAGE):
            for line in commands_of(page):
                if COMPARISON not in line:  # it is done before the settings are changed
                    self.run_as_written(line)

    def browser(self, site: str) -> Browser:
        return Browser(f"https://{HOSTS[site]}", self.https, str(self.folder / "certificates" / "all.pem"))

    def deploy_findings(self, **environ: str) -> set[str]:
        """Return the ids of what ``check --deploy`` finds."""
        done = self.run("python manage.py check --deploy --fail-level CRITICAL", SITES, **environ)
        lines = (done.stdout + done.stderr).splitlines()
        return {word for line in lines if line.startswith("?: (") for word in [line.split("(")[1].partition(")")[0]]}

    def test_isolation(self) -> str:
        """Run the isolation kit by the how-to's own test and command, as a developer; return what pytest prints."""
        (self.project / "test_isolation.py").write_text(python_of(TEST, "def test_sites_are_isolated("))
        [line] = commands_of(TEST, "python -m pytest")
        return self.run_as_written(line).stdout

    @contextlib.contextmanager
    def served(self) -> Iterator[None]:
        sites = sites_of(self.registry)
        sockets = {site: self.folder / "run" / spec.names.socket for site, spec in sites.items()}
        log = self.folder / "uwsgi.log"
        with (
            running_emperor(self.etc / "uwsgi-emperor" / "emperor.ini", log, self.environ(), sockets),
            running_nginx(self.etc / "nginx" / "nginx.conf", self.folder / "nginx.log", self.https),
        ):
            yield


@contextlib.contextmanager
def opened_project(module: str, make: Callable[[Adopted], None], move: Callable[[Adopted], None]) -> Iterator[Adopted]:
    """Make a project, move it by the guides, and serve it as two sites."""
    with (
        opened_folder() as folder,
        running_postgres(folder / "postgres") as postgres,
        running_redis(folder / "redis") as redis,
    ):
        project = Adopted(folder, module, postgres, redis, open_python(folder))
        make_folders(folder)
        make(project)
        SITES.folder(project.media, 0o750)
        project.make_old_site(TITLES[OLD])
        project.differences.append(project.compare_before_the_move())
        project.write_registry()
        project.differences.append(project.compare())
        move(project)
        project.follow_the_guides()
        project.add_content(NEW, TITLES[NEW], MULTIHOST_SITE=NEW)
        with project.served():
            yield project


@contextlib.contextmanager
def opened_folder() -> Iterator[Path]:
    # Not below pytest's folder, which only its own user may enter.
    folder = ROOT.take(Path(tempfile.mkdtemp(prefix="mh-", dir="/tmp")), 0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sites_of(registry: Path) -> dict[str, SiteSpec]:
    return {site.id: site for site in open_registry(registry, {}).load().sites}


def make_folders(folder: Path) -> None:
    """Make what an operator makes before the move."""
    SITES.folder(folder / "data", 0o711)
    SITES.folder(folder / "run", 0o750)
    ROOT.folder(folder / "logs", 0o755)
    ROOT.folder(folder / "temp", 0o711)
    ROOT.folder(folder / "etc", 0o755)


def start(command: str, name: str, folder: Path) -> None:
    """Make a project, as a person does."""
    words = [Path(sys.executable).parent / command, "start", name, "project"]
    (folder / "project").mkdir()
    subprocess.run(words, cwd=folder, check=True, capture_output=True)


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Change texts in a file, each of which occurs once."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, (path.name, old)
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def links_below(page: Any, path: str) -> list[str]:
    """Return the addresses of stylesheets and pictures of a page that are below a path of its own host."""
    found = [*page.links("link"), *page.links("img", "src"), *page.links("script", "src")]
    return [url for url in found if f"{page.url.split('/')[2]}{path}" in url]

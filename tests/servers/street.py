"""A street: the sites of one registry, prepared and served as an operator would."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.servers.accounts import FRONT, ROOT, SITES
from tests.servers.browser import Browser
from tests.servers.nginx import running_nginx
from tests.servers.postgres import HOST, SUPERUSER, Postgres
from tests.servers.processes import free_port
from tests.servers.redis import RedisServer
from tests.servers.s3 import REGION, S3Server
from tests.servers.uwsgi import running_emperor
from tests.servers.workshop import ADMIN, Workshop, run_all, write_registry
from wagtail_multihost.registry import Contents, open_registry
from wagtail_multihost.spec.names import derive_names
from wagtail_multihost.spec.site import SiteSpec

#: Sites on PostgreSQL, Redis and S3; sites on SQLite, local memory and files.
SERVED, LOCAL = ("aurora", "borealis", "corona"), ("lyra", "vela")
#: A site with a certificate, and one without.
CERTIFIED, PLAIN = "tucana", "volans"
SEED = "seed"
COPY = """
import shutil

from django.conf import settings
from django.core.management import call_command

shutil.copyfile({seed!r}, settings.DATABASES["default"]["NAME"])
call_command("multihost_adopt", {site!r}, interactive=False)
call_command("load_demo", password_file={password_file!r})
"""


@dataclass(frozen=True)
class Ports:
    """Where nginx listens."""

    http: int = field(default_factory=free_port)
    https: int = field(default_factory=free_port)


@dataclass(frozen=True)
class Street:
    """The sites of ``registry``, below ``folder``."""

    workshop: Workshop
    folder: Path
    ports: Ports

    @property
    def registry(self) -> Path:
        return self.folder / "sites.toml"

    @property
    def etc(self) -> Path:
        """The folder of the emitted files."""
        return self.folder / "etc"

    @property
    def password_file(self) -> Path:
        return self.folder / "secrets" / "password"

    @property
    def log(self) -> Path:
        """What uWSGI and the sites print."""
        return self.folder / "uwsgi.log"

    def contents(self) -> Contents:
        return open_registry(self.registry, {}).load()

    def site(self, site: str) -> SiteSpec:
        return next(spec for spec in self.contents().sites if spec.id == site)

    def socket(self, site: str) -> Path:
        return self.contents().platform.sockets / self.site(site).names.socket

    def secrets(self) -> dict[str, str]:
        """Return every secret that an operator wrote, by the name of its file."""
        return {path.name: path.read_text().strip() for path in (self.folder / "secrets").iterdir()}

    def manage(self, site: str, *words: str) -> str:
        """Run manage.py as ``site``."""
        return self.workshop.manage(*words, environ=self.workshop.environ(self.registry, site))

    def python(self, site: str, code: str) -> str:
        """Run ``code`` in a Django shell of ``site``; return the line that it prints."""
        return self.manage(site, "shell", "-v0", "-c", code).strip()

    def browser(self, host: str) -> Browser:
        """Return a browser that visits ``host`` through nginx, over http."""
        return Browser(f"http://{host}:{self.ports.http}", self.ports.http)

    def secure_browser(self, host: str) -> Browser:
        """Return a browser that visits ``host`` over https, as if nginx were at port 443."""
        return Browser(f"https://{host}", self.ports.https, str(self.folder / "certificates" / f"{CERTIFIED}.pem"))

    def home(self, site: str) -> Browser:
        return self.browser(self.site(site).canonical)

    def admin(self, site: str) -> Browser:
        """Return a browser that is logged in to the admin of ``site``."""
        browser = self.home(site)
        browser.log_in(ADMIN, self.workshop.password)
        return browser

    def process(self, site: str) -> dict[str, Any]:
        """Return what a worker of ``site`` sees of itself and of the request."""
        return dict(json.loads(self.home(site).get("/process/").body))

    def emit(self) -> None:
        environ = self.workshop.environ(self.registry)
        words = ("multihost_emit", "nginx", "uwsgi", "--output", str(self.etc))
        self.workshop.manage(*words, environ=environ, account=ROOT)

    @contextlib.contextmanager
    def served(self) -> Iterator[None]:
        """Start uWSGI and nginx from the emitted files."""
        sockets = {site.id: self.socket(site.id) for site in self.contents().enabled}
        emperor, nginx = self.etc / "uwsgi-emperor" / "emperor.ini", self.etc / "nginx" / "nginx.conf"
        with (
            running_emperor(emperor, self.log, self.workshop.environ(), sockets),
            running_nginx(nginx, self.folder / "nginx.log", self.ports.http),
        ):
            yield


def make_street(workshop: Workshop, name: str) -> Street:
    """Make the folders that an operator makes: only the sites' account may read secrets and enter the sockets'."""
    street = Street(workshop, ROOT.folder(workshop.folder / name, 0o711), Ports())
    SITES.folder(street.folder / "secrets", 0o700)
    SITES.folder(street.folder / "data", 0o711)
    SITES.folder(street.folder / "run", 0o750)
    ROOT.folder(street.folder / "logs", 0o755)
    ROOT.folder(street.folder / "temp", 0o711)
    ROOT.folder(street.folder / "certificates", 0o711)
    keep_secret(street, "platform", secrets.token_urlsafe(48))
    keep_secret(street, "password", workshop.password)
    return street


def keep_secret(street: Street, name: str, value: str = "") -> str:
    """Write a secret file; return what is in it."""
    value = value or secrets.token_urlsafe(24)
    SITES.write(street.folder / "secrets" / name, f"{value}\n")
    return value


def platform_table(street: Street, origin: str) -> dict[str, object]:
    folder, ports = street.folder, street.ports
    return {
        "name": "aviary",
        "data": folder / "data",
        "sockets": folder / "run",
        "origin": origin,
        "secret_key_file": folder / "secrets" / "platform",
        "uwsgi": {"build": "debian", "processes": 1},
        "nginx": {
            "http": [f"127.0.0.1:{ports.http}"],
            "https": [f"127.0.0.1:{ports.https}"],
            "user": FRONT.user,
            "pid": folder / "nginx.pid",
            "logs": folder / "logs",
            "temp": folder / "temp",
        },
    }


def hosts(site: str) -> dict[str, object]:
    """Return the hosts of a site: two hostnames, the second of which redirects, and an alias."""
    return {"hostnames": [f"{site}.example.org", f"www.{site}.example.org"], "aliases": [f"{site}.example.net"]}


def served_document(street: Street, postgres: Postgres, redis: RedisServer, s3: S3Server) -> dict[str, Any]:
    """Return a registry whose sites have servers, unless they say otherwise."""
    keys = street.folder / "secrets"
    for site in (*SERVED, SEED):
        redis.add_user(site, keep_secret(street, f"{site}_cache"), derive_names("aviary", site).key_prefix)
    platform = {
        **platform_table(street, f"http://{{hostname}}:{street.ports.http}"),
        "database": {
            "engine": "postgresql",
            "host": HOST,
            "port": postgres.port,
            "password_file": keys / "{site}_database",
        },
        "cache": {"backend": "redis", "host": HOST, "port": redis.port, "password_file": keys / "{site}_cache"},
        "storage": {
            "backend": "s3",
            "region": REGION,
            "endpoint": s3.endpoint,
            "access_key_file": keys / "{site}_access_key",
            "secret_key_file": keys / "{site}_secret_key",
        },
    }
    local = {"database": {"engine": "sqlite"}, "cache": {"backend": "locmem"}, "storage": {"backend": "files"}}
    sites = {site: {**hosts(site), "cache": {"username": site}} for site in SERVED} | {
        site: {**hosts(site), **local} for site in LOCAL
    }
    return {"platform": platform, "sites": sites}


@contextlib.contextmanager
def opened_street(workshop: Workshop, postgres: Postgres, redis: RedisServer, s3: S3Server) -> Iterator[Street]:
    """Serve five sites, whose databases are clones of one, taken over by each site."""
    street = make_street(workshop, "street")
    document = served_document(street, postgres, redis, s3)
    write_registry(street.registry, document)
    for site in SERVED:
        for secret in ("access_key", "secret_key"):
            keep_secret(street, f"{site}_{secret}")
        s3.add_bucket(street.site(site).names.bucket)
    seed_both(street, document, postgres)
    for site in SERVED:
        clone(street.site(site), postgres, keep_secret(street, f"{site}_database"))
    load = ("load_demo", "--password-file", str(street.password_file))
    run_all(partial(street.manage, site, "multihost_adopt", site, "--noinput") for site in SERVED)
    run_all(
        [
            *(partial(street.manage, site, *load) for site in SERVED),
            *(partial(load_local, street, site) for site in LOCAL),
        ]
    )
    street.emit()
    with street.served():
        yield street


def seed_both(street: Street, document: Mapping[str, Any], postgres: Postgres) -> None:
    """Make the databases that all others are copies of: one on PostgreSQL, one a file."""
    sites = {SEED: {"hostnames": ["seed.example.org"]}}
    served = {SEED: {**sites[SEED], "cache": {"username": SEED}}}
    registry = write_registry(street.folder / "seed.toml", {**document, "sites": served})
    for secret in ("access_key", "secret_key"):
        keep_secret(street, f"{SEED}_{secret}")
    names = open_registry(registry, {}).load().sites[0].names
    postgres.add_role(names.role, keep_secret(street, f"{SEED}_database"))
    # Not its owner: a clone's new owner takes over what the role owns, and must not take over the seed itself.
    postgres.add_database(names.database, owner=SUPERUSER)
    postgres.execute(SUPERUSER, "GRANT CONNECT ON DATABASE {} TO {}", names.database, names.role)
    postgres.execute(names.database, "GRANT CREATE ON SCHEMA public TO {}", names.role)
    data = SITES.folder(street.workshop.folder / SEED, 0o711)
    local = write_registry(data / "sites.toml", {"platform": {"name": SEED, "data": data}, "sites": sites})
    run_all(partial(street.workshop.seed, path, SEED) for path in (registry, local))


def clone(site: SiteSpec, postgres: Postgres, password: str) -> None:
    """Make the database and the role of ``site`` from the seed's."""
    names, seed = site.names, derive_names("aviary", SEED)
    postgres.add_role(names.role, password)
    postgres.add_database(names.database, names.role, template=seed.database)
    postgres.execute(names.database, "REASSIGN OWNED BY {} TO {}", seed.role, names.role)


def load_local(street: Street, site: str) -> None:
    """Make the database file of ``site`` from the seed's, in a process of the site."""
    seed = street.workshop.folder / SEED / "sites" / SEED / "db.sqlite3"
    street.python(site, COPY.format(seed=str(seed), site=site, password_file=str(street.password_file)))


@contextlib.contextmanager
def opened_tls_street(workshop: Workshop) -> Iterator[Street]:
    """Serve two sites, one of them with a certificate."""
    street = make_street(workshop, "tls")
    certificates = street.folder / "certificates"
    tls = {"certificate": certificates / "{site}.pem", "key": certificates / "{site}.key"}
    sites = {CERTIFIED: {**hosts(CERTIFIED), "tls": tls}, PLAIN: hosts(PLAIN)}
    write_registry(street.registry, {"platform": platform_table(street, "https://{hostname}"), "sites": sites})
    make_certificate(street.site(CERTIFIED).hosts, certificates)
    run_all(partial(load_local, street, site) for site in sites)
    street.emit()
    with street.served():
        yield street


def make_certificate(names: Sequence[str], folder: Path) -> None:
    """Make a certificate for ``names`` that is its own authority; nginx's workers read both files."""
    certificate, key = folder / f"{CERTIFIED}.pem", folder / f"{CERTIFIED}.key"
    subject = ["-subj", f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
    kind = ["-x509", "-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command = ["openssl", "req", *kind, *subject, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    FRONT.take(certificate, 0o644)
    FRONT.take(key, 0o400)

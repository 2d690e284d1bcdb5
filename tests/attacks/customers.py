"""One site id and its customers, one after the other, on real servers."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import tomlkit

from tests.servers.accounts import SITES
from tests.servers.postgres import HOST, Postgres
from tests.servers.redis import RedisServer
from tests.servers.s3 import REGION, S3Server
from tests.servers.street import make_street
from tests.servers.workshop import SERVER_SECONDS, Workshop, write_registry
from wagtail_multihost.registry import open_registry
from wagtail_multihost.spec.site import SiteSpec

SITE = "aurora"
#: Makes the tables that the following needs, and claims the database.
TABLES = """
from django.core.management import call_command

for app in ("auth", "wagtail_multihost"):
    call_command("migrate", app, verbosity=0)
print("null")
"""
#: Leaves one of everything that a site keeps, and says what opens it later.
LEAVE = """
import json

from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.cache import SessionStore
from django.core import signing
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

user = get_user_model().objects.create_superuser("old", "old@example.org", "old")
session = SessionStore()
session["_auth_user_id"] = str(user.pk)
session.save()
cache.set("secret", "of the old customer", None)
default_storage.save("secret.txt", ContentFile(b"of the old customer"))
print(json.dumps({"session": session.session_key, "token": signing.dumps("old")}))
"""
#: Says what a site finds of that.
LOOK = """
import json

from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.cache import SessionStore
from django.core import signing
from django.core.cache import cache
from django.core.files.storage import default_storage

found = []
if get_user_model().objects.exists():
    found.append("users")
if SessionStore(%(session)r).get("_auth_user_id"):
    found.append("sessions")
if cache.get("secret"):
    found.append("cache")
if default_storage.exists("secret.txt"):
    found.append("files")
try:
    signing.loads(%(token)r)
except signing.BadSignature:
    pass
else:
    found.append("signatures")
print(json.dumps(found))
"""


@dataclass
class Customers:
    """A production platform at ``folder``, whose registry names the site or does not."""

    workshop: Workshop
    folder: Path
    platform: dict[str, Any]
    makes: Callable[[SiteSpec], None] | None = None
    used: dict[str, Any] = field(default_factory=dict)

    @property
    def registry(self) -> Path:
        return self.folder / "sites.toml"

    def document(self) -> dict[str, Any]:
        return dict(tomlkit.parse(self.registry.read_text()).unwrap())

    def write(self, site: dict[str, Any] | None = None, **more: Any) -> None:
        """Write the registry with this table of the site, or none, and with what was noted while it was served."""
        sites = {} if site is None else {SITE: site}
        platform = {**self.platform, "environment": more.pop("environment", "production")}
        write_registry(self.registry, {"platform": platform, "sites": sites, "used": self.used, **more})

    def spec(self) -> SiteSpec:
        return open_registry(self.registry, {}).site(SITE, reads_secrets=False)[1]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            SITES.command(self.workshop.python, self.workshop.project / "manage.py", *words),
            env=self.workshop.environ(self.registry),
            cwd=self.workshop.project,
            capture_output=True,
            text=True,
            timeout=SERVER_SECONDS,
            check=False,
        )

    def pin(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run ``multihost_sites --pin`` as the operator."""
        return self.run("multihost_sites", "--pin", *options)

    def run_as_site(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("multihost_as", SITE, *words)

    def python(self, code: str) -> Any:
        done = self.run_as_site("shell", "-v0", "-c", code)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    @contextmanager
    def without_folder(self) -> Iterator[None]:
        """Move the site's folder away, as the operator does who removes a site; put it back at the end."""
        folder, away = self.folder / "data" / "sites" / SITE, self.folder / "away"
        shutil.move(folder, away)
        yield
        shutil.rmtree(folder, ignore_errors=True)
        shutil.move(away, folder)

    def open_site(self) -> None:
        """Make on the servers what the site's names name, and its tables."""
        if self.makes:
            self.makes(self.spec())
        self.python(TABLES)

    def found(self, left: dict[str, str]) -> list[str]:
        """Return what the site finds of what the old customer left."""
        return list(self.python(LOOK % left))


def opened_on_files(workshop: Workshop, name: str) -> Customers:
    """Return a platform whose sites keep everything in local files."""
    street = make_street(workshop, name)
    SITES.take(street.folder, 0o711)
    platform = {
        "name": "aviary",
        "shares_registry": True,
        "data": street.folder / "data",
        "secret_key_file": street.folder / "secrets" / "platform",
    }
    return Customers(workshop, street.folder, platform)


def opened_on_servers(workshop: Workshop, name: str, postgres: Postgres, redis: RedisServer, s3: S3Server) -> Customers:
    """Return a platform whose sites keep everything on PostgreSQL, Redis and S3, with files of secrets by their ids."""
    customers = opened_on_files(workshop, name)
    folder = customers.folder / "secrets"
    SITES.write(folder / "redis", redis.password)
    password = token_urlsafe(24)
    for key in ("password", "access_key", "secret_key"):
        SITES.write(folder / f"{SITE}_{key}", password)
    customers.platform |= {
        "database": {
            "engine": "postgresql",
            "host": HOST,
            "port": postgres.port,
            "password_file": folder / "{site}_password",
        },
        "cache": {"backend": "redis", "host": HOST, "port": redis.port, "password_file": folder / "redis"},
        "storage": {
            "backend": "s3",
            "region": REGION,
            "endpoint": s3.endpoint,
            "access_key_file": folder / "{site}_access_key",
            "secret_key_file": folder / "{site}_secret_key",
        },
    }

    def make(site: SiteSpec) -> None:
        postgres.add_role(site.names.role, password)
        postgres.add_database(site.names.database, site.names.role)
        s3.add_bucket(site.names.bucket)

    customers.makes = make
    return customers


def leave(customers: Customers, table: dict[str, Any]) -> dict[str, str]:
    """Serve the first customer; return what opens what it leaves."""
    customers.write(table)
    done = customers.pin("--new", SITE)  # nobody else knows: a server says the same of no role and a wrong password
    assert done.returncode == 0 and "with the new uid" in done.stderr, done.stderr
    customers.open_site()
    customers.used = customers.document()["used"]
    return dict(customers.python(LEAVE))

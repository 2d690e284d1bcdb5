"""The identity fuse on PostgreSQL: copies, moved sites, stale nodes, retirements, pools, threads and async views."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.servers.accounts import SITES
from tests.servers.postgres import HOST, SUPERUSER, Postgres, programs
from tests.servers.processes import free_port
from tests.servers.street import Street, keep_secret, make_street
from tests.servers.workshop import SERVER_SECONDS, Workshop, run_all, write_registry

pytestmark = pytest.mark.servers

OWNER, COPY = "grus", "pavo"
ROW = "SELECT uid::text, revision, retired_at IS NULL FROM wagtail_multihost_identity"
#: Every way to reach the database that a project has; each is refused, and again.
ATTEMPTS = """
import asyncio
import json
import logging
import threading
import types

from django.conf import settings
from django.db import DatabaseError, connection
from django.test import AsyncClient, Client

from wagtail.models import Site
from wagtail_multihost.exceptions import IdentityError

logging.disable()
outcomes = []


def attempt():
    try:
        Site.objects.update(site_name="written")
        outcomes.append("written")
    except IdentityError as error:
        outcomes.append(type(error).__name__ if connection.connection is None else "half-open")
    finally:
        connection.close()


for _ in range(3):
    attempt()
threads = [threading.Thread(target=attempt) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
host = settings.ALLOWED_HOSTS[0]
client = Client(raise_request_exception=False, headers=dict(host=host))
statuses = [client.get("/").status_code, client.get("/-/ready/").status_code, client.get("/-/live/").status_code]
statuses.append(asyncio.run(AsyncClient().get("/-/ready/")).status_code)
print(json.dumps([sorted(set(outcomes)), len(outcomes), statuses]))
"""
CHANGED = """
from django.conf import settings

settings.DATABASES["default"].update({changes!r})
settings.DATABASES["default"]["OPTIONS"].update({options!r})
"""
WORKING = """
import json

from django.db import connection
from wagtail.models import Site

seen = []
for _ in range(3):
    seen.append(Site.objects.count())
    status = connection.connection.info.transaction_status.name
    if settings.DATABASES["default"]["AUTOCOMMIT"] is False:
        connection.rollback()
    connection.close()
connection.ensure_connection()
seen.append(connection.connection.info.transaction_status.name)
connection.close()
connection.close_pool()
print(json.dumps(seen))
"""


@dataclass(frozen=True)
class Fuse:
    """Two sites on PostgreSQL: the database of the second is a copy of the first's."""

    street: Street
    postgres: Postgres
    document: dict[str, Any]

    def registry(self, name: str, **platform: Any) -> Path:
        """Write another state of the registry, with changes of its platform."""
        path = self.street.folder / f"{name}.toml"
        sites = platform.pop("sites", self.document["sites"])
        return write_registry(path, {"platform": {**self.document["platform"], **platform}, "sites": sites})

    def run(self, site: str, *words: str, registry: Path | None = None) -> subprocess.CompletedProcess[str]:
        workshop = self.street.workshop
        return subprocess.run(
            SITES.command(workshop.python, workshop.project / "manage.py", *words),
            env=workshop.environ(registry or self.street.registry, site),
            cwd=workshop.project,
            capture_output=True,
            text=True,
            timeout=SERVER_SECONDS,
            check=False,
        )

    def python(self, site: str, code: str, registry: Path | None = None) -> Any:
        done = self.run(site, "shell", "-v0", "-c", code, registry=registry)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def database(self, site: str) -> str:
        return self.street.site(site).names.database

    def dump(self, database: str) -> str:
        """Return all that is in a database."""
        command = [programs() / "pg_dump", "-h", HOST, "-p", str(self.postgres.port), "-U", SUPERUSER, database]
        environ = {"PGPASSWORD": self.postgres.password, "PATH": os.defpath}
        text = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
        # Newer minor releases guard a dump with a word that is drawn anew each time.
        return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))

    def copy(self, source: str, target: str, role: str) -> None:
        """Make the database ``target``, in which ``role`` has all tables, from another."""
        self.add_database(target, role, template=source)
        owner = self.street.site(OWNER).names.role
        if owner != role:
            self.postgres.execute(target, "REASSIGN OWNED BY {} TO {}", owner, role)

    def add_database(self, name: str, role: str, template: str = "template0") -> None:
        # Not the role's own: REASSIGN OWNED takes over the databases that a role owns too.
        self.postgres.add_database(name, owner=SUPERUSER, template=template)
        self.postgres.execute(SUPERUSER, "GRANT CONNECT ON DATABASE {} TO {}", name, role)
        self.postgres.execute(name, "GRANT CREATE ON SCHEMA public TO {}", role)

    def row(self, database: str) -> tuple[str, int, bool]:
        (row,) = self.postgres.execute(database, ROW)
        return row


@pytest.fixture(name="fuse", scope="module")
def _fuse(workshop: Workshop, postgres: Postgres) -> Iterator[Fuse]:
    street = make_street(workshop, "fuse")
    database = {
        "engine": "postgresql",
        "host": HOST,
        "port": postgres.port,
        "password_file": street.folder / "secrets" / "{site}_database",
    }
    platform = {
        "name": "fuse",
        "data": street.folder / "data",
        "origin": "http://{hostname}",
        "secret_key_file": street.folder / "secrets" / "platform",
        "revision": 5,
        "database": database,
    }
    sites = {site: {"hostnames": [f"{site}.example.org"]} for site in (OWNER, COPY)}
    fuse = Fuse(street, postgres, {"platform": platform, "sites": sites})
    write_registry(street.registry, fuse.document)
    for site in (OWNER, COPY):
        postgres.add_role(street.site(site).names.role, keep_secret(street, f"{site}_database"))
    fuse.add_database(fuse.database(OWNER), street.site(OWNER).names.role)
    street.manage(OWNER, "load_demo", "--password-file", str(street.password_file))
    fuse.copy(fuse.database(OWNER), fuse.database(COPY), street.site(COPY).names.role)
    yield fuse


def is_refused(done: subprocess.CompletedProcess[str], word: str = "") -> bool:
    return done.returncode == 2 and "DatabaseIdentityError" in done.stderr and word in done.stderr


@pytest.mark.parametrize(
    "words",
    [("migrate",), ("check", "--database", "default"), ("runserver", "--noreload", "0"), ("flush", "--noinput")],
    ids=lambda words: words[0],
)
def test_commands_refuse_a_copied_database_and_write_nothing(fuse: Fuse, words: tuple[str, ...]) -> None:
    """A command of a site whose record points to a copy of another's database ends, and the copy is as it was."""
    before = fuse.dump(fuse.database(COPY))
    assert is_refused(fuse.run(COPY, *words), fuse.database(COPY))
    assert fuse.dump(fuse.database(COPY)) == before


def test_process_refuses_a_copied_database_and_writes_nothing(fuse: Fuse) -> None:
    """Every attempt of every thread is refused, readiness fails, a page is an error 500, and nothing is written."""
    before = fuse.dump(fuse.database(COPY))
    outcomes, count, statuses = fuse.python(COPY, ATTEMPTS)
    assert (outcomes, count) == (["DatabaseIdentityError"], 6)
    assert statuses == [500, 503, 200, 503]
    assert fuse.dump(fuse.database(COPY)) == before
    assert fuse.python(OWNER, ATTEMPTS.replace('"written"', "Site.objects.get().site_name"))[2] == [200] * 4


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"CONN_MAX_AGE": None}, {}),
        ({"AUTOCOMMIT": False}, {}),
        ({}, {"pool": {"min_size": 1, "max_size": 2}}),
        ({}, {"server_side_binding": True, "isolation_level": 4}),
    ],
    ids=["persistent", "no-autocommit", "pool", "server-side"],
)
def test_fuse_works_with_every_kind_of_connection(fuse: Fuse, changes: dict, options: dict) -> None:
    """Persistent and pooled connections, and those without autocommit, are compared and left clean."""
    change = CHANGED.format(changes=changes, options=options)
    assert fuse.python(OWNER, change + WORKING) == [1, 1, 1, "IDLE"]
    before = fuse.dump(fuse.database(COPY))
    assert fuse.python(COPY, change + ATTEMPTS)[:2] == [["DatabaseIdentityError"], 6]
    assert fuse.dump(fuse.database(COPY)) == before


def test_other_environment_is_refused(fuse: Fuse) -> None:
    """A staging server whose record points to the production database of the same site is refused."""
    staging = fuse.registry("staging", environment="staging")
    before = fuse.dump(fuse.database(OWNER))
    assert is_refused(fuse.run(OWNER, "migrate", registry=staging), "development")
    assert fuse.dump(fuse.database(OWNER)) == before


def test_stale_node_is_refused_and_one_with_the_same_places_is_not(fuse: Fuse) -> None:
    """A node with an older registry is refused where that has the data elsewhere, and works where it has not."""
    database = "fuse_stale"
    fuse.copy(fuse.database(OWNER), database, fuse.street.site(OWNER).names.role)
    moved = {OWNER: {"hostnames": ["new.example.org", "grus.example.org"], "database": {"name": database}}}
    elsewhere = {OWNER: {**moved[OWNER], "names": {"key_prefix": "elsewhere"}}}
    # The copy has the first node's places and revision.
    first = fuse.registry("first", sites=moved, revision=10)
    assert fuse.run(OWNER, "check", "--database", "default", registry=first).returncode == 0
    assert fuse.row(database)[1] == 10
    same = {OWNER: {**moved[OWNER], "hostnames": ["grus.example.org"]}}
    old = fuse.registry("old", sites=same, revision=9)
    assert fuse.run(OWNER, "check", "--database", "default", registry=old).returncode == 0
    second = fuse.registry("second", sites=elsewhere, revision=11)
    assert fuse.run(OWNER, "check", "--database", "default", registry=second).returncode == 0
    before = fuse.dump(database)
    assert is_refused(fuse.run(OWNER, "check", "--database", "default", registry=first), "revision 11")
    assert fuse.dump(database) == before


def test_moved_site_leaves_a_retired_database(fuse: Fuse) -> None:
    """After a move the new database works, and a process with the old record cannot write to the old one."""
    role = fuse.street.site(OWNER).names.role
    for database in ("fuse_old", "fuse_new"):
        fuse.copy(fuse.database(OWNER), database, role)
    hosts = {"hostnames": ["grus.example.org"]}
    old, new = (
        fuse.registry(name, sites={OWNER: {**hosts, "database": {"name": f"fuse_{name}"}}}, revision=revision)
        for name, revision in (("old", 20), ("new", 21))
    )
    assert fuse.run("", "multihost_adopt", OWNER, "--retire", "--noinput", registry=old).returncode == 0
    assert fuse.row("fuse_old")[2] is False
    before = fuse.dump("fuse_old")
    assert is_refused(fuse.run(OWNER, "migrate", registry=old), "retired")
    assert fuse.dump("fuse_old") == before
    assert fuse.run(OWNER, "migrate", registry=new).returncode == 0


def test_standby_and_lock_are_no_obstacle(fuse: Fuse) -> None:
    """Where the later revision cannot be written, read-only or locked, the connection is opened without a wait."""
    database = "fuse_locked"
    role = fuse.street.site(OWNER).names.role
    fuse.copy(fuse.database(OWNER), database, role)
    sites = {OWNER: {"hostnames": ["grus.example.org"], "database": {"name": database}}}
    later = fuse.registry("later", sites=sites, revision=30)
    with fuse.postgres.connect(database) as holder, holder.transaction():
        holder.execute("SELECT * FROM wagtail_multihost_identity FOR UPDATE")
        assert fuse.run(OWNER, "check", "--database", "default", registry=later).returncode == 0
    assert fuse.row(database)[1] == 5
    fuse.postgres.execute(SUPERUSER, "ALTER DATABASE {} SET default_transaction_read_only = on", database)
    assert fuse.run(OWNER, "check", "--database", "default", registry=later).returncode == 0
    assert fuse.row(database)[1] == 5
    fuse.postgres.execute(SUPERUSER, "ALTER DATABASE {} RESET default_transaction_read_only", database)
    run_all(partial(fuse.run, OWNER, "check", "--database", "default", registry=later) for _ in range(4))
    assert fuse.row(database)[1] == 30


def test_table_that_may_not_be_read_is_no_missing_table(fuse: Fuse) -> None:
    """A role that may not see whose the database is does not get to use it."""
    database = "fuse_closed"
    role = fuse.street.site(OWNER).names.role
    fuse.copy(fuse.database(OWNER), database, role)
    fuse.postgres.execute(database, "ALTER TABLE wagtail_multihost_identity OWNER TO {}", SUPERUSER)
    sites = {OWNER: {"hostnames": ["grus.example.org"], "database": {"name": database}}}
    closed = fuse.registry("closed", sites=sites)
    before = fuse.dump(database)
    done = fuse.run(OWNER, "migrate", registry=closed)
    assert (done.returncode, "permission denied" in done.stderr) == (1, True)
    assert fuse.dump(database) == before


def test_adopted_copy_is_the_sites_own(fuse: Fuse) -> None:
    """After adoption the copy is the site's, with its hostname; its owner's process is refused there."""
    database, role = "fuse_adopted", fuse.street.site(COPY).names.role
    fuse.copy(fuse.database(OWNER), database, role)
    sites = {COPY: {"hostnames": ["pavo.example.org"], "database": {"name": database}}}
    registry = fuse.registry("adopted", sites=sites)
    assert is_refused(fuse.run(COPY, "migrate", registry=registry))
    done = fuse.run("", "multihost_adopt", COPY, "--noinput", registry=registry)
    assert done.returncode == 0, done.stderr
    assert fuse.row(database)[0] == str(fuse.street.site(COPY).uid)
    assert "pavo.example.org:80" in done.stdout
    rows = fuse.postgres.execute(database, "SELECT hostname, port, is_default_site FROM wagtailcore_site")
    assert rows == [("pavo.example.org", 80, True)]
    assert fuse.run(COPY, "migrate", "--check", registry=registry).returncode == 0


def test_server_that_is_down_is_a_report(fuse: Fuse) -> None:
    """multihost_adopt says in one report that the server cannot be reached."""
    down = fuse.registry("down", database={**fuse.document["platform"]["database"], "port": free_port()})
    done = fuse.run("", "multihost_adopt", OWNER, "--noinput", registry=down)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert not [secret for secret in fuse.street.secrets().values() if secret in done.stderr]

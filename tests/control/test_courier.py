"""The courier's functions over the control app's own table."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from tests.control.fleet import Fleet
from tests.operations.dns_server import Zone, running_name_server
from wagtail_multihost.control.changes import EditSite, NotAllowedError
from wagtail_multihost.control.edits import add_hostname
from wagtail_multihost.control.models import Hostname, ManagedSite, Verification
from wagtail_multihost.control.ownership import new_challenge, proof_is_valid
from wagtail_multihost.nodeapi.challenge import record_name
from wagtail_multihost.nodeapi.courier_v1 import GRANT, REPORT, ROLE, TAKE, WORKER_LENGTH

PASSWORD = "a-password-of-tests"


@pytest.fixture
def courier(live_fleet: Fleet) -> Iterator[psycopg.Connection[Any]]:
    """A connection with the courier's role, which has its rights and no others."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {ROLE}" if role_exists(cursor) else f"CREATE ROLE {ROLE} LOGIN")
        cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(PASSWORD)))
        cursor.execute(GRANT)
        # Where the roles were made, only they may connect; what this one had is dropped above.
        database = sql.Identifier(connection.settings_dict["NAME"])
        cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(ROLE)))
    known = connection.settings_dict
    place = {"host": known["HOST"], "port": known["PORT"], "dbname": known["NAME"]}
    with psycopg.connect(user=ROLE, password=PASSWORD, autocommit=True, **place) as found:
        yield found
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")


def role_exists(cursor: Any) -> bool:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
    return cursor.fetchone() is not None


def asked(site: ManagedSite, name: str, *, takes_reserved: bool = False) -> Verification:
    """Ask for a check, as the dashboard and the API do."""
    challenge = new_challenge(site.uid, name, takes_reserved=takes_reserved)
    return Verification.objects.create(
        id=challenge.id, site=site, name=challenge.name, secret=challenge.secret, wanted_at=timezone.now()
    )


def test_check_goes_to_the_courier_and_its_answer_back(live_fleet: Fleet, courier: psycopg.Connection[Any]) -> None:
    """What the app asks for is taken by the function, and what it reports is what the rules of ownership read."""
    wish = asked(live_fleet.add("aurora"), "new.example.org")
    ((identifier, lease, name, secret),) = courier.execute(TAKE, ("one", 5)).fetchall()
    assert (identifier, name, secret) == (wish.pk, wish.name, wish.secret)
    wish.refresh_from_db()
    assert (wish.lease, wish.lease_holder, wish.lease_wish) == (lease, "one", wish.wanted_at)
    assert courier.execute(REPORT, (identifier, lease, True, "dns", "")).fetchone() == (True,)
    wish.refresh_from_db()
    assert proof_is_valid(wish.proven_at)
    assert (wish.method, wish.problem, wish.wanted_at, wish.lease) == ("dns", "", None, None)


def test_report_is_shown_with_a_hostname_that_the_site_has(live_fleet: Fleet, courier: psycopg.Connection[Any]) -> None:
    """An operator added it without a proof: what is found of it later is its state, and nobody else's."""
    before = live_fleet.add("aurora", "old.example.org", "other.example.org")
    live_fleet.add("borealis", "taken.example.org")
    revision = live_fleet.revision
    for name, proven, problem in (("old.example.org", False, "No record."), ("taken.example.org", True, "")):
        asked(before, name)
        ((identifier, lease, _, _),) = courier.execute(TAKE, ("one", 5)).fetchall()
        courier.execute(REPORT, (identifier, lease, proven, "dns", problem))
    found = {host.name: (host.verified_at is not None, host.problem) for host in Hostname.objects.all()}
    assert found == {
        "old.example.org": (False, "No record."),
        "other.example.org": (False, ""),
        "taken.example.org": (False, ""),
    }
    wish = Verification.objects.get(name="old.example.org")
    Verification.objects.filter(pk=wish.pk).update(wanted_at=timezone.now())
    ((identifier, lease, _, _),) = courier.execute(TAKE, ("one", 5)).fetchall()
    courier.execute(REPORT, (identifier, lease, True, "file", ""))
    host = Hostname.objects.get(name="old.example.org")
    wish.refresh_from_db()
    assert (host.verified_at, host.problem, live_fleet.revision) == (wish.proven_at, "", revision)


def test_courier_takes_no_row_that_is_being_changed(live_fleet: Fleet, courier: psycopg.Connection[Any]) -> None:
    """It waits for nobody: a row that somebody holds is left for the next time."""
    wish = asked(live_fleet.add("aurora"), "new.example.org")
    with transaction.atomic():
        Verification.objects.select_for_update().get(pk=wish.pk)
        assert courier.execute(TAKE, ("one", 5)).fetchall() == []
    assert len(courier.execute(TAKE, ("one", 5)).fetchall()) == 1


def test_courier_reads_nothing_of_the_control_site(live_fleet: Fleet, courier: psycopg.Connection[Any]) -> None:
    """No table that the migrations make, Wagtail's and Django's own among them, can be read or written."""
    site = live_fleet.add("aurora")
    asked(site, "new.example.org")
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    assert {"control_verification", "control_site", "wagtailcore_apitoken", "auth_user"} <= set(tables)
    for table in tables:
        for statement in ("SELECT FROM {}", "DELETE FROM {}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                courier.execute(sql.SQL(statement).format(sql.Identifier("public", table)))


def test_person_proves_a_hostname_and_gives_it_to_the_site(
    live_fleet: Fleet, courier: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Refused without a proof, allowed after a courier's process has found the record; the other site's is not."""
    aurora, borealis = live_fleet.add("aurora"), live_fleet.add("borealis")
    wish, other = asked(aurora, "new.test", takes_reserved=True), asked(borealis, "new.test", takes_reserved=True)
    person, neighbour = live_fleet.authority("ada", aurora="change"), live_fleet.authority("bob", borealis="change")
    to_aurora = EditSite(aurora.uid, add_hostname("new.test", "alias"))
    to_borealis = EditSite(borealis.uid, add_hostname("new.test", "alias"))
    with pytest.raises(NotAllowedError, match="not proven"):
        live_fleet.apply(to_aurora, by=person)
    with running_name_server(Zone({record_name("new.test"): [f'TXT "{wish.secret}"']})) as zone:
        passwords = tmp_path / "pgpass"
        passwords.touch(mode=0o600)
        passwords.write_text(f"*:*:*:*:{PASSWORD}\n")
        info = courier.info
        url = f"postgresql://{ROLE}@{info.host}:{info.port}/{info.dbname}?passfile={passwords}"
        words = ["--database", url, "--resolver", f"127.0.0.1:{zone.port}", "--development", "--once"]
        command = [sys.executable, "-P", "-m", "wagtail_multihost.operations.courier", *words]
        subprocess.run(command, timeout=60, check=True)
    wish.refresh_from_db()
    other.refresh_from_db()
    assert (wish.method, other.method, "another value" in other.problem) == ("dns", "", True)
    with pytest.raises(NotAllowedError, match="not proven"):
        live_fleet.apply(to_borealis, by=neighbour)
    live_fleet.apply(to_aurora, by=person)
    assert Hostname.objects.get(name="new.test").verified_at == wish.proven_at


@pytest.mark.django_db
def test_model_has_what_the_functions_write() -> None:
    """No migration is missing, and the holder's name has the place that the function cuts it to."""
    call_command("makemigrations", "multihost_control", check=True, dry_run=True, stdout=io.StringIO())
    assert Verification._meta.get_field("lease_holder").max_length == WORKER_LENGTH

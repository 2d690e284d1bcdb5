"""Each role of the control database can do what it must, and nothing of what it must not: on a real server."""

from __future__ import annotations

import html
import io

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker
from wagtail.models import Locale, Page

from tests.control.fleet import OPERATOR, Fleet
from tests.control.roles import NAMES, Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import CreateSite, EditPlatform, EditSite, RetireSite
from wagtail_multihost.control.edits import add_hostname, merge_patch, set_value
from wagtail_multihost.control.models import Event
from wagtail_multihost.control.registration import raise_head
from wagtail_multihost.control.roles import COURIER, OWNER, READER, WEB, roles_sql
from wagtail_multihost.nodeapi import v1

#: Where no test needs the database, none is made.
pytestmark = pytest.mark.django_db
DENIED = "42501"
#: What a connection limit, a missing object and a broken rule of the triggers are.
VIOLATION = "23514"
EVENT = "revision, type, at, site, uid, generation, actor, request, metadata"
LATER = EVENT.replace("generation", "generation + 1").replace("revision", "revision + 1")
UNSEEN = LATER.replace("revision + 1", "-1")
OTHER = EVENT.replace("revision", "revision + 1").replace("uid", "gen_random_uuid()")
OF_PLATFORM = LATER.replace("uid", "NULL::uuid").replace("generation + 1", "2")
UPDATE_SITE = "UPDATE control_site SET record = '{}', generation = generation + 1"
HUGE = "jsonb_build_object('a', repeat('x', 600000))"
OF_SITE = "FROM control_event WHERE uid IS NOT NULL"
TAKE_HEAD = "UPDATE control_head SET revision = revision + 1;"
SET_HEAD = "SELECT set_config('multihost.head', pg_current_xact_id()::text, true);"


@pytest.fixture(name="roles", scope="module")
def _roles(django_db_setup: None, django_db_blocker: DjangoDbBlocker, postgres: Postgres) -> Roles:
    """Return the roles, which are made once: they outlive a test's transaction."""
    roles = Roles(postgres)
    with django_db_blocker.unblock():
        roles.make()
    return roles


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE control_site DISABLE TRIGGER ALL",
        "ALTER TABLE control_head DISABLE TRIGGER control_head_has_events",
        "DROP TRIGGER control_site_needs_head ON control_site",
        "CREATE OR REPLACE FUNCTION control_need_head() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SET session_replication_role = replica",
        "TRUNCATE control_event",
        "TRUNCATE auth_user CASCADE",
        "CREATE TABLE own (id int)",
        "CREATE TEMPORARY TABLE control_event (revision bigint)",
        "CREATE SCHEMA own",
        "CREATE EXTENSION dblink",
        "ALTER VIEW node_api_v1.site RENAME TO other",
        "SELECT * FROM node_api_v1.site",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY control_site TO PROGRAM 'cat'",
        "COPY control_note (text) FROM '/etc/passwd'",
        "SELECT lo_import('/etc/passwd')",
        "SELECT * FROM pg_authid",
        "SET ROLE multihost_owner",
        "SET SESSION AUTHORIZATION multihost_owner",
        "CREATE ROLE own SUPERUSER",
        "GRANT multihost_owner TO multihost_web",
        "DELETE FROM wagtailcore_modellogentry",
        "UPDATE wagtailcore_modellogentry SET action = 'x'",
        "DELETE FROM django_migrations",
        "ALTER DATABASE test_control OWNER TO multihost_web",
        "ALTER SYSTEM SET fsync = off",
    ],
)
def test_web_process_is_refused(roles: Roles, statement: str) -> None:
    assert roles.refusal(WEB, statement) == DENIED


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM control_head",
        "INSERT INTO control_head VALUES (1, gen_random_uuid(), 0, 1)",
        "DELETE FROM control_platform",
        "DELETE FROM control_site",
        "UPDATE control_event SET metadata = '{}'",
        "DELETE FROM control_event",
        "UPDATE control_record SET record = '{}'",
        "DELETE FROM control_record",
        "UPDATE control_head SET revision = 9007199254740992, oldest = 9007199254740993",
        "UPDATE control_head SET incarnation = gen_random_uuid()",
        "UPDATE control_head SET oldest = revision + 1",
    ],
)
def test_web_process_with_the_head_is_refused(roles: Roles, statement: str) -> None:
    """What the trigger would let through."""
    assert roles.refusal(WEB, "BEGIN", "UPDATE control_head SET revision = revision", statement) == DENIED


@pytest.mark.parametrize(
    "statements",
    [
        "UPDATE control_head SET revision = revision - 1",
        "UPDATE control_head SET revision = revision + 1",
        f"{SET_HEAD} UPDATE control_site SET record = '{{}}'",
        f"{SET_HEAD} UPDATE control_site SET record = '{{}}', generation = generation + 1",
        f"{SET_HEAD} UPDATE control_platform SET record = '{{}}', generation = generation + 1",
        f"{SET_HEAD} INSERT INTO control_site (uid, id, enabled, state, generation, record, labels, created) "
        "VALUES (gen_random_uuid(), 'evil', true, 'active', 1, '{}', '{}', now())",
        # An event that nobody reads, or one beforehand.
        f"{SET_HEAD} {UPDATE_SITE}; INSERT INTO control_event ({EVENT}) SELECT {UNSEEN} {OF_SITE}",
        f"{SET_HEAD} {UPDATE_SITE}; INSERT INTO control_event ({EVENT}) SELECT {LATER} {OF_SITE}",
        f"{TAKE_HEAD} INSERT INTO control_event ({EVENT}) SELECT {LATER} {OF_SITE}",
        f"{TAKE_HEAD} INSERT INTO control_event ({EVENT}) SELECT {OTHER} {OF_SITE}",
        f"{TAKE_HEAD} INSERT INTO control_event ({EVENT}) SELECT {OF_PLATFORM} {OF_SITE}",
        # A record that no node could hold.
        f"{TAKE_HEAD} UPDATE control_site SET record = {HUGE}, generation = generation + 1; "
        f"INSERT INTO control_event ({EVENT}) SELECT {LATER} {OF_SITE}",
        f"{TAKE_HEAD} UPDATE control_platform SET record = {HUGE}, generation = generation + 1; "
        f"INSERT INTO control_event ({EVENT}) SELECT {OF_PLATFORM} {OF_SITE}",
    ],
)
def test_web_process_cannot_break_the_rules_of_revisions(roles: Roles, live_fleet: Fleet, statements: str) -> None:
    """Not even with what the trigger remembers forged: who reads events misses nothing."""
    live_fleet.add("aurora")
    assert roles.refusal(WEB, "BEGIN", *statements.split(";"), "COMMIT") == VIOLATION


def test_owner_raises_the_head_and_the_oldest_never_sinks(roles: Roles, live_fleet: Fleet) -> None:
    """What an import, pruning and a restored database need."""
    with roles.acting(OWNER):
        assert raise_head(OPERATOR, 100, renew=True) == 100
        live_fleet.add("aurora")
    assert roles.refusal(OWNER, "UPDATE control_head SET oldest = oldest - 1") == VIOLATION
    assert roles.refusal(OWNER, "UPDATE control_head SET revision = revision - 1") == VIOLATION


def test_temporary_tables_do_not_deceive_the_triggers(roles: Roles, live_fleet: Fleet) -> None:
    """Where a role may have them: here it is given the right."""
    live_fleet.add("aurora")
    roles.server.execute(roles.database, "GRANT TEMPORARY ON DATABASE {} TO {}", roles.database, WEB)
    try:
        deceive = (
            "CREATE TEMPORARY TABLE control_event (LIKE public.control_event)",
            f"INSERT INTO control_event ({EVENT}) SELECT {LATER} FROM public.control_event",
            "BEGIN",
            SET_HEAD,
            "UPDATE control_site SET record = '{}', generation = generation + 1",
            "COMMIT",
        )
        assert roles.refusal(WEB, *deceive) == VIOLATION
    finally:
        roles.server.execute(roles.database, "REVOKE TEMPORARY ON DATABASE {} FROM {}", roles.database, WEB)


def test_nobody_writes_without_the_head(roles: Roles, live_fleet: Fleet) -> None:
    live_fleet.add("aurora")
    for role in (OWNER, WEB):
        assert roles.refusal(role, "UPDATE control_site SET enabled = false") == DENIED
        assert roles.refusal(role, "DELETE FROM control_hostname") == DENIED


@pytest.mark.parametrize("name", NAMES)
def test_no_role_is_more_than_it_seems(roles: Roles, name: str) -> None:
    query = (
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls, rolconnlimit FROM pg_roles"
    )
    with roles.connect(name) as opened:
        is_more, limit = opened.execute(f"{query} WHERE rolname = current_user").fetchone() or (True, -1)
        bound = opened.execute("SHOW statement_timeout").fetchone()
        compiles = opened.execute("SHOW jit").fetchone()
    assert not is_more
    assert 0 < limit <= 200
    assert name == OWNER or bound != ("0",)
    assert compiles == ("off",)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM public.control_site",
        "SELECT * FROM public.auth_user",
        "SELECT * FROM public.control_verification",
        "SELECT * FROM public.wagtailcore_apitoken",
        "UPDATE node_api_v1.head SET revision = 0",
        "DELETE FROM node_api_v1.event",
        "CREATE TEMPORARY TABLE own (id int)",
        "CREATE TABLE node_api_v1.own (id int)",
        "CREATE TABLE public.own (id int)",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE multihost_web",
    ],
)
def test_reader_is_refused(roles: Roles, statement: str) -> None:
    """The bound of its sessions is one that it can lift."""
    assert roles.refusal(READER, "SET default_transaction_read_only = off", statement) == DENIED


@pytest.mark.parametrize("name", [READER, COURIER, WEB])
@pytest.mark.parametrize("call", ["lo_from_bytea(0, 'x')", "lo_create(0)", "lo_creat(-1)"])
def test_nobody_fills_the_disk_with_large_objects(roles: Roles, name: str, call: str) -> None:
    assert roles.refusal(name, "SET default_transaction_read_only = off", f"SELECT {call}") == DENIED


def test_reader_reads_what_nodes_need(roles: Roles, live_fleet: Fleet) -> None:
    live_fleet.add("aurora")
    with roles.connect(READER) as opened:
        row = opened.execute(v1.READ, {"only": None}).fetchone()
        assert row is not None
        assert (row[1], list(row[3]), row[4]) == (live_fleet.revision, ["aurora"], 1)
        assert len(opened.execute("SELECT * FROM node_api_v1.event").fetchall()) == live_fleet.revision
        opened.execute(f"LISTEN {v1.CHANNEL}")
        live_fleet.add("borealis")
        assert [bell.channel for bell in opened.notifies(timeout=5, stop_after=1)] == [v1.CHANNEL]


def test_security_barrier_hides_retired_sites_from_functions(roles: Roles, live_fleet: Fleet) -> None:
    live_fleet.apply(RetireSite(live_fleet.add("aurora").uid))
    with roles.connect(READER) as opened:
        assert opened.execute("SELECT id FROM node_api_v1.site").fetchall() == []


def test_registration_works_as_the_web_process(roles: Roles, live_fleet: Fleet) -> None:
    with roles.acting(WEB):
        live_fleet.apply(EditPlatform(merge_patch({"origin": "https://{hostname}"})))
        site = live_fleet.add("aurora")
        live_fleet.apply(EditSite(site.uid, add_hostname("www.example.com", "alias")))
        live_fleet.apply(EditSite(site.uid, set_value(("enabled",), False)))
        live_fleet.apply(CreateSite("borealis", {"hostnames": ["b.example.com"]}))
        live_fleet.apply(RetireSite(site.uid))
    assert Event.objects.count() == live_fleet.revision


def test_admin_works_as_the_web_process(roles: Roles, live_fleet: Fleet) -> None:
    """Log in, see the pages, make and remove a user and a token, log out."""
    Locale.objects.get_or_create(language_code="en")
    Page.add_root(instance=Page(title="Root", slug="root"))
    live_fleet.user("root", superuser=True)
    client = Client(HTTP_HOST="control.localhost")
    with roles.acting(WEB):
        assert client.login(username="root", password="secret-enough-1")
        for address in ("/admin/users/", "/admin/groups/", "/admin/reports/site-history/"):
            assert client.get(address).status_code == 200, address
        person = live_fleet.user("ada")
        assert client.post(f"/admin/users/delete/{person.pk}/", {"confirm": "yes"}).status_code == 302
        assert client.post("/admin/logout/").status_code == 302


def test_owner_migrates(roles: Roles, live_fleet: Fleet) -> None:
    """The owner can undo and make again what migrations make, and the web process gets rights on it."""
    with roles.acting(OWNER):
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE later (id int); ALTER TABLE control_note ADD COLUMN later int")
        try:
            assert roles.refusal(WEB, "INSERT INTO later VALUES (1)") == ""
            assert roles.refusal(WEB, "TRUNCATE later") == DENIED
            assert roles.refusal(READER, "SELECT * FROM public.later") == DENIED
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE later; ALTER TABLE control_note DROP COLUMN later")


def test_sql_can_be_run_again(roles: Roles, live_fleet: Fleet) -> None:
    roles.make()
    with roles.connect(WEB) as opened:
        assert opened.execute("SELECT count(*) FROM control_site").fetchone() == (0,)


def test_sql_can_be_run_before_the_first_migration(postgres: Postgres) -> None:
    """The owner, who makes the tables, is one of the roles that it makes."""
    name = "not_migrated"
    try:
        with postgres.connect("postgres") as opened:
            opened.execute(f"CREATE DATABASE {name}")
        with postgres.connect(name) as opened:
            opened.execute(roles_sql())
            owner = opened.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
            assert owner.fetchone() == (OWNER,)
    finally:
        with postgres.connect("postgres") as opened:
            opened.execute(f"DROP DATABASE IF EXISTS {name}")


def test_printed_sql_is_what_psql_runs_and_has_no_password(roles: Roles) -> None:
    out = io.StringIO()
    call_command("multihost_control_roles", stdout=out)
    assert out.getvalue() == roles_sql()
    assert "PASSWORD '" not in out.getvalue()
    assert "\\password multihost_web" in out.getvalue()


def test_role_without_the_right_is_told_what_to_run(roles: Roles, live_fleet: Fleet) -> None:
    with roles.acting(WEB), pytest.raises(CommandError, match="sudo -u postgres psql -d test_control") as raised:
        call_command("multihost_control_roles", "--apply")
    assert raised.value.returncode == 2


def test_operators_see_the_sql_and_nobody_else(live_fleet: Fleet) -> None:
    live_fleet.add("aurora")
    live_fleet.user("ada", aurora="admin")
    live_fleet.user("oscar", operator=True)
    found = {}
    for name in ("ada", "oscar"):
        client = Client(HTTP_HOST="control.localhost")
        assert client.login(username=name, password="secret-enough-1")
        found[name] = client.get("/admin/fleet/platform/roles/")
    assert found["ada"].status_code == 404
    assert found["oscar"].status_code == 200
    assert "CREATE ROLE multihost_web LOGIN;" in html.unescape(found["oscar"].content.decode())


def test_stranger_does_not_get_in(roles: Roles, postgres: Postgres) -> None:
    postgres.add_role("stranger", "x" * 20)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        postgres.connect(roles.database, "stranger", "x" * 20)

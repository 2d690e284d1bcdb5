"""A control database that was restored, replaced by its standby, or upgraded under nodes of an older version."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection

from tests.control.fleet import OPERATOR, Fleet
from tests.servers.accounts import POSTGRES
from tests.servers.postgres import HOST, SUPERUSER, Postgres, programs
from tests.servers.processes import free_port, running, wait_for
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Event, FormerRecord, Head, ManagedSite
from wagtail_multihost.control.pruning import prune_events
from wagtail_multihost.control.registration import raise_head
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi import v1
from wagtail_multihost.spec.platform import HIGHEST_REVISION

BACK_UP = Path(__file__).parents[2] / "docs" / "examples" / "back-up-control.sh"
#: What a node of version 1 sends: it must be answered for as long as the schema is there.
FIRST_READ = """
SELECT head.incarnation, head.revision, (SELECT record FROM node_api_v1.platform),
    coalesce(jsonb_object_agg(site.id, site.record) FILTER (WHERE site.id IS NOT NULL), '{}'),
    CASE WHEN %(only)s::text[] IS NULL THEN (SELECT count(*) FROM node_api_v1.site) END
FROM node_api_v1.head AS head
LEFT JOIN node_api_v1.site AS site ON %(only)s::text[] IS NULL OR site.id = ANY(%(only)s::text[])
GROUP BY 1, 2
"""
COLUMNS = {
    "head": ["incarnation uuid", "revision bigint", "oldest bigint"],
    "platform": ["record jsonb", "generation bigint"],
    "site": ["id character varying", "uid uuid", "generation bigint", "record jsonb"],
    "event": [
        "revision bigint",
        "type character varying",
        "at timestamp with time zone",
        "site text",
        "uid uuid",
        "generation bigint",
        "actor character varying",
        "request uuid",
        "metadata jsonb",
    ],
}


@contextmanager
def other_database(name: str = "", port: int = 0) -> Iterator[None]:
    """Lead Django to another database, or another server."""
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update({"NAME": name or before["NAME"], "PORT": port or before["PORT"]})
    ContentType.objects.clear_cache()
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)
        ContentType.objects.clear_cache()


@contextmanager
def restored_database(server: Postgres, copy: Path) -> Iterator[str]:
    """Restore a copy to a database of its own, which goes again: roles with rights in it could not be dropped."""
    name = "restored"
    run(server, "createdb", name)
    try:
        run(server, "pg_restore", "--exit-on-error", "--no-owner", "--dbname", name, copy)
        yield name
    finally:
        run(server, "dropdb", "--force", name)


def environment(server: Postgres) -> dict[str, str]:
    address = {"PGHOST": HOST, "PGPORT": str(server.port), "PGUSER": SUPERUSER, "PGPASSWORD": server.password}
    return {**os.environ, **address, "PATH": f"{programs()}:{os.environ['PATH']}"}


def run(server: Postgres, *words: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in words], env=environment(server), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_restored_database_goes_on_above_what_nodes_have_seen(
    live_fleet: Fleet, postgres: Postgres, folder: Path
) -> None:
    """The script of the how-to makes the copy; a restore has the lower revision, until the registry is advanced."""
    site = live_fleet.add("aurora")
    copies = folder / "copies"
    run(postgres, BACK_UP, str(connection.settings_dict["NAME"]), copies)
    (copy,) = copies.iterdir()
    assert copy.stat().st_mode & 0o077 == 0
    incarnation, copied = Head.objects.get().incarnation, live_fleet.revision
    live_fleet.add("borealis")
    observed = live_fleet.revision
    connection.close()
    with restored_database(postgres, copy) as name, other_database(name):
        assert (live_fleet.revision, Head.objects.get().incarnation) == (copied, incarnation)
        assert observed > copied
        call_command("multihost_control_advance", "--above", observed, verbosity=0)
        assert live_fleet.revision > observed
        assert Head.objects.get().incarnation != incarnation
        assert Head.objects.get().oldest == live_fleet.revision + 1
        live_fleet.apply(EditSite(site.uid, set_value(("admins",), ["a@example.com"])))
        assert Event.objects.get(revision=live_fleet.revision).site == "aurora"
        with pytest.raises(ConfigurationError, match="belongs to the site aurora"):
            live_fleet.add("borealis", "aurora.example.com")


def test_backups_are_pruned_and_a_failed_one_keeps_the_last(postgres: Postgres, folder: Path) -> None:
    copies = folder / "copies"
    copies.mkdir()
    for day in range(20):
        old = copies / f"control-2026-01-{day + 1:02}T000000Z.dump"
        old.touch()
        os.utime(old, (time.time() - 86400 * (60 - day),) * 2)
    run(postgres, BACK_UP, "postgres", copies)
    assert len(list(copies.glob("*.dump"))) == 14
    newest = max(copies.iterdir(), key=lambda path: path.stat().st_mtime)
    done = subprocess.run([BACK_UP, "no_such_database", copies], env=environment(postgres), check=False, stderr=-3)
    assert done.returncode != 0
    assert len(list(copies.glob("*.dump"))) == 14
    assert newest.exists()
    assert not list(copies.glob("*.part"))


def test_standby_takes_over(live_fleet: Fleet, postgres: Postgres, open_folder: Path) -> None:
    """It follows the primary server, and goes on with the next revision where it is promoted."""
    live_fleet.add("aurora")
    home = POSTGRES.folder(open_folder / "postgres", 0o700)
    port = free_port()
    make = [programs() / "pg_basebackup", "--pgdata", home / "data", "--write-recovery-conf", "--wal-method", "stream"]
    address = f"host={HOST} port={postgres.port} user={SUPERUSER} password={postgres.password}"
    with running(
        POSTGRES.command(*make, "--dbname", address, "--checkpoint", "fast"), open_folder / "copy.log", cwd=Path("/")
    ) as process:
        assert process.wait() == 0, (open_folder / "copy.log").read_text()
    words = [word for setting in (f"port={port}", "hot_standby=on") for word in ("-c", setting)]
    serve = POSTGRES.command(programs() / "postgres", "-D", home / "data", *words, "-c", "unix_socket_directories=")
    standby = Postgres(port, postgres.password)
    with running(serve, open_folder / "postgres.log", cwd=Path("/")):
        wait_for(standby.is_up, "the standby")
        live_fleet.add("borealis")
        revision, name = live_fleet.revision, str(connection.settings_dict["NAME"])
        wait_for(lambda: head_of(standby, name) == revision, "the change on the standby")
        with other_database(port=port), pytest.raises(Exception, match="read-only"):
            live_fleet.add("corona")
        standby.execute(SUPERUSER, "SELECT pg_promote()")
        with other_database(port=port):
            live_fleet.add("corona")
            assert live_fleet.revision == revision + 1


def head_of(server: Postgres, database: str) -> int:
    return int(server.execute(database, "SELECT revision FROM node_api_v1.head")[0][0])


def test_advance_leaves_room_above(fleet: Fleet) -> None:
    with pytest.raises(CommandError, match="no room would be left") as raised:
        call_command("multihost_control_advance", "--above", HIGHEST_REVISION)
    assert raised.value.returncode == 2
    with pytest.raises(ConfigurationError, match="no room"):
        raise_head(OPERATOR, -1)


def test_columns_of_version_1_stay(fleet: Fleet) -> None:
    for view, columns in COLUMNS.items():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT column_name || ' ' || data_type FROM information_schema.columns "
                "WHERE table_schema = 'node_api_v1' AND table_name = %s ORDER BY ordinal_position",
                [view],
            )
            assert [row[0] for row in cursor.fetchall()][: len(columns)] == columns


def test_older_node_reads_while_and_after_a_later_version_migrates(live_fleet: Fleet, postgres: Postgres) -> None:
    """A column is added and others are renamed, in one transaction: the node waits, and gets what it always got."""
    live_fleet.add("aurora")
    name, answers = str(connection.settings_dict["NAME"]), []
    stop = threading.Event()

    def read() -> None:
        with postgres.connect(name) as node:
            while not stop.is_set():
                answers.append(node.execute(FIRST_READ, {"only": None}).fetchone())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with postgres.connect(name) as migration:
            with migration.transaction():
                # In the order in which a node takes its locks: in another one, either of the two could be ended.
                migration.execute("LOCK TABLE control_head, control_site IN ACCESS EXCLUSIVE MODE")
                migration.execute("ALTER TABLE control_site ADD COLUMN later integer DEFAULT 5")
                migration.execute("ALTER TABLE control_site RENAME COLUMN record TO document")
                migration.execute("ALTER TABLE control_head RENAME TO control_top")
                time.sleep(0.5)
            time.sleep(0.3)
            migration.execute("ALTER TABLE control_top RENAME TO control_head")
            migration.execute("ALTER TABLE control_site RENAME COLUMN document TO record")
            migration.execute("ALTER TABLE control_site DROP COLUMN later")
    finally:
        stop.set()
        reader.join()
    assert len(answers) > 2
    assert {(row[1], row[4]) for row in answers} == {(live_fleet.revision, 1)}
    assert answers[-1][3]["aurora"]["hostnames"] == ["aurora.example.com"]
    assert v1.READ.split() == FIRST_READ.split()


def test_old_events_go_and_the_head_says_so(live_fleet: Fleet) -> None:
    site = live_fleet.add("aurora")
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; UPDATE control_head SET revision = revision; ")
        cursor.execute("UPDATE control_event SET at = at - interval '40 days'")
        cursor.execute("COMMIT")
    live_fleet.apply(EditSite(site.uid, set_value(("admins",), ["a@example.com"])))
    records = FormerRecord.objects.count()
    assert prune_events(OPERATOR, 30) == (2, 3)
    assert [event.revision for event in Event.objects.all()] == [3]
    assert (Head.objects.get().oldest, live_fleet.revision) == (3, 3)
    assert prune_events(OPERATOR, 30) == (0, 3)
    assert (FormerRecord.objects.count(), ManagedSite.objects.count()) == (records, 1)
    with pytest.raises(ConfigurationError, match="1 or more"):
        prune_events(OPERATOR, 0)
    with pytest.raises(ConfigurationError, match="Only an operator"):
        prune_events(OPERATOR.narrowed("change", None), 30)
    call_command("multihost_control_prune_events", "--days", 1, verbosity=0)


def test_change_waits_for_the_one_before_and_sees_it(live_fleet: Fleet, postgres: Postgres) -> None:
    """As READ COMMITTED has it: the second one is not made of what was there when it began."""
    site, name = live_fleet.add("aurora"), str(connection.settings_dict["NAME"])
    done = threading.Event()

    def change() -> None:
        live_fleet.apply(EditSite(site.uid, set_value(("labels", "second"), "x")))
        connection.close()
        done.set()

    with postgres.connect(name) as first:
        first.execute("BEGIN")
        first.execute("UPDATE control_head SET revision = revision")
        second = threading.Thread(target=change)
        second.start()
        assert not done.wait(timedelta(seconds=1).total_seconds())
        first.execute("COMMIT")
    second.join()
    assert live_fleet.site("aurora").labels == {"second": "x"}


def test_dead_database_is_a_sentence(fleet: Fleet) -> None:
    with other_database(port=free_port()), pytest.raises(CommandError, match="cannot be reached") as raised:
        call_command("multihost_control_advance", "--above", 5)
    assert raised.value.returncode == 2


def test_missing_migrations_are_a_sentence(live_fleet: Fleet) -> None:
    with other_database("postgres"), pytest.raises(CommandError, match=r"refused it: .* Either it is not migrated"):
        call_command("multihost_control_advance", "--above", 5)

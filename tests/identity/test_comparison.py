"""Every new connection is compared; one to a database with another identity is refused and closed."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management.base import CommandError
from django.db import DatabaseError
from django.db.backends.signals import connection_created
from django.test.utils import CaptureQueriesContext

import wagtail_multihost
from tests.identity.conftest import OTHER_UID, Become, Database
from tests.spec.samples import SECRETS, a_platform, a_site, postgresql, redis
from wagtail_multihost import running
from wagtail_multihost.apps import MultihostConfig
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.identity import comparison
from wagtail_multihost.identity.comparison import DatabaseIdentityError, suspend_comparison
from wagtail_multihost.running import Running
from wagtail_multihost.spec import Secret
from wagtail_multihost.spec.places import digest_of_places


def refusal(database: Database, **options: Any) -> DatabaseIdentityError:
    """Return the error with which a connection is refused."""
    connection = database.connection(**options)
    with pytest.raises(DatabaseIdentityError) as caught:
        connection.ensure_connection()
    assert connection.connection is None
    return caught.value


def test_own_identity_connects(become: Become, database: Database) -> None:
    """A process connects to the database that it has claimed."""
    database.claim(become())
    assert database.connect().connection is not None


def test_database_without_a_table_is_unclaimed(become: Become, database: Database) -> None:
    """Before its first migration a database is anybody's, and the comparison makes nothing in it."""
    become()
    connection = database.connect()
    assert connection.introspection.table_names() == []


def test_table_without_a_row_is_unclaimed(become: Become, database: Database) -> None:
    """A table alone claims nothing."""
    become()
    database.make_table()
    assert database.connect().connection is not None


@pytest.mark.parametrize(
    ("columns", "reasons"),
    [
        ({"uid": OTHER_UID}, ("uid",)),
        ({"environment": "staging"}, ("environment",)),
        ({"retired": True}, ("retired",)),
        ({"revision": 11, "digest": "elsewhere"}, ("revision",)),
        ({"uid": OTHER_UID, "environment": "staging", "retired": True}, ("uid", "environment", "retired")),
        # Another site's revisions say nothing about this one's.
        ({"uid": OTHER_UID, "revision": 11, "digest": "elsewhere"}, ("uid",)),
    ],
)
def test_other_identity_is_refused(
    become: Become, database: Database, columns: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    """Another uid or environment, a retirement, and a later revision with other places each refuse."""
    database.claim(become(), **columns)
    before = database.path.read_bytes()
    assert refusal(database).reasons == reasons
    assert database.path.read_bytes() == before


@pytest.mark.parametrize(
    ("columns", "revision"),
    [
        ({"platform": "renamed"}, 10),
        # Two nodes, one of which has a later state of the registry with the same places.
        ({"revision": 11}, 10),
        ({"revision": 10, "digest": "elsewhere"}, 10),
        ({"revision": 9, "digest": "elsewhere"}, 10),
        # A process that does not know its revision cannot be told to be late.
        ({"revision": 11, "digest": "elsewhere"}, 0),
    ],
)
def test_difference_that_does_not_matter_connects(
    become: Become, database: Database, columns: dict[str, Any], revision: int
) -> None:
    """Other platform names, later revisions of the same places, and unknown revisions are no reason to refuse."""
    database.claim(become(revision=revision), **columns)
    assert database.connect().connection is not None


def test_refused_connection_is_refused_again(become: Become, database: Database) -> None:
    """The next attempt on the same connection is compared anew; Django keeps no half-open one."""
    database.claim(become(), uid=OTHER_UID)
    connection = database.connection()
    for _ in range(3):
        with pytest.raises(DatabaseIdentityError):
            connection.cursor()
        assert connection.connection is None


def test_refusal_is_no_database_error(become: Become, database: Database) -> None:
    """Code that goes on without a database does not take the refusal for an outage; manage.py prints it as a report."""
    database.claim(become(), uid=OTHER_UID)
    error = refusal(database)
    assert isinstance(error, IdentityError)
    assert isinstance(error, CommandError)
    assert error.returncode == 2
    assert not isinstance(error, DatabaseError)


def test_error_that_is_not_a_missing_table_is_not_taken_for_one(
    become: Become, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that does not say whose it is, is not connected to."""
    become()
    sqlite3.connect(database.path).close()
    monkeypatch.setattr(comparison, "QUERY", "SELECT no_such_column FROM sqlite_master")
    connection = database.connection()
    for _ in range(2):
        with pytest.raises(DatabaseError):
            connection.ensure_connection()
        assert connection.connection is None


def test_report_names_the_record_the_database_and_both_identities(become: Become, database: Database) -> None:
    """The report has the site, the key that was read, the database, what was found and wanted, and the command."""
    identity = become({"sources": {"database": "sites.toml: sites.aurora.database"}})
    database.claim(identity, uid=OTHER_UID, environment="staging")
    text = str(refusal(database))
    for word in (
        "aurora",
        "sites.toml: sites.aurora.database",
        str(database.path),
        str(OTHER_UID),
        str(identity.uid),
        "'staging'",
        "multihost_adopt aurora",
    ):
        assert word in text


def test_report_has_no_password(become: Become, database: Database) -> None:
    """No secret of the site or of the connection is in the report."""
    database.claim(become({"database": postgresql(), "cache": redis()}), uid=OTHER_UID)
    error = refusal(database, PASSWORD="a-password-in-settings")
    assert not [secret for secret in (*SECRETS, "a-password-in-settings") if secret in f"{error!r}{error}"]


def test_hostile_text_in_the_row_is_shown_as_ascii(become: Become, database: Database) -> None:
    """What another's database says reaches the terminal without control characters."""
    database.claim(become(), uid=OTHER_UID, platform="\x1b[2J", environment="a\nb")
    assert re.search(r"[\x00-\x09\x0b-\x1f]", str(refusal(database))) is None


def test_comparison_is_not_in_the_projects_queries(become: Become, database: Database, settings: Any) -> None:
    """The query is neither counted nor logged as one of the project's."""
    database.claim(become())
    settings.DEBUG = True
    connection = database.connection()
    with CaptureQueriesContext(connection) as queries:
        connection.cursor().execute("SELECT 1")
    assert [query["sql"] for query in queries] == ["SELECT 1"]


def test_other_aliases_are_not_compared(become: Become, database: Database) -> None:
    """Only the alias default is the site's database."""
    database.claim(become(), uid=OTHER_UID)
    connection = database.connection()
    connection.alias = "other"
    connection.ensure_connection()
    assert connection.connection is not None


@pytest.mark.parametrize("made", [None, Running(), Running(platform=a_platform(), site=a_site(), ephemeral=True)])
def test_process_of_no_site_is_not_compared(
    become: Become, database: Database, monkeypatch: pytest.MonkeyPatch, made: Running | None
) -> None:
    """Without a site, and for the throw-away site of a test run, there is nothing to compare."""
    database.claim(become(), uid=OTHER_UID)
    monkeypatch.setattr(running, "_current", made)
    assert database.connect().connection is not None


def test_suspension_ends_with_its_block_and_its_thread(become: Become, database: Database) -> None:
    """Only the thread that suspends the comparison, and only meanwhile, connects to another's database."""
    database.claim(become(), uid=OTHER_UID)
    outcomes: list[object] = []
    with suspend_comparison():
        assert database.connect().connection is not None
        thread = threading.Thread(target=lambda: outcomes.append(refusal(database)))
        thread.start()
        thread.join()
    assert len(outcomes) == 1
    assert refusal(database).reasons == ("uid",)


def test_each_thread_is_compared(become: Become, database: Database) -> None:
    """Django opens a connection per thread, and each is refused."""
    database.claim(become(), uid=OTHER_UID)
    outcomes: list[object] = []
    threads = [threading.Thread(target=lambda: outcomes.append(refusal(database))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4


def test_async_code_is_compared(become: Become, database: Database) -> None:
    """A connection that is opened for async code is refused too."""
    database.claim(become(), uid=OTHER_UID)

    async def view() -> DatabaseIdentityError:
        return await sync_to_async(refusal)(database)

    assert asyncio.run(view()).reasons == ("uid",)


def test_connection_without_autocommit_is_compared(become: Become, database: Database) -> None:
    """With AUTOCOMMIT False the comparison leaves no transaction open, and refuses as always."""
    database.claim(become(), revision=9)
    connection = database.connect(AUTOCOMMIT=False)
    assert connection.connection.in_transaction is False
    found = database.found()
    assert found
    assert found.revision == 10
    become({"uid": OTHER_UID})
    assert refusal(database, AUTOCOMMIT=False).reasons == ("uid",)


def test_persistent_connection_is_compared_when_it_is_opened_anew(become: Become, database: Database) -> None:
    """A retirement is noticed by a process with CONN_MAX_AGE at its next connection, not before."""
    database.claim(become())
    connection = database.connect(CONN_MAX_AGE=None)
    with suspend_comparison(), database.connect().cursor() as cursor:
        cursor.execute(f"UPDATE {comparison.TABLE} SET retired_at = claimed_at")
    connection.cursor().execute("SELECT 1")
    connection.close()
    with pytest.raises(DatabaseIdentityError):
        connection.cursor()


# Revisions


def test_later_revision_is_noted(become: Become, database: Database) -> None:
    """A process with a later revision notes it with its places, so that an older one with others is refused."""
    old = become()
    database.claim(old)
    new = become({"cache": redis()}, revision=20)
    database.connect()
    found = database.found()
    assert found
    assert (found.revision, found.digest) == (20, new.digest)
    become(revision=10)
    assert refusal(database).reasons == ("revision",)


def test_revision_is_noted_once_per_process(become: Become, database: Database) -> None:
    """A process writes at its first connection alone."""
    identity = become()
    database.claim(identity, revision=5)
    database.connect()
    with suspend_comparison(), database.connect().cursor() as cursor:
        cursor.execute(f"UPDATE {comparison.TABLE} SET revision = 6")
    database.connect()
    found = database.found()
    assert found
    assert found.revision == 6


@pytest.mark.parametrize(("revision", "stated"), [(0, 5), (5, 5), (4, 5)])
def test_revision_that_is_not_later_is_not_noted(
    become: Become, database: Database, revision: int, stated: int
) -> None:
    """An unknown, equal or earlier revision leaves the row as it is."""
    identity = become(revision=revision)
    database.claim(identity, revision=stated, digest=identity.digest)
    before = database.path.read_bytes()
    database.connect()
    assert database.path.read_bytes() == before


def test_revision_that_cannot_be_noted_is_no_obstacle(become: Become, database: Database) -> None:
    """While another process writes, a connection is opened without a wait, and its timeout is as before."""
    database.claim(become(), revision=5)
    with sqlite3.connect(database.path, isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        connection = database.connect(OPTIONS={"timeout": 600})
        writer.execute("ROLLBACK")
    writer.close()
    assert connection.cursor().execute("PRAGMA busy_timeout").fetchone() == (600_000,)
    found = database.found()
    assert found
    assert found.revision == 5


def test_read_only_database_is_no_obstacle(become: Become, database: Database) -> None:
    """A replica that cannot be written to is connected to."""
    database.claim(become(), revision=5)
    connection = database.connect(NAME=f"file:{database.path}?mode=ro")
    assert connection.cursor().execute("SELECT 1").fetchone() == (1,)


# Places


@pytest.mark.parametrize(
    "changes",
    [
        {"database": postgresql()},
        {"cache": redis()},
    ],
)
def test_digest_changes_with_a_place(changes: dict[str, Any]) -> None:
    """Another database or cache is another place."""
    assert digest_of_places(a_site(**changes)) != digest_of_places(a_site())


@pytest.mark.parametrize(
    "changes",
    [
        {"hostnames": ("new.example.org", "aurora.example.org")},
        {"aliases": ()},
        {"admins": ("root@example.org",)},
        {"settings": (("TIME_ZONE", "UTC"),)},
        {"sources": {"database": "elsewhere"}},
        {"enabled": False},
        {"pinned": True},
    ],
)
def test_digest_is_of_places_alone(changes: dict[str, Any]) -> None:
    """Hostnames and settings may differ between two nodes that serve the same data."""
    assert digest_of_places(a_site(**changes)) == digest_of_places(a_site())


def test_digest_has_no_secret() -> None:
    """Passwords are changed without moving data."""
    changed = a_site(database=postgresql(password=Secret("changed")), cache=redis(password=Secret("changed")))
    assert digest_of_places(changed) == digest_of_places(a_site(database=postgresql(), cache=redis()))


def test_comparison_is_connected_before_any_app_is_ready() -> None:
    """An app that queries the database while it gets ready does not get past the fuse."""
    receivers, connection_created.receivers = connection_created.receivers, []
    try:
        MultihostConfig("wagtail_multihost", wagtail_multihost)
        assert "wagtail_multihost.identity" in [key[0] for key, *_ in connection_created.receivers]
    finally:
        connection_created.receivers = receivers
        connection_created.sender_receivers_cache.clear()

"""Deadlines on what is asked of a site's database, and what may stand in the place of the identity's table."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from tests.identity.conftest import Become, Database
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.identity import deadline as deadlines
from wagtail_multihost.identity.comparison import TABLE, DatabaseIdentityError
from wagtail_multihost.identity.deadline import SilentDatabaseError, deadline
from wagtail_multihost.identity.relation import require_table

SECONDS = 0.2
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture(name="silent")
def _silent() -> Iterator[Any]:
    """Yield Django's object for a connection whose server never answers."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    with ours, theirs:
        yield SimpleNamespace(connection=ours, vendor="postgresql", settings_dict={"NAME": "aviary__aurora"})


def test_silent_server_is_hung_up(silent: Any) -> None:
    """Who waits for a server that does not answer is woken, and told which database it was."""
    start = time.monotonic()
    whose = "aviary__aurora has not returned its identity within"
    with pytest.raises(SilentDatabaseError, match=whose), deadline(silent, "returned its identity", SECONDS):
        assert silent.connection.recv(1) == b""
        raise OSError
    assert time.monotonic() - start < 5


def test_block_that_swallows_the_error_still_fails(silent: Any) -> None:
    """A connection that was hung up is not used further, though its error was suppressed."""
    with pytest.raises(SilentDatabaseError), deadline(silent, "answered", SECONDS), suppress(OSError):
        silent.connection.recv(1)


def test_error_in_time_is_the_blocks_own(silent: Any) -> None:
    """What fails before the deadline keeps its own error, and nobody is hung up."""
    with pytest.raises(KeyError), deadline(silent, "answered", SECONDS):
        raise KeyError
    time.sleep(2 * SECONDS)
    silent.connection.send(b"still open")


def test_query_without_end_is_interrupted(become: Become, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that never ends in the place of the table is interrupted, and the connection is refused."""
    become()
    with database.connect().cursor() as cursor:
        columns = f"1 AS platform, 2 AS environment, 3 AS uid, ({ENDLESS}) AS revision, 4 AS digest, 5 AS retired_at"
        cursor.execute(f"CREATE VIEW {TABLE} AS SELECT {columns}")
    monkeypatch.setattr(deadlines, "SECONDS", SECONDS)
    connection = database.connection()
    stopper = threading.Timer(20, lambda: connection.connection and connection.connection.interrupt())
    stopper.start()
    start = time.monotonic()
    with pytest.raises(SilentDatabaseError):
        connection.ensure_connection()
    stopper.cancel()
    assert time.monotonic() - start < 10
    assert connection.connection is None


def test_forked_child_has_a_watch_of_its_own(silent: Any) -> None:
    """A process that is forked while others wait has a deadline too."""
    with deadline(silent, "answered", 60):
        before = deadlines._watch
        child = os.fork()
        if child == 0:
            os._exit(0 if deadlines._watch is not before and not deadlines._watch.waiting else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_view_is_no_table(database: Database) -> None:
    """A view that has the table's name is refused, with what to do about it."""
    with database.connect().cursor() as cursor:
        cursor.execute(f"CREATE VIEW {TABLE} AS SELECT 1")
    with pytest.raises(IdentityError, match=r"is not a table but a 'view'.*multihost_as aurora migrate"):
        require_table(database.connect(), TABLE, "aurora")


@pytest.mark.parametrize(
    "columns", [{"revision": "many"}, {"platform": b"\x00"}, {"digest": 1.5}], ids=lambda columns: next(iter(columns))
)
def test_row_of_other_types_is_a_sentence(become: Become, database: Database, columns: dict[str, object]) -> None:
    """A row that this package does not write is refused in a sentence, and no connection is left."""
    database.claim(become())
    values = {"platform": "a", "environment": "b", "uid": "x" * 32, "revision": 1, "digest": "d", **columns}
    with database.connect().cursor() as cursor:
        cursor.execute(f"DROP TABLE {TABLE}")
        cursor.execute(f"CREATE TABLE {TABLE} ({', '.join(values)}, retired_at)")
        cursor.execute(f"INSERT INTO {TABLE} VALUES (%s, %s, %s, %s, %s, NULL)", list(values.values()))
    connection = database.connection()
    with pytest.raises(IdentityError, match="was not written by this package"):
        connection.ensure_connection()
    assert connection.connection is None


@pytest.mark.parametrize("revision", [2**63 - 1, 2**53 + 1, -1])
def test_impossible_revision_is_refused_and_named(become: Become, database: Database, revision: int) -> None:
    """A revision that no registry has refuses the site, whatever its digest, and the command that mends it is named."""
    database.claim(become(), revision=revision)
    with pytest.raises(DatabaseIdentityError) as caught:
        database.connect()
    assert caught.value.reasons == ("impossible",)
    assert all(word in str(caught.value) for word in (str(revision), str(2**53), "multihost_adopt aurora"))

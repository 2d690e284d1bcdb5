"""What is asked of databases on servers, in the words that they understand, by stand-ins for drivers."""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from tests.identity.conftest import OTHER_UID, Become
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.identity import comparison
from wagtail_multihost.identity.comparison import (
    FoundIdentity,
    database_name,
    drop_connection,
    identity_differences,
    identity_of,
    identity_report,
    is_missing_table,
    raise_revision,
)
from wagtail_multihost.identity.relation import is_uuid, require_legible, require_table

ROW = ("aviary", "production", str(OTHER_UID), 7, "digest", None)
QUERY = "SELECT platform, environment, uid, revision, digest, retired_at FROM wagtail_multihost_identity LIMIT 1"
UPDATE = (
    "UPDATE wagtail_multihost_identity SET revision = %s, digest = %s WHERE id = (SELECT id FROM "
    "wagtail_multihost_identity WHERE id = 1 AND uid = %s AND revision < %s AND retired_at IS NULL "
    "FOR UPDATE SKIP LOCKED)"
)
KIND = (
    "SELECT relkind::pg_catalog.text FROM pg_catalog.pg_class "
    "WHERE oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(%s)::pg_catalog.oid"
)


class DriverError(Exception):
    """As a driver of PostgreSQL's raises it."""

    def __init__(self, text: str = "", **codes: str) -> None:
        super().__init__(text)
        vars(self).update(codes)


class Connection:
    """A connection, its driver's and a cursor in one; notes what is done, and answers with ``row`` or an error."""

    alias, vendor = "default", "postgresql"
    Database = SimpleNamespace(Error=DriverError)
    wrap_database_errors = nullcontext()

    def __init__(self, row: object = ROW, *, autocommit: bool = True, in_atomic_block: bool = False) -> None:
        self.row, self.autocommit, self.in_atomic_block = row, autocommit, in_atomic_block
        self.settings_dict = {"NAME": "aviary__aurora", "HOST": "db.internal", "PORT": "5432"}
        self.done: list[object] = []
        self.connection: Any = self

    def cursor(self) -> Connection:
        return self

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def execute(self, query: str, values: object = None) -> None:
        self.done.append((query, values) if values is not None else query)
        if isinstance(self.row, Exception):
            raise self.row

    def fetchone(self) -> object:
        return self.row

    def close(self) -> None:
        self.done.append("close")

    def commit(self) -> None:
        self.done.append("commit")

    def rollback(self) -> None:
        self.done.append("rollback")


def asked(connection: Any) -> FoundIdentity | None:
    return identity_of(connection)


@pytest.mark.parametrize("uid", [str(OTHER_UID), OTHER_UID.hex, OTHER_UID])
def test_identity_is_one_row(uid: object) -> None:
    """It is asked for once, by a cursor that is closed, and is in the types of an identity, whatever the driver's."""
    connection = Connection((*ROW[:2], uid, *ROW[3:]))
    assert asked(connection) == FoundIdentity("aviary", "production", OTHER_UID, 7, "digest", None)
    assert connection.done == [QUERY, "close"]


@pytest.mark.parametrize("error", [DriverError(sqlstate="42P01"), DriverError(pgcode="42P01")])
@pytest.mark.parametrize("ends", [True, False])
def test_missing_table_is_no_identity(error: DriverError, ends: bool) -> None:
    """Both generations of the driver say it in codes; a transaction that it has begun is ended."""
    connection = Connection(error, autocommit=not ends)
    assert asked(connection) is None
    assert connection.done == [QUERY, "close", *(["rollback"] if ends else [])]


@pytest.mark.parametrize(
    ("error", "is_missing"),
    [
        (DriverError(sqlstate="42P01"), True),
        (DriverError(pgcode="42P01"), True),
        (DriverError(sqlstate="42501"), False),
        (DriverError(sqlstate="42501", pgcode="42P01"), False),
        (DriverError(sqlstate=None, pgcode="42P01"), True),
        (DriverError("no such table: wagtail_multihost_identity"), True),
        (DriverError("no such table: other"), False),
        (DriverError('relation "wagtail_multihost_identity" does not exist'), False),
        (DriverError(), False),
    ],
)
def test_only_a_missing_table_is_taken_for_one(error: DriverError, is_missing: bool) -> None:
    """Any other error is an answer that was not given."""
    assert is_missing_table(error) is is_missing
    if not is_missing:
        with pytest.raises(DriverError):
            asked(Connection(error))


@pytest.mark.parametrize(
    ("autocommit", "in_atomic_block", "ends"),
    [(True, False, False), (False, False, True), (False, True, False), (True, True, False)],
)
def test_question_leaves_no_transaction_of_its_own(autocommit: bool, in_atomic_block: bool, ends: bool) -> None:
    """What the driver begins for it is ended, and what the project has begun is not."""
    connection = Connection(autocommit=autocommit, in_atomic_block=in_atomic_block)
    assert asked(connection)
    assert ("rollback" in connection.done) is ends


@pytest.mark.parametrize(
    ("place", "value", "is_legible"),
    [
        (0, "a", True),
        (0, None, False),
        (0, b"a", False),
        (1, 7, False),
        (2, "not a uid", False),
        (2, None, False),
        (2, OTHER_UID, True),
        (2, OTHER_UID.hex, True),
        (3, "7", False),
        (3, None, False),
        (3, 7.0, False),
        (4, 1, False),
        (4, None, False),
        (5, "anything", True),
        (5, 7, True),
    ],
)
def test_row_has_the_types_of_an_identity(place: int, value: object, is_legible: bool) -> None:
    """A column of another type is none that this package writes, one by one."""
    row = [*ROW]
    row[place] = value  # type: ignore[call-overload]
    if is_legible:
        require_legible(row, "there")
        assert asked(Connection(tuple(row)))
    else:
        with pytest.raises(IdentityError, match="The row of there was not written by this package"):
            require_legible(row, "there")
        with pytest.raises(IdentityError, match="The row of wagtail_multihost_identity in the database aviary__aurora"):
            asked(Connection(tuple(row)))


def test_uid_is_one_or_not() -> None:
    """What is no UUID is told from one that is."""
    assert is_uuid(OTHER_UID) is True and is_uuid(str(OTHER_UID)) is True
    assert is_uuid("x") is False and is_uuid(None) is False


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (("r",), None),
        (None, None),
        (("v",), "'view'"),
        (("m",), "'materialized view'"),
        (("f",), "'foreign table'"),
        (("p",), "'partitioned table'"),
        (("x",), "'x'"),
        (("view",), "'view'"),
    ],
)
def test_what_is_no_table_is_named(row: object, found: str | None) -> None:
    """PostgreSQL is asked without what a role's search_path may have put in its place."""
    connection: Any = Connection(row)
    if found is None:
        require_table(connection, "t", "aurora")
    else:
        with pytest.raises(
            IdentityError, match=f"t in the database of aurora is not a table but a {found}. As the owner"
        ):
            require_table(connection, "t", "aurora")
    assert connection.done == [(KIND, ["t"])]


def test_database_of_another_kind_is_not_asked_for_its_tables() -> None:
    """What is not known of a database is not guessed."""
    connection: Any = Connection(("v",))
    connection.vendor = "mysql"
    require_table(connection, "t", "aurora")
    assert connection.done == []


@pytest.mark.parametrize("autocommit", [True, False])
def test_later_revision_is_written_without_a_wait(become: Become, autocommit: bool) -> None:
    """It is one statement for the site's own row, which another process may have locked, by itself."""
    own = become(revision=20)
    connection: Any = Connection(autocommit=autocommit)
    raise_revision(connection, own)
    values = (20, own.digest, own.uid.hex, 20)
    assert connection.done == [(UPDATE, values), "close", *([] if autocommit else ["commit"])]


@pytest.mark.parametrize("error", [DriverError("read only"), ZeroDivisionError()])
def test_revision_that_cannot_be_written_leaves_no_transaction(become: Become, error: Exception) -> None:
    """A driver's error is no obstacle, and another is a defect; both end what was begun."""
    connection: Any = Connection(error, autocommit=False)
    with nullcontext() if isinstance(error, DriverError) else pytest.raises(ZeroDivisionError):
        raise_revision(connection, become(revision=20))
    assert connection.done[1:] == ["close", "rollback"]


def test_revision_is_written_for_sqlite_without_a_wait(become: Become) -> None:
    """The file's timeout is none meanwhile, and as before afterwards; another's row, or a retired one, stays."""
    own = become(revision=20)
    raw = sqlite3.connect(":memory:", isolation_level=None)
    columns = "id, platform, environment, uid, revision, digest, retired_at"
    raw.execute("PRAGMA busy_timeout = 777")
    raw.execute(f"CREATE TABLE {comparison.TABLE} ({columns})")
    for uid, revision, retired, is_written in (
        (own.uid, 19, None, True),
        (own.uid, 20, None, False),
        (OTHER_UID, 19, None, False),
        (own.uid, 19, "then", False),
    ):
        raw.execute(f"DELETE FROM {comparison.TABLE}")
        raw.execute(
            f"INSERT INTO {comparison.TABLE} ({columns}) VALUES (1, 'a', 'b', ?, ?, 'd', ?)",
            (uid.hex, revision, retired),
        )
        seen: list[str] = []
        raw.set_trace_callback(seen.append)
        comparison.write_revision(raw.cursor(), own, "sqlite")
        raw.set_trace_callback(None)
        assert seen[1] == "PRAGMA busy_timeout = 0" and seen[-1] == "PRAGMA busy_timeout = 777"
        row = raw.execute(f"SELECT revision, digest FROM {comparison.TABLE}").fetchone()
        assert row == ((20, own.digest) if is_written else (revision, "d"))
        assert raw.execute("PRAGMA busy_timeout").fetchone() == (777,)
    raw.close()


def test_connection_is_dropped_whatever_it_says() -> None:
    """One that cannot be closed is not used again either."""
    connection: Any = Connection()
    drop_connection(connection)
    assert (connection.done, connection.connection) == (["close"], None)
    broken: Any = SimpleNamespace(connection="open")
    drop_connection(broken)
    assert broken.connection is None


@pytest.mark.parametrize(
    ("vendor", "host", "name"),
    [
        ("sqlite", "", "the SQLite file aviary__aurora"),
        ("postgresql", "db.internal", "the database aviary__aurora on db.internal:5432"),
        ("postgresql", "", "the database aviary__aurora on this machine:5432"),
    ],
)
def test_database_is_named_by_its_place(vendor: str, host: str, name: str) -> None:
    """A file by its path, and a database on a server by name, host and port."""
    connection: Any = Connection()
    connection.vendor, connection.settings_dict["HOST"] = vendor, host
    assert database_name(connection) == name


def found_as(own: Any, **changes: Any) -> FoundIdentity:
    columns = {**own.columns(), "retired_at": None, **changes}
    return FoundIdentity(**columns)


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        ({"revision": 2**53}, []),
        ({"revision": 2**53, "digest": "x"}, ["revision"]),
        ({"revision": 2**53 + 1}, ["impossible"]),
        ({"revision": 0}, []),
        ({"revision": -1}, ["impossible"]),
        ({"revision": 10, "digest": "x"}, []),
        ({"revision": 11, "digest": "x"}, ["revision"]),
        ({"revision": 11}, []),
        ({"uid": UUID(int=0), "environment": "x", "retired_at": "", "revision": -1}, None),
    ],
)
def test_reasons_are_told_apart_at_their_bounds(become: Become, changes: dict[str, Any], reasons: list[str]) -> None:
    """A revision is impossible just beyond the bounds, and later just beyond the process's own."""
    own = become()
    every = ["uid", "environment", "retired", "impossible"]
    assert list(identity_differences(found_as(own, **changes), own)) == (every if reasons is None else reasons)


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (("uid",), "belongs to another site."),
        (("environment",), "belongs to the environment 'staging'."),
        (("retired",), "is retired: its site has moved elsewhere."),
        (("revision",), "was used under revision 11 of the registry"),
        (("impossible",), "has the revision 11, but the highest possible one is"),
        (("uid", "retired"), "belongs to another site and is retired"),
    ],
)
def test_report_says_each_reason(become: Become, reasons: tuple[str, ...], words: str) -> None:
    """The report has what is wrong, and the registry for a source where the record states none."""
    own = become()
    found = found_as(own, environment="staging", revision=11)
    text = identity_report(Connection(), found, own, reasons)  # type: ignore[arg-type]
    assert words in text.splitlines()[0]
    assert text.startswith("The site aurora (the registry) points to the database aviary__aurora on db.internal:5432,")
    assert len(text.splitlines()) == 4
    assert "environment 'staging'" in text.splitlines()[1] and "environment 'development'" in text.splitlines()[2]


def test_identity_prints_its_parts(become: Become) -> None:
    """Platform, environment, uid and revision, and a retirement where there is one."""
    own = become()
    text = f"platform 'aviary', environment 'development', uid {own.uid}, revision 10"
    assert str(own) == str(found_as(own)) == text
    assert str(found_as(own, retired_at="2026")) == f"{text}, retired at '2026'"

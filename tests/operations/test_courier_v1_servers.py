"""What the courier's login may do in a real PostgreSQL, and what a hostile courier may not."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.operations.verifications import COURIER, DATABASE, WEB, Verifications
from wagtail_multihost.nodeapi.courier_v1 import (
    LEASE_SECONDS,
    MOST_CHECKS,
    PROBLEM_LENGTH,
    REPORT,
    SCHEMA,
    TAKE,
    WORKER_LENGTH,
)

pytestmark = pytest.mark.servers

EXPIRE = "UPDATE control_verification SET lease_until = clock_timestamp() - interval '1 second'"


def take(verifications: Verifications, most: int = 20, worker: str = "one") -> list[tuple[Any, ...]]:
    return verifications.run(TAKE, worker, most, role=COURIER)


def report(verifications: Verifications, *values: object) -> bool:
    ((is_accepted,),) = verifications.run(REPORT, *values, role=COURIER)
    return bool(is_accepted)


def test_check_that_is_asked_for_is_taken_with_its_secret(verifications: Verifications) -> None:
    """One call says what to look for, and holds the check for the time of the lease by the database's clock."""
    identifier = verifications.add("aurora.test", "a-secret")
    ((taken, lease, name, secret),) = take(verifications, worker="w" * 100)
    assert (taken, name, secret) == (identifier, "aurora.test", "a-secret")
    row = verifications.row(identifier)
    assert (row["lease"], row["lease_holder"]) == (str(lease), "w" * WORKER_LENGTH)
    ((left,),) = verifications.run("SELECT extract(epoch FROM lease_until - now()) FROM control_verification")
    assert LEASE_SECONDS - 10 < left <= LEASE_SECONDS
    assert take(verifications) == []


def test_check_that_nobody_asks_for_is_not_shown(verifications: Verifications) -> None:
    """A courier never sees the secret of a challenge whose check is not asked for."""
    verifications.add("aurora.test", wanted=False)
    assert take(verifications) == []


@pytest.mark.parametrize(("most", "count"), [(0, 0), (-1, 0), (3, 3), (10**9, MOST_CHECKS)])
def test_number_of_checks_is_bounded(verifications: Verifications, most: int, count: int) -> None:
    """A courier cannot take all that there is at once."""
    for number in range(MOST_CHECKS + 2):
        verifications.add(f"site-{number}.test")
    assert len(take(verifications, most)) == count


def test_couriers_never_have_one_check_twice(verifications: Verifications) -> None:
    """Eight couriers that race for sixty checks take each of them once."""
    for number in range(60):
        verifications.add(f"site-{number}.test")

    def work(worker: int) -> list[uuid.UUID]:
        found = []
        with verifications.connect(COURIER) as connection:
            while rows := connection.execute(TAKE, (f"worker-{worker}", 2)).fetchall():
                found += [row[0] for row in rows]
        return found

    with ThreadPoolExecutor(8) as pool:
        taken = [identifier for found in pool.map(work, range(8)) for identifier in found]
    assert (len(taken), len(set(taken))) == (60, 60)


def test_sites_take_turns(verifications: Verifications) -> None:
    """A site with many names, which asked first, holds nobody up: while its first checks run, the others are next."""
    crowd = uuid.uuid4()
    for number in range(30):
        verifications.add(f"crowd-{number}.test", site=crowd)
    for number in range(3):
        verifications.add(f"single-{number}.test")
    first = [row[2] for row in take(verifications, 4)]
    assert sorted(first) == ["crowd-0.test", "single-0.test", "single-1.test", "single-2.test"]
    verifications.add("late.test")
    assert "late.test" in [row[2] for row in take(verifications, 1)]


def test_proof_is_recorded(verifications: Verifications) -> None:
    """The row says when and how the name was proven, and the check is no longer asked for."""
    identifier = verifications.add("aurora.test")
    ((_, lease, *_),) = take(verifications)
    assert report(verifications, identifier, lease, True, "dns", "")
    row = verifications.row(identifier)
    assert row["proven_at"] == row["checked_at"] is not None
    assert (row["method"], row["problem"], row["wanted_at"], row["lease"]) == ("dns", "", None, None)
    assert (row["lease_until"], row["lease_holder"], row["lease_wish"]) == (None, "", None)


def test_failure_is_recorded_and_an_earlier_proof_is_kept(verifications: Verifications) -> None:
    """The problem is there to read; when the name was last proven still counts, until it is too old."""
    identifier = verifications.add("aurora.test")
    ((_, lease, *_),) = take(verifications)
    assert report(verifications, identifier, lease, True, "file", "")
    proven = verifications.row(identifier)["proven_at"]
    verifications.run("UPDATE control_verification SET wanted_at = clock_timestamp()")
    ((_, lease, *_),) = take(verifications)
    assert report(verifications, identifier, lease, False, "", "DNS has no name aurora.test.")
    row = verifications.row(identifier)
    assert (row["problem"], row["proven_at"], row["method"]) == ("DNS has no name aurora.test.", proven, "file")
    assert (row["wanted_at"], row["lease"]) == (None, None)


def test_who_asks_once_more_meanwhile_gets_another_check(verifications: Verifications) -> None:
    """A wish that came while the check ran is not answered by it."""
    identifier = verifications.add("aurora.test")
    ((_, lease, *_),) = take(verifications)
    verifications.run("UPDATE control_verification SET wanted_at = clock_timestamp()")
    assert report(verifications, identifier, lease, False, "", "No.")
    assert [row[0] for row in take(verifications)] == [identifier]


def test_check_of_a_courier_that_died_is_taken_again(verifications: Verifications) -> None:
    """After the lease another courier has the check, and what the first one says afterwards counts for nothing."""
    identifier = verifications.add("aurora.test")
    ((_, old, *_),) = take(verifications, worker="dead")
    verifications.run(EXPIRE)
    assert not report(verifications, identifier, old, True, "dns", "")
    ((taken, lease, *_),) = take(verifications, worker="alive")
    assert (taken, verifications.row(identifier)["lease_holder"]) == (identifier, "alive")
    assert lease != old
    assert not report(verifications, identifier, old, True, "dns", "")
    assert verifications.row(identifier)["proven_at"] is None
    assert report(verifications, identifier, lease, True, "dns", "")


def test_only_what_was_taken_can_be_reported(verifications: Verifications) -> None:
    """Without the token nothing counts: not for a check that nobody took, nor with the token of another check."""
    mine, theirs = verifications.add("mine.test"), verifications.add("theirs.test")
    unasked = verifications.add("unasked.test", wanted=False)
    leases = {row[0]: row[1] for row in take(verifications)}
    for identifier in (theirs, unasked, uuid.uuid4()):
        assert not report(verifications, identifier, leases[mine], True, "dns", "")
        assert not report(verifications, identifier, None, True, "dns", "")
        assert not report(verifications, identifier, uuid.uuid4(), True, "dns", "")
    assert report(verifications, mine, leases[mine], True, "dns", "")
    assert not report(verifications, mine, leases[mine], True, "file", "")
    proven = verifications.run("SELECT name FROM control_verification WHERE proven_at IS NOT NULL")
    assert proven == [("mine.test",)]


@pytest.mark.parametrize("values", [(True, "telephone", ""), (True, "", ""), (True, None, ""), (None, "dns", "")])
def test_report_without_sense_is_refused(verifications: Verifications, values: tuple[object, ...]) -> None:
    """A proof has one of the two methods, and a report says whether there is one."""
    identifier = verifications.add("aurora.test")
    ((_, lease, *_),) = take(verifications)
    assert not report(verifications, identifier, lease, *values)
    assert verifications.row(identifier)["checked_at"] is None


def test_problem_is_bounded_and_printable(verifications: Verifications) -> None:
    """A hostile courier fills no disk, and steers no terminal that shows the row."""
    identifier = verifications.add("aurora.test")
    ((_, lease, *_),) = take(verifications)
    assert report(verifications, identifier, lease, False, "", "\x1b[2J\r\n" + "x" * 10**6)
    problem = verifications.row(identifier)["problem"]
    assert (len(problem), problem[:6]) == (PROBLEM_LENGTH, " [2J  ")
    assert problem.isprintable()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT secret FROM control_verification",
        "SELECT record FROM control_site",
        "UPDATE control_verification SET proven_at = now()",
        "INSERT INTO control_verification (id, name, site_id, secret) SELECT uid, '', uid, '' FROM control_site",
        "DELETE FROM control_verification",
        "CREATE TABLE mine ()",
        f"CREATE FUNCTION {SCHEMA}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        f"CREATE OR REPLACE FUNCTION {SCHEMA}.take(worker text, most int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        f"ALTER FUNCTION {SCHEMA}.take(text, int) SECURITY INVOKER",
        "SET ROLE multihost_owner",
    ],
)
def test_hostile_courier_reads_and_writes_nothing_else(verifications: Verifications, statement: str) -> None:
    """Its login has no right but to call the two functions."""
    verifications.add("aurora.test")
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidFunctionDefinition)):
        verifications.run(statement, role=COURIER)


def test_courier_has_no_right_to_any_table(verifications: Verifications) -> None:
    """The catalogue agrees: no privilege on a table, sequence or schema of the control site but one."""
    rights = """
    SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
        AND has_table_privilege(%s, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    """
    assert verifications.run(rights, COURIER) == []
    own = "SELECT has_schema_privilege(%s, %s, 'USAGE'), has_schema_privilege(%s, %s, 'CREATE')"
    assert verifications.run(own, COURIER, SCHEMA, COURIER, SCHEMA) == [(True, False)]


def test_others_may_not_call_the_functions(verifications: Verifications) -> None:
    """Not even the web process takes checks and proves names, also where it is let into the schema."""
    calls = ((TAKE, ("web", 1)), (REPORT, (uuid.uuid4(), uuid.uuid4(), True, "dns", "")))
    for right in ("GRANT USAGE ON SCHEMA {} TO {}", "REVOKE USAGE ON SCHEMA {} FROM {}"):
        verifications.server.execute(DATABASE, right, SCHEMA, WEB)
        for statement, parameters in calls:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                verifications.run(statement, *parameters, role=WEB)


def test_search_path_of_the_caller_changes_nothing(verifications: Verifications) -> None:
    """A courier with tables, functions and operators of the same names before the real ones gets the real ones."""
    verifications.server.execute(DATABASE, "GRANT TEMPORARY ON DATABASE {} TO {}", DATABASE, COURIER)
    identifier = verifications.add("aurora.test")
    with verifications.connect(COURIER) as connection:
        connection.execute("CREATE TEMPORARY TABLE control_verification (id uuid, wanted_at timestamptz, lease uuid)")
        connection.execute(
            "CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'"
        )
        connection.execute("SET search_path = pg_temp, public, pg_catalog")
        ((taken, lease, *_),) = connection.execute(TAKE, ("hostile", 5)).fetchall()
        assert taken == identifier
        assert connection.execute(REPORT, (identifier, lease, False, "", "No.")).fetchall() == [(True,)]
    assert verifications.row(identifier)["problem"] == "No."

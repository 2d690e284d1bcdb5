"""Nodes that were taken over, and cling to what they have: whoever lets them go does so all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.control.fleet import OPERATOR, Fleet
from tests.control.operators import OperatorHere
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.models import Node
from wagtail_multihost.control.nodes import save_group
from wagtail_multihost.control.roles import OPERATOR as OPERATOR_ROLE
from wagtail_multihost.nodeapi import node_v1, operator_ticks_v1
from wagtail_multihost.nodeapi.connection import Bounds, UnreachableError
from wagtail_multihost.nodeapi.node_states import ALL, AWAY

ROLE = "multihost_node_web1"


@pytest.fixture(name="operator")
def _operator(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[OperatorHere]:
    """Return an operator, and nodes web1, which is hostile, and web2, which joined by tokens."""
    roles = Roles(postgres)
    roles.make()
    save_group(OPERATOR, "web", ALL)
    operator = OperatorHere(roles, tmp_path)
    for node in ("web1", "web2"):
        operator.join(node, operator.mint().text)
    yield operator
    operator.close()
    for database in ("postgres", roles.database):
        with roles.server.connect(database) as opened:
            if opened.execute(f"SELECT to_regrole('{ROLE}')").fetchone() != (None,):
                opened.execute(f"DROP OWNED BY {ROLE}")
    operator.drop("web1", "web2")


def password_of(operator: OperatorHere, node: str) -> str:
    return (operator.root / node / "pgpass").read_text().strip().rpartition(":")[2]


def hostile_session(operator: OperatorHere, database: str = "") -> psycopg.Connection:
    opened = operator.roles.server.connect(database or operator.roles.database, ROLE, password_of(operator, "web1"))
    opened.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
    return opened


def let_leave(operator: OperatorHere, *nodes: str) -> None:
    """Let nodes have been away for long."""
    with operator.roles.server.connect(operator.roles.database) as opened:
        opened.execute("BEGIN; UPDATE control_head SET revision = revision")
        for node in nodes:
            opened.execute(
                f"UPDATE control_node SET state = '{AWAY}', joined_at = now() - interval '3 days' WHERE id = '{node}'"
            )
        opened.execute("UPDATE control_report SET seen_at = now() - interval '3 days'; COMMIT")


SETTINGS = ("statement_timeout", "default_transaction_read_only")
CLINGING = (
    ("", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC"),
    ("postgres", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC"),
    ("postgres", "SELECT lo_create(0)"),
)


@pytest.mark.parametrize(("database", "statement"), CLINGING)
def test_node_that_owns_something_is_forgotten(operator: OperatorHere, database: str, statement: str) -> None:
    """A role that owns something, in whatever database of the server, cannot be dropped; it has no login any more."""
    with hostile_session(operator, database) as opened:
        opened.execute(statement)
    let_leave(operator, "web1", "web2")
    operator.work()
    assert not Node.objects.exists()
    with pytest.raises(psycopg.OperationalError):
        hostile_session(operator)


@pytest.mark.parametrize("statement", ["SELECT 1", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC"])
def test_session_that_begins_while_its_role_is_dropped_is_ended(operator: OperatorHere, statement: str) -> None:
    """It has nobody's name, and what it has locked would keep the next migration waiting for ever."""
    with hostile_session(operator) as opened:
        opened.execute(statement)
    let_leave(operator, "web1")
    with operator.roles.connect(OPERATOR_ROLE) as forgetting:
        forgetting.execute("BEGIN; SELECT operator_v1.forget_nodes()")
        with hostile_session(operator) as opened:
            opened.execute("BEGIN; SELECT FROM node_api_v1.placed_site")
            forgetting.execute("COMMIT")
            with operator.roles.server.connect(operator.roles.database) as asked:
                asked.execute("BEGIN; SET lock_timeout = '1s'")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    asked.execute("LOCK TABLE control_site")
            operator.work()
            with pytest.raises(psycopg.OperationalError):
                opened.execute("SELECT 1")


def test_session_of_a_forgotten_node_ends_with_its_role(operator: OperatorHere) -> None:
    """At once, and not in the operator's next round."""
    with hostile_session(operator) as opened:
        let_leave(operator, "web1")
        with operator.roles.connect(OPERATOR_ROLE) as forgetting:
            assert forgetting.execute("SELECT operator_v1.forget_nodes()").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="terminat"):
            opened.execute("SELECT 1")


def test_session_ends_when_another_node_gets_its_name(operator: OperatorHere) -> None:
    """And no setting of it stays."""
    with hostile_session(operator) as opened:
        opened.execute(f"ALTER ROLE {ROLE} SET statement_timeout = 1")
        opened.execute(f"ALTER ROLE {ROLE} IN DATABASE {opened.info.dbname} SET default_transaction_read_only = on")
        let_leave(operator, "web1")
        operator.join("web1", operator.mint().text, operator.root / "another")
        assert password_of(operator, "another") != password_of(operator, "web1")
        with pytest.raises(psycopg.OperationalError, match="terminat"):
            opened.execute("SELECT 1")
    with operator.roles.server.connect(operator.roles.database, ROLE, password_of(operator, "another")) as opened:
        shown = [opened.execute(f"SHOW {name}").fetchone() for name in SETTINGS]
    assert shown == [("1min",), ("off",)]


def test_lock_that_keeps_the_operator_waiting_is_ended_in_its_next_round(operator: OperatorHere) -> None:
    """What waits in vain ends the round; the next one does not begin with that again."""
    let_leave(operator, "web1")
    operator.database.bounds = Bounds(statement=2)
    with hostile_session(operator) as opened, shorter_transactions(operator):
        opened.execute("BEGIN")
        opened.execute(node_v1.ENTER_STATE, (AWAY,))
        with pytest.raises(UnreachableError):
            operator.rounds.turn()
        operator.work()
        with pytest.raises(psycopg.OperationalError):
            opened.execute("COMMIT")
    assert list(Node.objects.values_list("pk", flat=True)) == ["web2"]


@contextmanager
def shorter_transactions(operator: OperatorHere) -> Iterator[None]:
    """Let transactions of nodes last a second, and not a minute."""
    (function,) = [one for one in operator_ticks_v1.CREATE.split("CREATE FUNCTION ") if "end_long" in one[:40]]
    body = function.partition("REVOKE")[0]
    longest = f"end_long_transactions({operator_ticks_v1.LONGEST_TRANSACTION})"
    assert longest in body
    try:
        replace_function(operator, body.replace(longest, "end_long_transactions(1)"))
        yield
    finally:
        replace_function(operator, body)


def replace_function(operator: OperatorHere, body: str) -> None:
    with operator.roles.server.connect(operator.roles.database) as opened:
        opened.execute(f"CREATE OR REPLACE FUNCTION {body}")

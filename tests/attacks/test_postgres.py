"""
What one site's role does to a PostgreSQL that it shares, and what bounds it.

A test whose name ends in ``is_not_held`` shows that the documentation is right to promise nothing there.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.accounts import needs_root
from tests.attacks.cluster import (
    BOUND,
    CREATE_SITE,
    SOCKET,
    Role,
    kept_silent,
    make_site,
    opened_cluster,
    running_proxy,
)
from tests.servers.accounts import Account
from tests.servers.postgres import HOST, SUPERUSER, Postgres
from tests.servers.processes import wait_for

pytestmark = [pytest.mark.servers, needs_root]

ATTACKER, NEIGHBOUR = "aviary__aurora", "aviary__borealis"
ACCOUNTS = {ATTACKER: Account("games", "games"), NEIGHBOUR: Account("news", "news")}
CONNECTIONS = 40
LOGIN_SECONDS = 5
#: More than the cluster's shared table has room for.
LOCKS = 12_000
SORT = "SELECT count(*) FROM (SELECT g FROM generate_series(1, 2000000) g ORDER BY g DESC) AS sorted"
#: No setting of PostgreSQL's for a role, and what shows that the role itself may lift it.
LIFTED = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout")


@pytest.fixture(name="cluster", scope="module")
def _cluster() -> Iterator[tuple[Postgres, Path]]:
    settings = (f"max_connections={CONNECTIONS}", f"authentication_timeout={LOGIN_SECONDS}s", "log_statement=all")
    with opened_cluster(*settings, "unix_socket_directories=..", "unix_socket_permissions=0770") as (server, folder):
        (folder / "postgres").chmod(0o750)
        yield server, folder


@pytest.fixture(name="sites", scope="module")
def _sites(cluster: tuple[Postgres, Path]) -> dict[str, Role]:
    return {name: make_site(*cluster, name) for name in ACCOUNTS}


@pytest.fixture(name="proxies", scope="module")
def _proxies(cluster: tuple[Postgres, Path], sites: dict[str, Role]) -> Iterator[dict[str, Path]]:
    server, folder = cluster
    behind = server_socket(server, folder)
    one, other = (running_proxy(behind, folder / name, ACCOUNTS[name]) for name in ACCOUNTS)
    with one as own, other as neighbours:
        yield {ATTACKER: own, NEIGHBOUR: neighbours}


def server_socket(server: Postgres, folder: Path) -> Path:
    return folder / "postgres" / f".s.PGSQL.{server.port}"


def is_served_through(proxies: dict[str, Path], role: Role) -> bool:
    return role.is_served(host=str(proxies[role.name]), port=5432)


def test_silent_connections_before_log_in_are_not_held(cluster: tuple[Postgres, Path], sites: dict[str, Role]) -> None:
    """Who reaches the server itself needs no password to lock out everybody, the superuser too; a timeout ends it."""
    server, _ = cluster
    with kept_silent((HOST, server.port), CONNECTIONS + 20) as taken:
        assert taken >= CONNECTIONS - 5
        assert not sites[NEIGHBOUR].is_served()
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            server.connect(SUPERUSER)
        wait_for(sites[NEIGHBOUR].is_served, "authentication_timeout", LOGIN_SECONDS + 5)


def test_silent_connections_through_a_proxy_leave_the_neighbour_served(
    cluster: tuple[Postgres, Path], sites: dict[str, Role], proxies: dict[str, Path]
) -> None:
    """Of 130 silent connections the attacker's proxy passes on those of its bound; the neighbour's is another."""
    server, _ = cluster
    assert is_served_through(proxies, sites[ATTACKER])
    with kept_silent(str(proxies[ATTACKER] / SOCKET), 130) as taken:
        assert taken == BOUND + 1  # systemd 252 refuses when there are more than it may have
        assert [is_served_through(proxies, sites[NEIGHBOUR]) for _ in range(5)] == [True] * 5
        assert not is_served_through(proxies, sites[ATTACKER])
        server.connect(SUPERUSER).close()


def test_site_reaches_no_socket_but_its_own_proxys(
    cluster: tuple[Postgres, Path], sites: dict[str, Role], proxies: dict[str, Path]
) -> None:
    """The account of a site can connect neither to the server's socket nor to its neighbour's proxy."""
    server, folder = cluster
    code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    answers = {}
    for path in (server_socket(server, folder), proxies[NEIGHBOUR] / SOCKET, proxies[ATTACKER] / SOCKET):
        command = ACCOUNTS[ATTACKER].command("/usr/bin/python3", "-c", code, path)
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        answers[path] = "PermissionError" in done.stderr if done.returncode else False
    assert list(answers.values()) == [True, True, False]


def test_connection_limit_holds_after_log_in_and_the_role_cannot_lift_it(sites: dict[str, Role]) -> None:
    """A role has as many connections as the documented script says, and no way to more."""
    role = sites[ATTACKER]
    with pytest.raises(psycopg.errors.InsufficientPrivilege), role.connect() as connection:
        connection.execute(f'ALTER ROLE "{role.name}" CONNECTION LIMIT -1')
    opened: list[psycopg.Connection] = []
    try:
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            opened.extend(role.connect() for _ in range(CONNECTIONS))
        assert sites[NEIGHBOUR].is_served()
    finally:
        for connection in opened:
            connection.close()


@pytest.mark.parametrize(
    "attempt",
    [
        "SET temp_file_limit = -1",
        'ALTER ROLE "{role}" SET temp_file_limit = -1',
        'ALTER ROLE "{role}" RESET temp_file_limit',
        'ALTER ROLE "{role}" IN DATABASE "{role}" SET temp_file_limit = -1',
        'ALTER DATABASE "{role}" SET temp_file_limit = -1',
    ],
)
def test_role_cannot_lift_the_limit_of_temporary_files(sites: dict[str, Role], attempt: str) -> None:
    """The limit of temporary files is a superuser's alone to set."""
    role = sites[ATTACKER]
    with role.connect() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(attempt.format(role=role.name))
    with role.connect() as connection:
        connection.execute(f'ALTER ROLE "{role.name}" RESET ALL')
    with role.connect() as connection:
        assert connection.execute("SHOW temp_file_limit").fetchone() == ("1GB",)


def test_limit_of_temporary_files_holds(cluster: tuple[Postgres, Path], sites: dict[str, Role]) -> None:
    """A query whose temporary files go over the limit ends with an error."""
    server, _ = cluster
    server.execute(SUPERUSER, "ALTER ROLE {} SET temp_file_limit = '1MB'", ATTACKER)
    try:
        with sites[ATTACKER].connect() as connection, pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            connection.execute(SORT)
    finally:
        server.execute(SUPERUSER, "ALTER ROLE {} SET temp_file_limit = '1GB'", ATTACKER)


def test_temporary_tables_are_not_held(cluster: tuple[Postgres, Path], sites: dict[str, Role]) -> None:
    """A temporary table grows past the limit of temporary files."""
    server, _ = cluster
    server.execute(SUPERUSER, "ALTER ROLE {} SET temp_file_limit = '1MB'", ATTACKER)
    try:
        with sites[ATTACKER].connect() as connection:
            connection.execute("CREATE TEMPORARY TABLE big AS SELECT repeat('x', 1000) AS text")
            for _ in range(12):
                connection.execute("INSERT INTO big SELECT text FROM big")
            size = connection.execute("SELECT pg_relation_size('big')").fetchone()
    finally:
        server.execute(SUPERUSER, "ALTER ROLE {} SET temp_file_limit = '1GB'", ATTACKER)
    assert size is not None
    assert size[0] > 3 << 20


@pytest.mark.parametrize("name", LIFTED)
def test_timeouts_of_a_role_are_not_held(sites: dict[str, Role], name: str) -> None:
    """A role lifts each of its timeouts by itself, for its session and for all to come."""
    role = sites[ATTACKER]
    with role.connect() as connection:
        connection.execute(f"SET {name} = 0")
        connection.execute(f'ALTER ROLE "{role.name}" SET {name} = 0')
    with role.connect() as connection:
        assert connection.execute(f"SHOW {name}").fetchone() == ("0",)


def test_timeout_of_a_statement_bounds_honest_code(sites: dict[str, Role]) -> None:
    """The documented role has timeouts, and a statement that does nothing against its own is ended."""
    with sites[NEIGHBOUR].connect() as connection:
        found = [connection.execute(f"SHOW {name}").fetchone() for name in LIFTED[:3]]
        assert found == [("5min",), ("30s",), ("5min",)]
        connection.execute("SET statement_timeout = '200ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            # The timer was set when the statement began: to lift the timeout within it comes too late.
            connection.execute("SELECT set_config('statement_timeout', '0', false), pg_sleep(20)")


def test_function_that_catches_the_timeout_is_not_held(sites: dict[str, Role]) -> None:
    """A function goes on after its statement was cancelled: no timeout of the server bounds hostile code."""
    body = "BEGIN PERFORM pg_sleep(20); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(0.3); END"
    with sites[NEIGHBOUR].connect() as connection:
        connection.execute("SET statement_timeout = '200ms'")
        start = time.monotonic()
        connection.execute(f"DO '{body}'")
        assert time.monotonic() - start > 0.5


def test_advisory_locks_are_not_held_within_a_cluster(sites: dict[str, Role]) -> None:
    """One role fills the cluster's table of locks, and its neighbours get errors until it lets go."""
    with sites[ATTACKER].connect() as connection:
        with pytest.raises(psycopg.errors.OutOfMemory):
            connection.execute(f"SELECT count(pg_advisory_lock(key)) FROM generate_series(1, {LOCKS}) AS key")
        assert not sites[NEIGHBOUR].is_served()
    wait_for(sites[NEIGHBOUR].is_served, "the end of the locks", 5)


def test_advisory_locks_do_not_reach_a_cluster_of_its_own(sites: dict[str, Role]) -> None:
    """A site with a cluster of its own is served while another's table of locks is full."""
    with opened_cluster() as (server, folder), sites[ATTACKER].connect() as connection:
        own = make_site(server, folder, "aviary__corona")
        with pytest.raises(psycopg.errors.OutOfMemory):
            connection.execute(f"SELECT count(pg_advisory_lock(key)) FROM generate_series(1, {LOCKS}) AS key")
        assert not sites[NEIGHBOUR].is_served()
        assert [own.is_served() for _ in range(5)] == [True] * 5


def test_role_connects_to_its_own_database_alone(cluster: tuple[Postgres, Path], sites: dict[str, Role]) -> None:
    """A role can connect to no neighbour's database, make no role and no database, and copy no file of the server."""
    server, _ = cluster
    server.execute(SUPERUSER, "REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
    role = sites[ATTACKER]
    for database in (NEIGHBOUR, SUPERUSER, "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            server.connect(database, role.name, role.password)
    for statement in ("CREATE ROLE more", "CREATE DATABASE more", "COPY (SELECT 1) TO PROGRAM 'true'"):
        with role.connect() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)  # type: ignore[arg-type]


def test_password_of_a_new_role_is_in_no_log(cluster: tuple[Postgres, Path], sites: dict[str, Role]) -> None:
    """Where the server logs every statement, the documented script still leaves no password and no verifier there."""
    _, folder = cluster
    log = (folder / "postgres" / "postgres.log").read_text()
    assert "REVOKE CONNECT" not in log.replace("REVOKE CONNECT ON DATABASE postgres", "")
    assert not [role.name for role in sites.values() if role.password in log]


def test_documented_units_are_sound(tmp_path: Path) -> None:
    """systemd accepts the units of the proxies; there is no systemd here that could start them."""
    for path in CREATE_SITE.parent.glob("multihost-postgres@.*"):
        (tmp_path / path.name).write_text(path.read_text())
    names = [f"./multihost-postgres@aurora.{kind}" for kind in ("socket", "service")]
    command = ["systemd-analyze", "verify", "--man=no", *names]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

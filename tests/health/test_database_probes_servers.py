"""The probes of databases with a real PostgreSQL: its pool, its connections, a replica, and addresses that hang."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.accounts import passable_folder
from tests.health.databases import Configure, _aurora, _configure, measured  # noqa: F401
from tests.identity.conftest import OTHER_UID
from tests.servers.accounts import POSTGRES
from tests.servers.postgres import HOST, SUPERUSER, Postgres, programs, running_postgres
from tests.servers.processes import STOP_SECONDS, free_port, running, wait_for
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.probes.connection import unopened_connection
from wagtail_multihost.health.probes.database import DatabaseProbe
from wagtail_multihost.health.probes.migrations import MigrationsProbe, migrations_on_disk
from wagtail_multihost.health.probes.pool import serving_pool
from wagtail_multihost.health.probes.replica import ReplicaProbe
from wagtail_multihost.health.report import ProbeEntry
from wagtail_multihost.health.sampler import Sampler
from wagtail_multihost.identity.own import OwnIdentity

pytestmark = pytest.mark.servers

ROLE, PASSWORD, DATABASE = "aurora", "of-aurora", "aurora"
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'aurora'"
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = 'aurora'"
PATIENT = 60.0
RUNS = 1000


@pytest.fixture(name="folder", scope="module")
def _folder() -> Iterator[Path]:
    with passable_folder() as folder:
        yield POSTGRES.take(folder, 0o755)


@pytest.fixture(name="server", scope="module")
def _server(folder: Path) -> Iterator[Postgres]:
    """A server with the database of a site."""
    with running_postgres(folder / "postgres") as server:
        server.add_role(ROLE, PASSWORD)
        server.add_database(DATABASE, ROLE)
        yield server


def alias(port: int, **options: object) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE,
        "USER": ROLE,
        "PASSWORD": PASSWORD,
        "HOST": HOST,
        "PORT": str(port),
        "OPTIONS": options,
    }


@pytest.fixture(name="pool")
def _pool(configure: Configure, server: Postgres) -> Iterator[Any]:
    """A pool of one connection, as the process has it that serves requests."""
    configure(default=alias(server.port, pool={"min_size": 1, "max_size": 1, "timeout": 600}))
    pool = serving_pool("default")
    pool.open(wait=True)
    yield pool
    unopened_connection("default").close_pool()


def connections(server: Postgres) -> int:
    return int(server.execute(SUPERUSER, CONNECTIONS)[0][0])


def backends(server: Postgres) -> list[int]:
    return [pid for (pid,) in server.execute(SUPERUSER, BACKENDS)]


def terminate(server: Postgres) -> None:
    server.execute(SUPERUSER, f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) AS backends")


@contextlib.contextmanager
def sampled(probe: Probe) -> Iterator[Sampler]:
    sampler = Sampler([ProbeEntry("database", probe)], (), HealthOptions(budget=60_000))
    try:
        yield sampler
    finally:
        sampler.stop()
        wait_for(lambda: not probing_threads(), "the probe's thread")


def probing_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("multihost-probe-")]


def code(sampler: Sampler) -> str:
    """Return the code of the newest result, blank before there is one."""
    report = sampler.ask()
    return report.results[0].outcomes[0].code if report and report.results else ""


def test_runs_leave_no_connection_behind(configure: Configure, server: Postgres) -> None:
    """A thousand runs leave the number of the server's connections as it was."""
    configure(default=alias(server.port))
    before = connections(server)
    found = {measured(DatabaseProbe(timeout=PATIENT)) for _ in range(RUNS)}
    assert found == {passed()}
    wait_for(lambda: connections(server) == before, "the connections to close")


def test_runs_that_fail_leave_no_connection_behind(configure: Configure, server: Postgres) -> None:
    """A database without its table, asked again and again, is left as it was too."""
    configure(default=alias(server.port))
    before = connections(server)
    found = {measured(MigrationsProbe(timeout=PATIENT)) for _ in range(20)}
    assert found == {failed("database_behind", len(unsquashed()), "migrations")}
    wait_for(lambda: connections(server) == before, "the connections to close")


def unsquashed() -> set[tuple[str, str]]:
    """Return what a new database lacks: what nothing stands for."""
    disk = migrations_on_disk()
    return set(disk.migrations).difference(*disk.migrations.values())


def test_sampler_leaves_no_connection_behind(configure: Configure, server: Postgres) -> None:
    """The sampler's threads close what they open, and never have more than one open at a time."""
    configure(default=alias(server.port))
    before, runs = connections(server), 0
    with sampled(DatabaseProbe(timeout=PATIENT, interval=0.01)) as sampler:
        moments: set[float] = set()
        most = 0
        while len(moments) < 20:
            report = sampler.wait(PATIENT)
            assert report
            moments.add(report.results[0].ended)
            most = max(most, connections(server) - before)
            assert (runs := runs + 1) < 10_000
        assert code(sampler) == "ok"
    assert most <= 1
    wait_for(lambda: connections(server) == before, "the connections to close")


def test_pool_that_serves_is_asked_and_a_new_connection_opened(pool: Any, server: Postgres) -> None:
    """With a pool both work, and the pool has all its connections afterwards."""
    before = connections(server)
    assert {measured(DatabaseProbe(timeout=PATIENT)) for _ in range(20)} == {passed()}
    wait_for(lambda: connections(server) == before, "the connections to close")
    assert pool.get_stats()["pool_available"] == 1


def test_pool_recovers_after_an_outage(pool: Any, server: Postgres) -> None:
    """Connections that the server has closed are replaced, as they would be for a request."""
    terminate(server)
    assert measured(DatabaseProbe(timeout=PATIENT)) == passed()


def test_pool_that_never_reconnects_is_unusable(pool: Any, server: Postgres) -> None:
    """
    The database is back and the pool is not: a failure, although a new connection can be opened
    (https://github.com/n8n-io/n8n-hosting/issues/124).
    """
    pool.kwargs["password"] = "changed"
    terminate(server)
    assert measured(DatabaseProbe(timeout=5)) == failed("pool_unusable")


def test_pool_whose_connections_are_all_in_use_is_busy_and_then_unusable(pool: Any) -> None:
    """Requests that never give their connection back are a failure once others have waited in vain."""
    probe = DatabaseProbe(timeout=5)
    with pool.connection():
        assert measured(probe) == warned("pool_exhausted")
        pool.timeout = 0.5  # seconds, less than the next run waits
        assert measured(probe) == failed("pool_unusable")
    assert measured(DatabaseProbe(timeout=PATIENT)) == passed()


def test_pool_that_works_while_nothing_new_can_be_opened_is_a_warning(pool: Any, server: Postgres) -> None:
    """The site works with what it has; when that is lost it will not."""
    server.execute(SUPERUSER, "ALTER ROLE {} NOLOGIN", ROLE)
    try:
        assert measured(DatabaseProbe(timeout=PATIENT)) == warned("no_new_connection")
    finally:
        server.execute(SUPERUSER, "ALTER ROLE {} LOGIN", ROLE)
    assert measured(DatabaseProbe(timeout=PATIENT)) == passed()


def test_pool_whose_server_process_hangs_is_hung_up(pool: Any, server: Postgres) -> None:
    """A connection that has gone silent holds the probe no longer than its time, and the pool gets rid of it."""
    (backend,) = backends(server)
    os.kill(backend, signal.SIGSTOP)
    try:
        assert measured(DatabaseProbe(timeout=5)) == failed("pool_unusable")
    finally:
        os.kill(backend, signal.SIGCONT)
    assert measured(DatabaseProbe(timeout=PATIENT)) == passed()


def test_role_without_login_cannot_connect(configure: Configure, server: Postgres) -> None:
    """Without a pool, a database that lets nobody in is a failure."""
    configure(default={**alias(server.port), "PASSWORD": "wrong"})
    assert measured(DatabaseProbe(timeout=PATIENT)) == failed("unreachable")
    configure(default=alias(free_port()))
    assert measured(DatabaseProbe(timeout=PATIENT)) == failed("unreachable")


@pytest.mark.parametrize("uid", ["own", "other"])
def test_identity_fuse_compares_the_probes_connection(
    pool: Any, server: Postgres, aurora: OwnIdentity, uid: str
) -> None:
    """The pool of this process leads to another site's database: a failure, even though all of it answers."""
    columns = "id int, platform text, environment text, uid uuid, revision bigint, digest text, retired_at timestamptz"
    server.execute(DATABASE, f"CREATE TABLE wagtail_multihost_identity ({columns})")
    server.execute(DATABASE, "GRANT SELECT, UPDATE ON wagtail_multihost_identity TO {}", ROLE)
    row = {**aurora.columns(), **({} if uid == "own" else {"uid": OTHER_UID})}
    values = tuple(row[name] for name in ("platform", "environment", "uid", "revision", "digest"))
    try:
        insert = "INSERT INTO wagtail_multihost_identity VALUES (1, %s, %s, %s, %s, %s, NULL)"
        server.execute(DATABASE, insert, parameters=values)
        expected = passed() if uid == "own" else failed("foreign_database")
        assert measured(DatabaseProbe(timeout=PATIENT)) == expected
        assert measured(MigrationsProbe(timeout=PATIENT)).code == (
            "database_behind" if uid == "own" else "foreign_database"
        )
    finally:
        server.execute(DATABASE, "DROP TABLE wagtail_multihost_identity")


@contextlib.contextmanager
def black_hole(is_full: bool) -> Iterator[int]:
    """Open a port that takes connections and never answers, or, when it ``is_full``, does not even take them."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0 if is_full else 128)
        port = int(listener.getsockname()[1])
        for _ in range(4 if is_full else 0):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((HOST, port))
        yield port


@pytest.mark.parametrize("is_full", [False, True])
def test_black_hole_is_stuck_and_ends(configure: Configure, is_full: bool) -> None:
    """An address that swallows everything is shown as stuck, and the run is over when the project's deadline is."""
    with black_hole(is_full) as port:
        configure(default=alias(port, connect_timeout=20, tcp_user_timeout=20_000))
        with sampled(DatabaseProbe(timeout=0.3, retry=600)) as sampler:
            report = sampler.wait(PATIENT)
            assert report
            # After the driver's own deadline it would be another code.
            assert [outcome.code for result in report.results for outcome in result.outcomes] == ["stuck"]
            wait_for(lambda: code(sampler) == "unreachable", "the driver's deadline", 120)


@pytest.mark.parametrize("is_full", [False, True])
def test_black_hole_ends_by_the_probes_own_deadline(configure: Configure, is_full: bool) -> None:
    """Where the project sets no deadline, which means minutes, the run ends within seconds."""
    with black_hole(is_full) as port:
        configure(default=alias(port))
        began = time.monotonic()
        assert measured(DatabaseProbe(timeout=0.3)) == failed("unreachable")
        assert time.monotonic() - began < 30


def test_answer_that_does_not_come_is_hung_up(configure: Configure, server: Postgres) -> None:
    """A server that lets the probe in and hangs then does not keep its thread; here another has locked the table."""
    configure(default=alias(server.port, options="-c statement_timeout=0"))
    server.execute(DATABASE, "CREATE TABLE django_migrations (id int, app text, name text)")
    server.execute(DATABASE, "GRANT SELECT ON django_migrations TO {}", ROLE)
    with server.connect(DATABASE) as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        assert measured(DatabaseProbe(timeout=PATIENT)) == passed()
        assert measured(MigrationsProbe(timeout=2)) == failed("unreachable")
    server.execute(DATABASE, "DROP TABLE django_migrations")


@pytest.fixture(name="replica", scope="module")
def _replica(folder: Path, server: Postgres) -> Iterator[Postgres]:
    """A streaming replica of the server."""
    cluster = folder / "replica"
    address = f"host={HOST} port={server.port} user={SUPERUSER} password={server.password}"
    copy = [programs() / "pg_basebackup", "-D", cluster, "-d", address, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    with running(POSTGRES.command(*copy), folder / "basebackup.log", cwd=Path("/")) as process:
        assert process.wait() == 0, (folder / "basebackup.log").read_text()
    standby = Postgres(free_port(), server.password)
    settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", f"port={standby.port}", "fsync=off")
    words = [word for setting in (*settings, "max_connections=60") for word in ("-c", setting)]
    serve = POSTGRES.command(programs() / "postgres", "-D", cluster, *words)
    with running(serve, folder / "replica.log", cwd=Path("/")) as process:
        wait_for(standby.is_up, "the replica")
        yield standby
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)


def replicated(configure: Configure, port: int, **options: Any) -> Outcome:
    configure(replica=alias(port))
    return measured(ReplicaProbe(timeout=PATIENT / 20, **options))


def test_primary_is_not_a_replica(configure: Configure, server: Postgres) -> None:
    """An alias that leads to the primary, or a replica that was promoted, is found out."""
    assert replicated(configure, server.port) == failed("not_a_replica")


def test_replica_that_is_gone_is_unreachable(configure: Configure) -> None:
    """A server that does not answer is a failure of its own kind."""
    assert replicated(configure, free_port()) == failed("unreachable")


def test_replica_follows_an_idle_primary_without_lag(configure: Configure, server: Postgres, replica: Postgres) -> None:
    """However long nothing is written, a replica that has everything does not lag."""
    server.execute(DATABASE, "CREATE TABLE written (at timestamptz)")
    server.execute(DATABASE, "DROP TABLE written")
    wait_for(lambda: replicated(configure, replica.port, max_lag=0.001).status == 0, "the replica to follow")
    time.sleep(0.1)  # so that the last transaction is older than what is accepted
    assert replicated(configure, replica.port, max_lag=0.001).code == "ok"


def test_replica_that_does_not_replay_lags(configure: Configure, server: Postgres, replica: Postgres) -> None:
    """What has been received and is not replayed is lag, of the age of what visitors see; replayed, it is none."""
    wait_for(lambda: replicated(configure, replica.port).code == "ok", "the replica to stream")
    replica.execute(SUPERUSER, "SELECT pg_wal_replay_pause()")
    try:
        server.execute(DATABASE, "CREATE TABLE late (at timestamptz)")
        wait_for(lambda: replicated(configure, replica.port, max_lag=0.01).code == "lagging", "the lag")
        lag = replicated(configure, replica.port, max_lag=0.01)
        assert lag.unit == "seconds"
        assert lag.value and lag.value > 0.01
        assert replicated(configure, replica.port, max_lag=86_400).code == "ok"
    finally:
        replica.execute(SUPERUSER, "SELECT pg_wal_replay_resume()")
        server.execute(DATABASE, "DROP TABLE IF EXISTS late")
    wait_for(lambda: replicated(configure, replica.port, max_lag=0.01).code == "ok", "the replica to catch up")


def test_replica_of_another_site_is_foreign(
    configure: Configure, server: Postgres, replica: Postgres, aurora: OwnIdentity
) -> None:
    """Visitors must not read another site's pages from a replica; the fuse itself compares the primary alone."""
    columns = "id int, platform text, environment text, uid uuid, revision bigint, digest text, retired_at timestamptz"
    server.execute(DATABASE, f"CREATE TABLE wagtail_multihost_identity ({columns})")
    try:
        server.execute(DATABASE, "GRANT SELECT ON wagtail_multihost_identity TO {}", ROLE)
        values = ("aviary", "production", OTHER_UID, 1, "")
        insert = "INSERT INTO wagtail_multihost_identity VALUES (1, %s, %s, %s, %s, %s, NULL)"
        server.execute(DATABASE, insert, parameters=values)
        wait_for(lambda: replicated(configure, replica.port).code == "foreign_database", "the copy of the identity")
    finally:
        server.execute(DATABASE, "DROP TABLE wagtail_multihost_identity")


def test_replica_that_has_lost_the_primary_fails(configure: Configure, server: Postgres, replica: Postgres) -> None:
    """Everything received is replayed, and nothing is received any more: that is no replica without lag."""
    wait_for(lambda: replicated(configure, replica.port).code == "ok", "the replica to stream")
    ((primary,),) = replica.execute(SUPERUSER, "SHOW primary_conninfo")
    follow(replica, "")
    try:
        wait_for(lambda: replicated(configure, replica.port).code == "not_streaming", "the stream to end")
    finally:
        follow(replica, primary)
    wait_for(lambda: replicated(configure, replica.port).code == "ok", "the replica to stream again")


def follow(replica: Postgres, primary: str) -> None:
    """Have the replica follow another server; pg_basebackup has put the first into what ALTER SYSTEM writes."""
    quoted = primary.replace("'", "''")
    replica.execute(SUPERUSER, f"ALTER SYSTEM SET primary_conninfo = '{quoted}'")
    replica.execute(SUPERUSER, "SELECT pg_reload_conf()")

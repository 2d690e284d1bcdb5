"""What may go wrong between agent and registry, with a real PostgreSQL: sites serve on, and nothing is missed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from tests.control.agents import AgentProcess, agent_of
from tests.control.fleet import Fleet
from tests.control.lines import line_to
from tests.control.restarts import Restarts
from tests.control.roles import PASSWORD
from tests.servers.accounts import POSTGRES
from tests.servers.postgres import HOST, Postgres
from tests.servers.processes import free_port, running, wait_for
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Event
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.control.roles import READER
from wagtail_multihost.node.database import PAUSE, NodeDatabase
from wagtail_multihost.nodeapi.node_states import (
    APPLIED,
    DUPLICATE_NODE,
    FALSE,
    NO_BELL,
    REGISTRY_WENT_BACK,
    TRUE,
    UNLISTED,
)

#: Seconds within which everything is as it should be again; on a machine that does other things too.
SOON = 15
#: So long that nothing is found by asking again in time.
NEVER = 3600
POOLER = """
[databases]
* = host={host} port={server}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
ignore_startup_parameters = options
logfile = {log}
"""


@pytest.fixture(name="agent")
def _agent(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[AgentProcess]:
    with agent_of(postgres, tmp_path) as agent:
        agent.give_key("aurora", "borealis", "corona", "delphinus")
        yield agent


def test_registry_that_is_restarted_or_away_is_caught_up_with(
    live_fleet: Fleet, agent: AgentProcess, postgres: Postgres, restarts: Restarts
) -> None:
    live_fleet.add("aurora")
    ready = agent.folder / "ready"
    agent.agent |= {"poll": NEVER, "ready": str(ready)}
    with line_to(postgres.port) as line:
        agent.server_port = line.port
        agent.write()
        with agent.running() as process:
            agent.wait_until_applied(live_fleet.revision)
            restarts.restart()
            live_fleet.add("borealis")
            started = time.monotonic()
            agent.wait_until_applied(live_fleet.revision)
            assert time.monotonic() - started < SOON
            # Away for a while: the agent may even be killed, and started again.
            line.cut()
            live_fleet.add("corona")
            process.kill()
            process.wait()
        before = agent.files
        assert ready.exists()
        with agent.running():
            wait_for(lambda: not ready.exists() or "is kept as it is" in agent.log, "the start without a registry")
            wait_for(ready.exists, "the agent, with what was applied before")
            time.sleep(0.5)
            assert agent.files == before
            line.mend()
            agent.wait_until_applied(live_fleet.revision)
            assert agent.vassals == ["aurora", "borealis", "corona"]
        assert not ready.exists()
        # On an empty disk there is nothing to be ready with.
        line.cut()
        empty = AgentProcess(agent.folder.parent / "empty", agent.login, **{**agent.agent, "ready": str(ready)})
        empty.server_port = line.port
        empty.write()
        with empty.running():
            wait_for(lambda: "cannot be reached" in empty.log, "the first attempt")
            time.sleep(0.5)
            assert not ready.exists()
            assert not empty.output.exists()


def test_line_that_fell_silent_is_given_up(live_fleet: Fleet, agent: AgentProcess, postgres: Postgres) -> None:
    """Half-open, it gives neither an answer nor an end: the agent ends it after five seconds."""
    live_fleet.add("aurora")
    with line_to(postgres.port) as line:
        agent.server_port = line.port
        agent.write()
        with agent.running():
            agent.wait_until_applied(live_fleet.revision)
            line.fall_silent()
            live_fleet.add("borealis")
            started = time.monotonic()
            agent.wait_until_applied(live_fleet.revision)
            assert time.monotonic() - started < 5 + SOON
            assert agent.vassals == ["aurora", "borealis"]


@contextmanager
def running_pooler(folder: Path, server: Postgres, role: str) -> Iterator[int]:
    """Run PgBouncer, which shares connections transaction by transaction; return its port."""
    POSTGRES.folder(folder, 0o700)
    port, log = free_port(), folder / "pgbouncer.log"
    users = POSTGRES.write(folder / "users", f'"{role}" "{PASSWORD}"\n')
    text = POOLER.format(host=HOST, server=server.port, port=port, users=users, log=log)
    config = POSTGRES.write(folder / "pgbouncer.ini", text)
    with running(POSTGRES.command("/usr/sbin/pgbouncer", config), folder / "output.log", cwd=Path("/")):
        yield port


def test_bell_that_a_pooler_swallows_is_replaced_by_asking(
    live_fleet: Fleet, agent: AgentProcess, postgres: Postgres, open_folder: Path
) -> None:
    with running_pooler(open_folder / "pooler", postgres, agent.login.role) as port:
        live_fleet.add("aurora")
        agent.server_port = port
        agent.agent["poll"] = NEVER
        agent.write()
        with agent.running():
            agent.wait_until_applied(live_fleet.revision)
            assert agent.condition(NO_BELL)["status"] == TRUE
            live_fleet.add("borealis")
            started = time.monotonic()
            agent.wait_until_applied(live_fleet.revision)
            assert time.monotonic() - started < SOON
            assert agent.vassals == ["aurora", "borealis"]


def test_agent_that_was_stopped_catches_up_though_events_were_pruned(live_fleet: Fleet, agent: AgentProcess) -> None:
    aurora = live_fleet.add("aurora")
    with agent.running() as process:
        agent.wait_until_applied(live_fleet.revision)
        process.send_signal(signal.SIGSTOP)
        live_fleet.add("borealis")
        live_fleet.apply(EditSite(aurora.uid, set_value(("enabled",), False)))
        with transaction.atomic():
            oldest = lock_head().revision + 1
            Event.objects.all().delete()
            execute("UPDATE control_head SET oldest = %s", oldest)
        process.send_signal(signal.SIGCONT)
        agent.wait_until_applied(live_fleet.revision)
        assert agent.vassals == agent.published == ["borealis"]


def test_registry_that_went_back_holds_the_node_until_it_is_advanced(live_fleet: Fleet, agent: AgentProcess) -> None:
    live_fleet.add("aurora")
    with agent.running():
        live_fleet.add("borealis")
        agent.wait_until_applied(live_fleet.revision)
        before, highest = agent.files, live_fleet.revision
        # As from a backup of before the second site.
        with transaction.atomic():
            uid = live_fleet.site("borealis").uid
            execute("SET LOCAL session_replication_role = replica")
            for table in ("claim", "hostname", "record"):
                execute(f"DELETE FROM control_{table} WHERE site_id = %s", uid)
            execute("DELETE FROM control_site WHERE uid = %s", uid)
            execute("UPDATE control_head SET revision = revision - 2")
        wait_for(lambda: agent.condition(REGISTRY_WENT_BACK).get("status") == TRUE, "the condition")
        assert agent.condition(APPLIED)["status"] == FALSE
        assert agent.files == before
        call_command("multihost_control_advance", above=highest, verbosity=0)
        # Nothing says that the second site is gone: it stays, and is named.
        wait_for(lambda: agent.condition(UNLISTED).get("status") == TRUE, "the answer of the new incarnation")
        assert agent.condition(REGISTRY_WENT_BACK)["status"] == FALSE
        assert agent.files == before
        live_fleet.add("corona")
        agent.wait_until_applied(live_fleet.revision)
        assert agent.vassals == ["aurora", "borealis", "corona"]


def test_database_that_was_emptied_removes_nothing(live_fleet: Fleet, agent: AgentProcess) -> None:
    """Neither where no site is left in it, nor where nothing is, and not by an agent that is started then."""
    for name in ("aurora", "borealis"):
        live_fleet.add(name)
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        before = agent.files
        with transaction.atomic():
            execute("SET LOCAL session_replication_role = replica")
            for table in ("claim", "hostname", "record", "site"):
                execute(f"DELETE FROM control_{table}")
        wait_for(lambda: agent.condition(UNLISTED).get("message") == "aurora, borealis", "the condition")
        assert agent.files == before
        with transaction.atomic():
            execute("SET LOCAL session_replication_role = replica")
            execute("DELETE FROM control_head")
        wait_for(lambda: "The database has no registry yet" in agent.log, "the refusal")
    done = agent.once()
    assert (done.returncode, agent.files) == (1, before), done.stderr


def test_second_agent_under_an_id_is_noticed_and_both_go_on(live_fleet: Fleet, agent: AgentProcess) -> None:
    live_fleet.add("aurora")
    other = AgentProcess(agent.folder.parent / "other", agent.login)
    other.give_key("aurora", "borealis", "corona")
    with agent.running(), other.running():
        agent.wait_until_applied(live_fleet.revision)
        wait_for(lambda: other.output.exists() and other.vassals == ["aurora"], "the second agent")
        for name in ("borealis", "corona"):
            live_fleet.add(name)
            wait_for(lambda name=name: name in agent.vassals and name in other.vassals, "both")
            time.sleep(0.5)
        wait_for(lambda: agent.condition(DUPLICATE_NODE).get("status") == TRUE, "the condition")
    assert "Another agent reports as this node" in agent.log + other.log


def test_clock_that_is_wrong_changes_nothing(live_fleet: Fleet, agent: AgentProcess) -> None:
    """A year ahead: what is reported has the database's time."""
    live_fleet.add("aurora")
    agent.more = {
        "LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "FAKETIME": "+365d",
    }
    told = subprocess.run(
        [*agent.command[:1], "-c", "import time; print(time.time())"],
        env=agent.environ,
        capture_output=True,
        check=True,
    )
    assert float(told.stdout) > time.time() + timedelta(days=300).total_seconds()
    assert agent.once().returncode == 0
    assert agent.vassals == agent.published == ["aurora"]
    assert agent.report is not None
    since = datetime.fromisoformat(agent.condition(APPLIED)["since"])
    assert abs(since - agent.report.seen_at) < timedelta(minutes=5)


def test_hostile_bells_cost_a_read_now_and_then(live_fleet: Fleet, agent: AgentProcess, postgres: Postgres) -> None:
    """Any role that may connect can ring, as often as it likes."""
    login = agent.login
    url = f"postgres://{login.role}@{HOST}:{login.server.port}/{login.database}?passfile={agent.folder}/pgpass"
    database = NodeDatabase(url)
    database.read()
    is_over = threading.Event()

    def ring() -> None:
        with postgres.connect(login.database, READER, PASSWORD) as opened:
            while not is_over.is_set():
                opened.execute("NOTIFY multihost_control")

    ringer = threading.Thread(target=ring)
    ringer.start()
    reader, writer = os.pipe()
    try:
        until, heard = time.monotonic() + 2, 0
        while time.monotonic() < until:
            heard += database.wait(1, reader)
    finally:
        is_over.set()
        ringer.join()
        database.close()
        os.close(reader)
        os.close(writer)
    assert 3 <= heard <= 2 / PAUSE + 2


def execute(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)

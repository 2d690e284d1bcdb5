"""Requests that wait for events, on a real server: how many, how long, and what they hold."""

from __future__ import annotations

import asyncio
import contextlib
import select
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.control.clients import Reply, token_of
from tests.control.fleet import Fleet
from tests.control.live import Server, received, running_control
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for
from wagtail_multihost.control.api import waiting as waiting_module
from wagtail_multihost.control.api.waiting import LEAST_SECONDS, WaitingRoom
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import TokenScope

pytestmark = pytest.mark.projects


@pytest.fixture(name="server", scope="module")
def _server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_control(tmp_path_factory.mktemp("control-site")) as server:
        yield server


@pytest.fixture(name="tokens")
def _tokens(live_fleet: Fleet) -> list[str]:
    """Return eleven tokens of an operator: one more than is needed for all places."""
    user = live_fleet.user("olga", operator=True)
    return [token_of(user) for _ in range(11)]


@contextlib.contextmanager
def waiting(server: Server, tokens: list[str], fleet: Fleet, wait: int = 25) -> Iterator[list[Any]]:
    """Wait for the next event with each token, over a connection of its own."""
    with contextlib.ExitStack() as stack:
        connections = []
        for token in tokens:
            connection = stack.enter_context(server.connected(40))
            send_wish(server, connection, token, fleet, wait)
            connections.append(connection)
        yield connections


def send_wish(server: Server, connection: Any, token: str, fleet: Fleet, wait: int = 25) -> None:
    server.send(connection, "GET", f"/events?after={fleet.revision}&wait={wait}", token)


def is_answered(connection: Any) -> bool:
    return bool(select.select([connection.sock], [], [], 0)[0])


def let_all_wait(server: Server, connections: list[Any], tokens: list[str], fleet: Fleet, prober: str) -> None:
    """
    Return when each connection has a place and none is left. Whether one is left is asked with the token ``prober``,
    which takes it for a second: who found none then asks again.
    """

    def all_wait() -> bool:
        for connection, token in zip(connections, tokens, strict=True):
            if is_answered(connection):
                received(connection)
                send_wish(server, connection, token, fleet)
        return is_full(server, prober, fleet) and not any(map(is_answered, connections))

    wait_for(all_wait, "all places to be taken", 30)


def ask(server: Server, token: str, fleet: Fleet, wait: int = 25) -> tuple[float, Reply]:
    """Return how long an answer took, and what it is."""
    start = time.monotonic()
    reply = server.ask("GET", f"/events?after={fleet.revision}&wait={wait}", token)
    return time.monotonic() - start, reply


def is_full(server: Server, token: str, fleet: Fleet) -> bool:
    """Return whether no place is left for a token."""
    return "Retry-After" in ask(server, token, fleet, wait=1)[1].headers


def threads_of(server: Server) -> int:
    return len([*Path(f"/proc/{server.process.pid}/task").iterdir()])


def sessions_of(postgres: Postgres, text: str = "") -> int:
    """Return how many connections of others the database has, whose last statement has ``text``."""
    rows = postgres.execute(
        "test_control",
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'test_control' AND pid <> pg_backend_pid() "
        "AND query LIKE %s AND application_name <> 'tests'",
        parameters=(f"%{text}%",),
    )
    return int(rows[0][0])


def listeners(postgres: Postgres) -> int:
    return sessions_of(postgres, "FROM control_head") if postgres.is_up() else 0


def test_change_ends_the_wait_within_a_second(server: Server, live_fleet: Fleet, tokens: list[str]) -> None:
    live_fleet.add("aurora")
    with waiting(server, tokens[:1], live_fleet) as [connection]:
        time.sleep(1.5)
        start = time.monotonic()
        live_fleet.add("borealis")
        reply = received(connection)
        assert time.monotonic() - start < 1.5
    assert [event["site"] for event in reply.body["events"]] == ["borealis"]
    assert reply.body["next"] == live_fleet.revision


def test_bell_ends_the_wait(live_fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look at the head would come too late here."""
    monkeypatch.setattr(waiting_module, "POLL_SECONDS", 60)
    revision, listening = live_fleet.revision, threading.Event()

    async def wait_in_a_room() -> bool:
        room = WaitingRoom()
        with room.place("ada"):
            waits = asyncio.create_task(room.wait_for_change(revision, 20))
            async with asyncio.timeout(20):
                while room.revision < revision:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(2 * LEAST_SECONDS)  # now it waits for the bell
            listening.set()
            return await waits

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(asyncio.run, wait_in_a_room())
        assert listening.wait(20)
        live_fleet.add("aurora")
        assert answer.result(30)


def test_wait_ends_when_it_was_to_end(server: Server, live_fleet: Fleet, tokens: list[str]) -> None:
    seconds, reply = ask(server, tokens[0], live_fleet, wait=2)
    assert 1.9 < seconds < 6
    assert (reply.status, reply.body["events"]) == (200, [])
    assert "Retry-After" not in reply.headers


def test_twenty_wait_and_the_next_is_answered_at_once(
    server: Server, live_fleet: Fleet, tokens: list[str], postgres: Postgres
) -> None:
    """They hold one connection together, and no threads of their own."""
    with waiting(server, [*tokens[:10], *tokens[:10]], live_fleet) as connections:
        let_all_wait(server, connections, [*tokens[:10], *tokens[:10]], live_fleet, tokens[10])
        seconds, reply = ask(server, tokens[10], live_fleet)
        assert seconds < 5
        assert reply.headers["Retry-After"] == "5"
        assert threads_of(server) < 15
        assert sessions_of(postgres) < 10
        start = time.monotonic()
        live_fleet.add("aurora")
        with ThreadPoolExecutor(20) as pool:
            replies = [*pool.map(received, connections)]
        assert time.monotonic() - start < 5
    assert {reply.body["events"][0]["site"] for reply in replies} == {"aurora"}
    assert len(replies) == 20


def test_a_token_waits_twice_at_most(server: Server, live_fleet: Fleet, tokens: list[str]) -> None:
    with waiting(server, tokens[:1] * 2, live_fleet) as connections:
        let_all_wait(server, connections, tokens[:1] * 2, live_fleet, tokens[0])
        assert not is_full(server, tokens[1], live_fleet)
        live_fleet.add("aurora")
        assert [received(connection).status for connection in connections] == [200, 200]
    assert not is_full(server, tokens[0], live_fleet)


def test_place_of_a_client_that_went_away_is_free(server: Server, live_fleet: Fleet, tokens: list[str]) -> None:
    with waiting(server, tokens[:1] * 2, live_fleet) as connections:
        let_all_wait(server, connections, tokens[:1] * 2, live_fleet, tokens[0])
    wait_for(lambda: not is_full(server, tokens[0], live_fleet), "a place to be free", 10)


def test_others_changes_do_not_end_the_wait(server: Server, live_fleet: Fleet) -> None:
    """Who may see one site waits on; and what they see is decided when they are told."""
    site = live_fleet.add("aurora")
    live_fleet.add("borealis")
    token = token_of(live_fleet.user("ada", aurora="view"), "read")
    with waiting(server, [token], live_fleet, wait=20) as [connection]:
        time.sleep(1)
        other = live_fleet.site("borealis")
        live_fleet.apply(EditSite(other.uid, set_value(("admins",), ["b@example.com"])))
        time.sleep(1)
        live_fleet.apply(EditSite(site.uid, set_value(("admins",), ["a@example.com"])))
        reply = received(connection)
    assert [event["site"] for event in reply.body["events"]] == ["aurora"]


def test_token_that_ends_meanwhile_is_told_nothing(server: Server, live_fleet: Fleet, tokens: list[str]) -> None:
    with waiting(server, tokens[:1], live_fleet) as [connection]:
        time.sleep(1.5)
        TokenScope.objects.all().delete()
        live_fleet.add("aurora")
        reply = received(connection)
    assert reply.status == 403
    assert "aurora" not in str(reply.body)


def test_wait_outlives_the_database_connection(
    server: Server, live_fleet: Fleet, tokens: list[str], postgres: Postgres
) -> None:
    """As when the server restarts: the connection that listens is another one afterwards."""
    with waiting(server, tokens[:1], live_fleet) as [connection]:
        wait_for(lambda: listeners(postgres), "somebody to listen", 10)
        postgres.execute(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'test_control' "
            "AND query LIKE '%%FROM control_head%%'",
            parameters=(),
        )
        time.sleep(1)
        live_fleet.add("aurora")
        assert [event["site"] for event in received(connection).body["events"]] == ["aurora"]


def test_nobody_listens_when_nobody_waits(
    server: Server, live_fleet: Fleet, tokens: list[str], postgres: Postgres
) -> None:
    ask(server, tokens[0], live_fleet, wait=1)
    wait_for(lambda: not listeners(postgres), "the connection to be closed", 20)


def test_server_stops_while_clients_wait(
    live_fleet: Fleet, tokens: list[str], tmp_path: Path, django_db_setup: None
) -> None:
    with running_control(tmp_path) as server, waiting(server, tokens[:3], live_fleet):
        time.sleep(1.5)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) in (0, -signal.SIGTERM)
        assert "Traceback" not in server.log.read_text()


def test_under_wsgi_the_answer_comes_at_once(live_fleet: Fleet, tokens: list[str], tmp_path: Path) -> None:
    with running_control(tmp_path, "wsgi") as server:
        seconds, reply = ask(server, tokens[0], live_fleet)
    assert seconds < 5
    assert (reply.status, reply.body["events"], reply.headers["Retry-After"]) == (200, [], "5")

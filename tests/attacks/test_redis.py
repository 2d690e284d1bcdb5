"""One site's code on a Redis that it shares, with the rules of the documentation's example."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.core.cache import caches
from django.test import override_settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError
from redis.retry import Retry

from tests.servers.processes import wait_for
from tests.servers.redis import LIMITS, PASSWORDS, SharedRedis, shared_redis
from wagtail_multihost.backends.session_names import hashed_name
from wagtail_multihost.resolver.caches import DJANGO_REDIS, KEY_FUNCTION, REDIS

pytestmark = [pytest.mark.servers, pytest.mark.django_db]

NEVER = Retry(NoBackoff(), 0)
# Far more than a neighbour waits, and far less than a script, or a WATCH of as many keys, holds the server.
SECONDS = 5
ENGINES = ("cache", "cached_db")
ATTACKS = {
    "see each key that a neighbour writes": "CLIENT TRACKING ON BCAST NOLOOP",
    "be told of neighbours' keys through another connection": "CLIENT TRACKING ON REDIRECT 1 BCAST",
    "see who else is connected": "CLIENT LIST",
    "end a neighbour's connections": "CLIENT KILL TYPE normal SKIPME yes",
    "hold all neighbours": "CLIENT PAUSE 60000 ALL",
    "stay when memory runs out": "CLIENT NO-EVICT on",
    "loop in a script": "EVAL while(true)do\nend 0",
    "empty the neighbours' libraries": "FUNCTION FLUSH",
    "load a library": "FUNCTION LOAD #!lua\nname=x",
    "forget the neighbours' scripts": "SCRIPT FLUSH",
    "listen to events of keys": "PSUBSCRIBE __key*__:*",
    "speak to neighbours": "PUBLISH aviary.borealis x",
    "read what all send": "MONITOR",
    "read what was slow": "SLOWLOG GET",
    "read the users": "ACL LIST",
    "change the users": "ACL SETUSER aurora allkeys",
    "read what was refused": "ACL LOG",
    "change the server": "CONFIG SET requirepass x",
    "list all keys": "SCAN 0 COUNT 1000",
    "draw a key": "RANDOMKEY",
    "count all keys": "DBSIZE",
    "change places": "SWAPDB 0 1",
    "empty all": "FLUSHALL",
    "move a key out": "MIGRATE 127.0.0.1 1 aviary.aurora:a 0 10",
    "look at how a key is kept": "OBJECT FREQ aviary.borealis:owner",
    "hold a connection": "BLPOP aviary.aurora:list 0",
    "hold the server by one transaction": "MULTI",
    "hold the server by watching many keys": "WATCH aviary.aurora:a",
    "hold the server by cutting a set with itself": "SINTER aviary.aurora:a aviary.aurora:a",
    "sort by a neighbour's keys": "SORT aviary.aurora:list BY aviary.borealis:*",
    "copy a neighbour's key": "COPY aviary.borealis:owner aviary.aurora:a",
    "wait for replicas": "WAIT 1 0",
    "stop the server": "SHUTDOWN NOSAVE",
    "become a replica": "REPLICAOF 127.0.0.1 1",
}


@pytest.fixture(scope="module")
def server() -> Iterator[SharedRedis]:
    with shared_redis(*LIMITS) as started:
        yield started


@pytest.fixture(params=[REDIS, DJANGO_REDIS], ids=["django", "django-redis"])
def borealis(request: pytest.FixtureRequest, server: SharedRedis) -> Iterator[Any]:
    """The neighbour's caches, with either backend, as its own process has them."""
    user = {key.upper() if request.param == DJANGO_REDIS else key: value for key, value in credentials("borealis")}
    default = {"BACKEND": request.param, "LOCATION": f"redis://127.0.0.1:{server.port}/0", "OPTIONS": user}
    default |= {"KEY_PREFIX": "aviary.borealis", "KEY_FUNCTION": KEY_FUNCTION}
    with override_settings(CACHES={"default": default}):
        yield caches["default"]
        caches["default"].primary().connection_pool.disconnect()


def credentials(site: str) -> Iterator[tuple[str, str]]:
    yield from (("username", site), ("password", PASSWORDS[site]))


def session_of(engine: str, key: str | None = None) -> Any:
    return import_module(f"django.contrib.sessions.backends.{engine}").SessionStore(key)


def saved_session(engine: str) -> Any:
    session = session_of(engine)
    session["who"] = "the editor of borealis"
    session.save()
    return session


@contextlib.contextmanager
def monitored(server: SharedRedis) -> Iterator[list[str]]:
    """Yield what an operator sees in MONITOR meanwhile."""
    seen: list[str] = []
    with server.operator() as client, client.monitor() as monitor:
        yield seen
        with server.operator() as other:
            other.echo("the end")
        for command in monitor.listen():
            seen.append(command["command"])
            if command["command"] == "ECHO the end":
                return


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("attack", ATTACKS)
def test_command_of_an_attack_is_refused(server: SharedRedis, attack: str, protocol: int) -> None:
    """The rules refuse each command of an attack, whatever the protocol of the connection."""
    with server.of_site("aurora", protocol=protocol, db=1) as client:
        with pytest.raises(NoPermissionError):
            client.execute_command(*ATTACKS[attack].split(" "))
        assert client.ping()


def test_attacker_hears_nothing_of_a_neighbours_session(server: SharedRedis, borealis: Any) -> None:
    """A connection that asked for each changed key gets none while a neighbour logs in."""
    with server.of_site("aurora", protocol=3) as client:
        connection = client.connection_pool.get_connection()
        connection.send_command("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
        with pytest.raises(NoPermissionError):
            connection.read_response()
        saved_session("cached_db")
        assert not connection.can_read(timeout=0.5)
        client.connection_pool.release(connection)


@pytest.mark.parametrize("engine", ENGINES)
def test_session_key_is_in_nothing_that_an_operator_sees(server: SharedRedis, borealis: Any, engine: str) -> None:
    """Neither the monitor, the slow log nor a list of keys has it, while a session is saved, read and ended."""
    with server.operator() as operator:
        operator.config_set("slowlog-log-slower-than", 0)
        with monitored(server) as seen:
            session = saved_session(engine)
            assert session_of(engine, session.session_key)["who"] == "the editor of borealis"
            assert session_of(engine, session.session_key).exists(session.session_key)
            names = [key.decode() for key in operator.scan_iter()]
            session_of(engine, session.session_key).delete()
        slow = [str(entry["command"]) for entry in operator.slowlog_get(1000)]
        operator.config_set("slowlog-log-slower-than", 10000)
    name = f"django.contrib.sessions.{engine}"
    for view in (seen, slow, names):
        assert any(name in text for text in view)
        assert not any(session.session_key in text for text in view)


@pytest.mark.parametrize("engine", ENGINES)
def test_name_of_a_sessions_entry_opens_no_session(server: SharedRedis, borealis: Any, engine: str) -> None:
    """Who reads the names of all entries has nothing that works as a cookie."""
    session = saved_session(engine)
    prefix = f"django.contrib.sessions.{engine}"
    with server.operator() as operator:
        names = [key.decode().split(prefix)[1] for key in operator.scan_iter(match=f"*{prefix}*")]
    assert hashed_name(prefix, session.session_key).removeprefix(prefix) in names
    for stolen in names:
        for cookie in (stolen, f"{prefix}{stolen}"):
            assert "who" not in session_of(engine, cookie)


def test_answers_that_nobody_reads_do_not_fill_the_server(server: SharedRedis) -> None:
    """With the guide's limits the server hangs up on who asks for much and reads nothing."""
    with server.of_site("aurora", retry=NEVER) as client, server.operator() as operator:
        client.set("aviary.aurora:big", b"x" * 1_000_000, ex=60)
        connection = client.connection_pool.get_connection()
        connection.send_command("MGET", *["aviary.aurora:big"] * 500)
        wait_for(lambda: operator.info("clients")["connected_clients"] < 3, "the server to hang up", seconds=20)
        assert operator.info("memory")["used_memory_peak"] < 128_000_000
        connection.disconnect()


def test_value_that_is_too_large_is_refused(server: SharedRedis) -> None:
    """A value beyond proto-max-bulk-len ends the connection."""
    with server.of_site("aurora", retry=NEVER) as client, pytest.raises((RedisError, OSError)):
        client.set("aviary.aurora:huge", b"x" * 17_000_000)


def test_neighbour_is_answered_while_a_site_asks_for_as_much_as_it_may(server: SharedRedis) -> None:
    """No single allowed command holds the server for long: a neighbour's GET goes on meanwhile."""
    waits: list[float] = []
    done = threading.Event()

    def ask() -> None:
        with server.of_site("aurora", retry=NEVER) as client:
            client.set("aviary.aurora:big", b"x" * 1_000_000, ex=60)
            for words in (["MGET", *["aviary.aurora:big"] * 100_000], ["DEL", *["aviary.aurora:no"] * 100_000]):
                with contextlib.suppress(RedisError, OSError):
                    client.execute_command(*words)
        done.set()

    thread = threading.Thread(target=ask)
    with server.of_site("borealis") as neighbour:
        thread.start()
        while not done.is_set():
            start = time.monotonic()
            neighbour.get("aviary.borealis:owner")
            waits.append(time.monotonic() - start)
    thread.join()
    assert waits and max(waits) < SECONDS


def test_name_of_a_connection_cannot_forge_another_line(server: SharedRedis) -> None:
    """A name, which an operator's CLIENT LIST shows, has no blank and no new line."""
    with server.of_site("aurora") as client, pytest.raises(RedisError):
        client.execute_command("CLIENT", "SETNAME", "a\nid=1 addr=127.0.0.1")


def test_default_user_is_off(server: SharedRedis) -> None:
    """Without a name and a password nobody does anything."""
    with Redis("127.0.0.1", server.port, retry=NEVER) as client, pytest.raises(RedisError, match=r"(?i)authenticat"):
        client.get("aviary.aurora:owner")

"""Whatever a server or the way to it does, a connection to the control database ends within its bounds."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.servers.control import DATABASE, Control, running_control
from tests.servers.postgres import HOST, SUPERUSER
from tests.servers.silent import done_within, silent_server
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi import connection
from wagtail_multihost.nodeapi.connection import Bounds, RefusedError, UnreachableError, fetch_row, open_connection
from wagtail_multihost.spec.secret import Secret

QUICK = Bounds(connect=2, statement=1)
#: The most that QUICK allows, and some time to start threads on a busy machine.
MOST_CONNECT, MOST_STATEMENT = 4.5, 5


def parameters(port: int, host: str = HOST) -> dict[str, str]:
    return {"host": host, "port": str(port), "user": "reader", "dbname": DATABASE}


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """Give a port whose queue is full: the kernel drops what asks for more, as a firewall does."""
    with socket.create_server((HOST, 0), backlog=0) as listener, contextlib.ExitStack() as stack:
        port = listener.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect((HOST, port))
        time.sleep(0.2)
        yield port


@contextlib.contextmanager
def refused_in_time(least: float, most: float, sentence: str) -> Iterator[None]:
    with done_within(least, most), pytest.raises(UnreachableError, match=sentence):
        yield


def test_port_and_host_of_the_environment_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the URL states none, they are the usual ones: for the operator, the courier and nodes alike."""
    psycopg = pytest.importorskip("psycopg")
    asked = []

    def refuse(**known: object) -> None:
        asked.append((known["host"], known["port"]))
        raise psycopg.OperationalError("no")

    monkeypatch.setattr(psycopg, "connect", refuse)
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "192.0.2.1")
    for stated in ({}, {"host": HOST}):
        with pytest.raises(UnreachableError):
            connection.connect({"user": "reader", "dbname": DATABASE, **stated}, QUICK)
    assert asked == [("", "5432"), (HOST, "5432")]


def test_port_that_drops_everything_is_given_up() -> None:
    """Nothing answers, not even a refusal."""
    with black_hole() as port, refused_in_time(1.5, MOST_CONNECT, "cannot be reached: connection timeout expired"):
        connection.connect(parameters(port), QUICK)


def test_server_that_accepts_and_never_answers_is_given_up() -> None:
    """As a paused machine, or a stopped postmaster."""
    with silent_server() as server:
        with refused_in_time(1.5, MOST_CONNECT, "cannot be reached: connection timeout expired"):
            connection.connect(parameters(server.port), QUICK)
        assert server.connections


def test_name_with_two_addresses_has_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address has its share, and at least two seconds, which are psycopg's shortest."""
    with silent_server() as server:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port)) for address in (HOST, "127.0.0.2")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
        with refused_in_time(1.5, 6, "cannot be reached"):
            connection.connect(parameters(server.port, "db.internal"), QUICK)


def test_name_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking up a name has no timeout of its own."""
    never = threading.Event()

    def wait(*args: object, **options: object) -> list[object]:
        never.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    with refused_in_time(0.9, 3, "the name 'db.internal': no name server answered within 1 seconds"):
        connection.connect(parameters(5432, "db.internal"), Bounds(connect=1))
    never.set()


def test_name_that_is_not_known_is_told() -> None:
    """With the resolver's sentence."""
    with pytest.raises(UnreachableError, match=r"the name 'nothing\.invalid': "):
        connection.connect(parameters(5432, "nothing.invalid"), QUICK)


def test_port_where_nobody_listens_is_told_at_once() -> None:
    """A refusal is an answer of the machine."""
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        with refused_in_time(0, 1, "cannot be reached: Connection refused"):
            connection.connect(parameters(closed.getsockname()[1]), QUICK)


def test_driver_that_is_missing_is_named() -> None:
    """With the extra that brings it."""
    code = (
        "import sys\nsys.modules['psycopg'] = None\n"
        "from wagtail_multihost.registry import open_registry\n"
        "try:\n    open_registry('postgres://127.0.0.1/control', {}).load()\n"
        "except Exception as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'wagtail-multihost[postgres]'" in done.stdout


def test_watch_over_a_connection_is_over_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a thread nor a descriptor is left."""
    before = held()
    first, second = socket.socketpair()
    with first, second, connection.watch_over(first, 30) as has_cut:  # type: ignore[arg-type]  # it has a descriptor
        pass
    assert not has_cut.is_set()
    assert held() <= before


def held() -> set[threading.Thread | str]:
    """Return the threads and descriptors of this process. What earlier tests left may go at any moment."""
    return {*threading.enumerate(), *os.listdir("/proc/self/fd")}


@pytest.fixture(name="control", scope="module")
def _control() -> Iterator[Control]:
    with running_control() as control:
        control.add("aurora")
        yield control


@contextlib.contextmanager
def opened(control: Control, bounds: Bounds = QUICK) -> Iterator[connection.Connection]:  # type: ignore[name-defined]
    known = parameters(control.server.port) | {"user": SUPERUSER}
    with open_connection({**known, "password": Secret(control.server.password)}, bounds) as found:
        yield found


@pytest.mark.servers
def test_statement_that_takes_too_long_is_ended_by_the_server(control: Control) -> None:
    """The connection is as good as before."""
    with opened(control) as found:
        with refused_in_time(0.9, MOST_STATEMENT, "did not answer within 1 seconds"):
            fetch_row(found, "SELECT pg_sleep(30)", bounds=QUICK)
        assert fetch_row(found, "SELECT 1", bounds=QUICK) == (1,)


@pytest.mark.servers
def test_server_process_that_is_stopped_is_cut_off(control: Control) -> None:
    """It keeps no timeout of its own, and neither do psycopg's: the connection is shut down from here."""
    with opened(control) as found:
        pid = found.info.backend_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with refused_in_time(2.5, MOST_STATEMENT, "did not answer within 1 seconds"):
                fetch_row(found, "SELECT 1", bounds=QUICK)
        finally:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.servers
def test_registry_of_a_stopped_server_is_an_error_in_time(control: Control) -> None:
    """The postmaster is stopped: connections are accepted by the kernel, and nobody answers."""
    registry = control.registry()
    registry.bounds = QUICK  # type: ignore[attr-defined]
    postmaster = int((control.folder / "postgres/cluster/postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGSTOP)
    try:
        with done_within(1.5, MOST_CONNECT), pytest.raises(MultihostError, match="connection timeout expired"):
            registry.load()
    finally:
        os.kill(postmaster, signal.SIGCONT)
    assert [site.id for site in registry.load().sites] == ["aurora"]


@pytest.mark.servers
def test_server_that_ends_its_process_is_told(control: Control) -> None:
    """As when it restarts between two statements; the next connection is a new one."""
    with opened(control) as found:
        control.run(f"SELECT pg_terminate_backend({found.info.backend_pid})")
        with pytest.raises(UnreachableError, match="The connection ended: "):
            fetch_row(found, "SELECT 1", bounds=QUICK)
    assert control.registry().load().sites


@pytest.mark.servers
def test_server_that_has_no_place_left_is_not_one_that_refuses(control: Control) -> None:
    """It may have one later."""
    control.run("ALTER ROLE reader CONNECTION LIMIT 0")
    try:
        with pytest.raises(MultihostError, match="too many connections") as failed:
            control.registry().load()
    finally:
        control.run("ALTER ROLE reader CONNECTION LIMIT -1")
    assert type(failed.value).__name__ == "RegistryUnreachableError"


@pytest.mark.servers
def test_statement_that_is_refused_has_its_code(control: Control) -> None:
    """So that whoever asked can say more than the server does."""
    with opened(control) as found, pytest.raises(RefusedError, match="does not exist") as refused:
        fetch_row(found, "SELECT * FROM nothing", bounds=QUICK)
    assert refused.value.sqlstate == "42P01"


@pytest.mark.servers
def test_connection_shows_no_password_when_it_fails(control: Control) -> None:
    """Neither in the sentence nor in the variables of the frames, which error pages show."""
    from tests.registry.conftest import shown_by_error_pages

    known = {**parameters(control.server.port), "password": Secret("hunter7-hunter7")}
    with pytest.raises(RefusedError) as refused:
        connection.connect(known, QUICK)
    assert "hunter7" not in shown_by_error_pages(refused.value)


def test_watch_over_a_connection_ends_what_waits_for_it() -> None:
    """Whoever reads is told that there is nothing more."""
    first, second = socket.socketpair()
    first.settimeout(5)
    with first, second, connection.watch_over(first, 0.1) as has_cut:  # type: ignore[arg-type]  # it has a descriptor
        assert first.recv(1) == b""
        assert has_cut.is_set()

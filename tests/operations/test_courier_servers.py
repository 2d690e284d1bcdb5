"""The courier as a process of its own account, with a real PostgreSQL, name server and web server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import passable_folder
from tests.operations.dns_server import Zone
from tests.operations.verifications import COURIER, DATABASE, Verifications
from tests.operations.web_server import WebServer, running_web_server, saying
from tests.servers.accounts import OTHERS
from tests.servers.processes import free_port, running, wait_for
from tests.servers.silent import silent_server
from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.nodeapi.challenge import record_name
from wagtail_multihost.nodeapi.connection import Bounds, RefusedError, UnreachableError
from wagtail_multihost.nodeapi.jobs_v1 import CHANNEL
from wagtail_multihost.operations.courier.proofs import Check, Finding
from wagtail_multihost.operations.courier.rounds import Rounds
from wagtail_multihost.operations.courier.work_list import Checks, WorkList, parse_database

pytestmark = pytest.mark.servers

SECRET = "a-value-that-nobody-can-guess-0123456789"
EXPIRE = "UPDATE control_verification SET lease_until = clock_timestamp() - interval '1 second'"


@pytest.fixture
def folder(verifications: Verifications) -> Iterator[Path]:
    """A folder with the courier's password, which is its account's alone."""
    with passable_folder() as folder:
        OTHERS.write(folder / "pgpass", f"*:*:*:*:{verifications.password}\n")
        yield folder


@pytest.fixture
def web() -> Iterator[WebServer]:
    with running_web_server(saying(SECRET)) as web:
        yield web


def courier(python: Path, *words: str) -> list[str | Path]:
    """Return the words that start a courier under its account, which may not write where coverage is measured."""
    program = ("env", "--unset=COVERAGE_PROCESS_CONFIG", python, "-P", "-m", "wagtail_multihost.operations.courier")
    return OTHERS.command(*program, *words, "--development")


def command(
    python: Path, verifications: Verifications, folder: Path, zone: Zone, *more: str, port: int = 0
) -> list[str | Path]:
    """Return those words with what it asks."""
    words = ["--database", verifications.url(folder), "--resolver", f"{zone.server[0]}:{zone.port}", "--poll", "1"]
    words += ["--ports", f"{port or free_port()},{free_port()}", *more]
    return courier(python, *words)


def test_pending_checks_are_carried_out_once(
    python: Path, verifications: Verifications, folder: Path, zone: Zone, web: WebServer
) -> None:
    """By DNS, by a file, or not at all: each row says what was found; the log has the names and no secret."""
    by_dns, by_file = verifications.add("dns.test", SECRET), verifications.add("file.test", SECRET)
    neither, unasked = verifications.add("neither.test", SECRET), verifications.add("unasked.test", wanted=False)
    zone.answers = {record_name("dns.test"): [f'TXT "{SECRET}"'], "file.test": ["A 127.0.0.1"]}
    words = command(python, verifications, folder, zone, "--once", port=web.port)
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = [verifications.row(identifier) for identifier in (by_dns, by_file, neither, unasked)]
    assert [row["method"] for row in found] == ["dns", "file", "", ""]
    assert [row["proven_at"] is not None for row in found] == [True, True, False, False]
    assert found[2]["problem"] == "DNS has no name _multihost-challenge.neither.test. DNS has no name neither.test."
    assert found[3]["checked_at"] is None
    assert sorted(done.stderr.splitlines()) == [
        "INFO dns.test: proven (dns)",
        "INFO file.test: proven (file)",
        "INFO neither.test: DNS has no name _multihost-challenge.neither.test. DNS has no name neither.test.",
    ]


def test_new_check_is_found_and_sigterm_ends_the_courier(
    python: Path, verifications: Verifications, folder: Path, zone: Zone
) -> None:
    """A running courier answers within seconds of the wish, also after its connection was ended; SIGTERM is exit 0."""
    log = folder / "courier.log"
    with running(command(python, verifications, folder, zone), log) as process:
        for name in ("first.test", "second.test"):
            zone.answers[record_name(name)] = [f'TXT "{SECRET}"']
            identifier = verifications.add(name, SECRET)
            wait_for(lambda: verifications.row(identifier)["proven_at"], name, 20)  # noqa: B023
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
            verifications.server.execute(DATABASE, ended, parameters=(COURIER,))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert SECRET not in log.read_text()


def test_sigterm_lets_running_checks_end(python: Path, verifications: Verifications, folder: Path, zone: Zone) -> None:
    """What was taken is reported before the process ends, so nobody waits for the lease."""
    asked = threading.Event()

    def slowly(kind: str) -> list[str]:
        asked.set()
        time.sleep(1)
        return [f'TXT "{SECRET}"']

    zone.answers[record_name("slow.test")] = slowly
    with running(command(python, verifications, folder, zone), folder / "courier.log") as process:
        identifier = verifications.add("slow.test", SECRET)
        assert asked.wait(20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert verifications.row(identifier)["method"] == "dns"


def test_killed_courier_loses_no_check(python: Path, verifications: Verifications, folder: Path, zone: Zone) -> None:
    """After kill -9 between taking and reporting, another courier carries the check out when the lease is over."""
    asked = threading.Event()

    def never(kind: str) -> None:
        asked.set()

    zone.answers[record_name("aurora.test")] = never
    identifier = verifications.add("aurora.test", SECRET)
    with running(command(python, verifications, folder, zone), folder / "first.log") as process:
        assert asked.wait(20)
        process.kill()
        process.wait()
    zone.answers[record_name("aurora.test")] = [f'TXT "{SECRET}"']
    again = command(python, verifications, folder, zone, "--once")
    assert subprocess.run(again, timeout=60, check=False).returncode == 0
    assert verifications.row(identifier)["checked_at"] is None
    verifications.run(EXPIRE)
    assert subprocess.run(again, timeout=60, check=False).returncode == 0
    assert verifications.row(identifier)["method"] == "dns"


def test_stopped_server_is_left_in_time(verifications: Verifications, folder: Path) -> None:
    """A backend that has stopped ends neither a statement nor its cancelling; the courier goes on without it."""
    work = WorkList(parse_database(local_url(verifications, folder)), bounds=Bounds(statement=1))
    assert work.take(1) == []
    assert work.connection is not None
    pid = work.connection.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    at_last = threading.Timer(8, os.kill, (pid, signal.SIGCONT))
    at_last.start()
    try:
        start = time.monotonic()
        with pytest.raises(UnreachableError):
            work.take(1)
        assert time.monotonic() - start < 6
    finally:
        at_last.cancel()
        os.kill(pid, signal.SIGCONT)
    assert work.take(1) == []
    work.close()


def local_url(verifications: Verifications, folder: Path) -> str:
    """Return the URL for this process, which may run under another account than the courier's."""
    (folder / "own").mkdir()
    (folder / "own" / "pgpass").write_text(f"*:*:*:*:{verifications.password}\n")
    (folder / "own" / "pgpass").chmod(0o600)
    return verifications.url(folder / "own")


def test_results_outlast_an_outage(verifications: Verifications, folder: Path) -> None:
    """What was found while the database was away is reported when it is back, as the lease still holds."""
    identifier = verifications.add("aurora.test", SECRET)
    work = WorkList(parse_database(local_url(verifications, folder)))

    def look(check: Check) -> Finding:
        work.database = parse_database(f"postgresql://{COURIER}@127.0.0.1:{free_port()}/control")  # nobody listens
        work.close()
        return Finding(True, "dns")

    (stopping, stop), good = os.pipe(), work.database
    rounds = Rounds([Checks(work, look, 8)], work, poll=0.1)
    thread = threading.Thread(target=rounds.run, args=(stopping,))
    thread.start()
    wait_for(lambda: rounds.failures, "a failure", 20)
    work.database = good
    wait_for(lambda: verifications.row(identifier)["proven_at"], "the report", 20)
    os.close(stop)
    thread.join(20)
    work.close()
    assert not thread.is_alive()
    os.close(stopping)


@pytest.mark.parametrize("is_during_a_statement", [False, True])
def test_courier_works_when_a_bell_rings(
    verifications: Verifications, folder: Path, *, is_during_a_statement: bool
) -> None:
    """It looks once a minute otherwise, and asks nothing in between; no bell is lost while it asks."""
    work = WorkList(parse_database(local_url(verifications, folder)))
    checks = Checks(work, lambda check: Finding(True, "dns"), 8)
    looks: list[int] = []

    def take(room: int) -> list[Check]:
        looks.append(room)
        found = WorkList.take(work, room)
        if is_during_a_statement and len(looks) == 1:
            ring(verifications)
            work.ask("SELECT 1")
        return found

    checks.take = take  # type: ignore[method-assign]
    stopping, stop = os.pipe()
    rounds = Rounds([checks], work, poll=60)
    thread = threading.Thread(target=rounds.run, args=(stopping,))
    thread.start()
    wait_for(lambda: len(looks) == 1 + is_during_a_statement, "the first look", 20)
    identifier = verifications.add("aurora.test", SECRET)
    ring(verifications)
    wait_for(lambda: verifications.row(identifier)["proven_at"], "the report", 20)
    os.close(stop)
    thread.join(20)
    work.close()
    os.close(stopping)
    assert not thread.is_alive()


def ring(verifications: Verifications) -> None:
    verifications.run("SELECT pg_notify(%s, '')", CHANNEL)


def test_mistake_of_the_courier_is_said_and_logged(
    verifications: Verifications, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A check that fails by an error of ours ends with a sentence, and the next one is carried out."""
    first, second = verifications.add("first.test", SECRET), verifications.add("second.test", SECRET)

    def look(check: Check) -> Finding:
        if check.name == "first.test":
            raise RuntimeError("a mistake")
        return Finding(True, "dns")

    work = WorkList(parse_database(local_url(verifications, folder)))
    stopping, stop = os.pipe()
    Rounds([Checks(work, look, 1)], work, workers=1, poll=0.1).run(stopping, once=True)
    for descriptor in (stopping, stop):
        os.close(descriptor)
    work.close()
    assert "Its log says why" in verifications.row(first)["problem"]
    assert verifications.row(second)["method"] == "dns"
    assert "RuntimeError: a mistake" in caplog.text


def test_login_without_rights_ends_the_courier(
    python: Path, verifications: Verifications, folder: Path, zone: Zone
) -> None:
    """A database without the functions, or a login that may not call them, is exit code 2 with a sentence."""
    url = verifications.url(folder).replace(COURIER, "multihost_web")
    work = WorkList(parse_database(local_url(verifications, folder).replace(COURIER, "multihost_web")))
    with pytest.raises(RefusedError):
        work.take(1)
    work.close()
    words = [word.replace(COURIER, "multihost_web") if isinstance(word, str) else word for word in
             command(python, verifications, folder, zone)]  # fmt: skip
    assert url in words
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (
        COULD_NOT,
        "multihost-courier: The database refused a statement: permission denied for schema courier_v1.\n",
    )


@pytest.mark.parametrize("is_silent", [False, True], ids=["closed", "silent"])
def test_database_that_is_away_ends_a_single_run(python: Path, folder: Path, zone: Zone, is_silent: bool) -> None:
    """With --once nothing waits: a closed port, and one at which nobody answers, are exit code 2 within seconds."""
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(silent_server()).port if is_silent else free_port()
        words = ["--database", f"postgresql://127.0.0.1:{port}/control", "--resolver", "127.0.0.1", "--once"]
        done = subprocess.run(courier(python, *words), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == COULD_NOT
    assert done.stderr.startswith("multihost-courier: The database cannot be reached:")


def test_courier_loads_neither_django_nor_more_than_it_needs(verifications: Verifications) -> None:
    """The process that strangers talk to has as little in it as can be."""
    code = "import wagtail_multihost.operations.courier.rounds, wagtail_multihost.operations.courier.proofs, sys; "
    code += (
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'django', 'wagtail', 'jinja2', 'requests'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

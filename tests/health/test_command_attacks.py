"""Asking and probing among hostile neighbours, servers and outputs."""

from __future__ import annotations

import os
import pwd
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.cache.backends.db import DatabaseCache
from django.db import connections
from django.test import override_settings

from tests.health.test_client import PASSING, TOKEN, Ask, Server, _command, _serve, _short, answer
from wagtail_multihost import running
from wagtail_multihost.health.asking import format_reply
from wagtail_multihost.health.probe import failed, passed
from wagtail_multihost.health.probes import search
from wagtail_multihost.health.probes.cache import CacheProbe
from wagtail_multihost.health.probes.search import SearchProbe
from wagtail_multihost.health.report import Report
from wagtail_multihost.http_client import client, listener
from wagtail_multihost.http_client.client import NoAnswerError, Reply, Target, ask_server
from wagtail_multihost.management.commands import multihost_health
from wagtail_multihost.spec.platform import PlatformSpec

__all__ = ["_command", "_serve", "_short"]  # fixtures

SECONDS = 60
ALIAS = "attacked"
Serve = Callable[..., Server]


@pytest.mark.parametrize("is_unix", [False, True])
def test_own_token_is_not_sent_to_another_account(serve: Serve, short: Path, is_unix: bool) -> None:
    """Where the site's own server is down, a neighbour may listen in its place: it gets the question only."""
    server = serve(PASSING, str(short / "s") if is_unix else "")
    target = Target(f"unix:{short}/s" if is_unix else f"http://{server.address}")
    own = os.geteuid()
    for accounts, is_sent in (({own + 1}, False), ({own + 1, own}, True)):
        assert ask_server(target, "/-/ready", token=TOKEN, accounts=accounts, seconds=SECONDS).text == "pass"
        assert any(TOKEN in line for line in server.lines) is is_sent


def test_own_token_is_not_sent_where_nobody_knows_whose_the_server_is(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that does not tell whose the server is gets no token by itself."""
    monkeypatch.setattr(listener, "TABLES", ("/nonesuch",))
    server = serve()
    ask_server(Target(f"http://{server.address}"), "/", token=TOKEN, accounts={os.geteuid()}, seconds=SECONDS)
    assert not any(TOKEN in line for line in server.lines)


def test_command_names_the_accounts_of_the_site(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """The site's token is for its own servers, root's and this process's; one from a file goes where it is told."""
    asked: list[Any] = []

    def note(*arguments: object, accounts: Any, **options: object) -> NoReturn:
        asked.append(set(accounts))
        raise NoAnswerError("noted")

    settings.MULTIHOST_HEALTH = {"PROBES": {}}
    monkeypatch.setattr("wagtail_multihost.health.asking.ask_server", note)
    monkeypatch.setattr(multihost_health, "own_id", lambda: "aurora")
    monkeypatch.setattr(multihost_health, "own_identity", lambda: multihost_health)
    platform = PlatformSpec(name="aviary", data=Path("/srv/aviary"), user="games")
    monkeypatch.setattr(multihost_health, "platform", platform, raising=False)
    monkeypatch.setattr(multihost_health, "site", type("Site", (), {"id": "aurora"}), raising=False)
    assert ended(["--url", "http://127.0.0.1:9"]) == 2
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(TOKEN)
        file.flush()
        assert ended(["--url", "http://127.0.0.1:9", "--token-file", file.name]) == 2
    assert asked == [{0, os.geteuid(), pwd.getpwnam("games").pw_uid}, set()]


def ended(words: list[str]) -> int:
    """Return the code that ``manage.py multihost_health`` ends with."""
    with pytest.raises(SystemExit) as end:
        multihost_health.Command().run_from_argv(["manage.py", "multihost_health", *words])
    return int(end.value.code or 0)


def test_answer_of_the_smallest_chunks_is_read_in_time() -> None:
    """A server cannot keep who asks busy: reading takes as long as the answer is, not its square."""
    began = time.monotonic()
    assert len(client.join_chunks(b"1\r\na\r\n" * 400_000 + b"0\r\n\r\n")) == 400_000
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("body", [b"5\r\nab\r\n", b"2\r\nab", b"2\r\nab\r\n", b"x\r\n", b"", b"2"])
def test_chunks_that_are_cut_off_are_no_answer(body: bytes) -> None:
    """Half an answer is none."""
    with pytest.raises(NoAnswerError):
        client.join_chunks(body)


def test_name_server_that_does_not_answer_is_held_to_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver has deadlines of its own, which are longer."""
    released = threading.Event()

    def resolve(host: str, port: int, **options: Any) -> NoReturn:
        if not options.get("flags"):
            released.wait(SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "again")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    try:
        with pytest.raises(NoAnswerError, match="within"):
            ask_server(Target("http://aurora.example.org"), "/", seconds=0.2)
        assert not released.is_set()
    finally:
        released.set()
    with pytest.raises(NoAnswerError, match="again"):
        ask_server(Target("http://aurora.example.org"), "/", seconds=SECONDS)


def test_address_that_is_silent_leaves_time_for_the_next() -> None:
    """A host with several addresses is reached by one that answers."""
    with socket.create_server(("127.0.0.1", 0)) as full, socket.create_server(("127.0.0.1", 0)) as listening:
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for connection in waiting:
                connection.setblocking(False)
                with suppress(BlockingIOError):
                    connection.connect(full.getsockname())
            places = [(socket.AF_INET, place.getsockname()) for place in (full, listening)]
            with client.connect_tcp(places, time.monotonic() + 8) as found:
                assert found.getpeername() == listening.getsockname()
        finally:
            for connection in waiting:
                connection.close()


@pytest.mark.parametrize("value", [b"NaN", b"1e999", b"-Infinity"])
def test_what_is_printed_as_json_is_json(value: bytes) -> None:
    """Python reads more than JSON, and would write it again."""
    reply = Reply(200, {"content-type": "application/json"}, b'{"status": "pass", "value": ' + value + b"}")
    with pytest.raises(NoAnswerError):
        format_reply(reply, json=True)


@pytest.mark.parametrize(("words", "code"), [((), 2), (("--json",), 2), (("--probe",), 0)])
@pytest.mark.parametrize("output", ["full", "pipe"])
def test_output_that_cannot_be_written_is_no_failure_of_the_site(
    serve: Serve, words: tuple[str, ...], code: int, output: str
) -> None:
    """A full disk or a reader that has gone is told by 2; the code of a probe is still that of the site."""
    server = serve(answer('{"status": "pass"}', "200 OK", "Content-Type: application/json"))
    if output == "full":
        writer = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, writer = os.pipe()
        os.close(reader)
    command = [sys.executable, "-m", "wagtail_multihost.health", "--timeout", str(SECONDS), *words]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        done = subprocess.run(
            [*command, "--url", f"http://{server.address}"],
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
            env=environ,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (code, b"")


def test_answer_beyond_the_terminals_letters_is_shown(serve: Serve) -> None:
    """A terminal of few letters is no failure of the site."""
    server = serve(answer("pass\nblåbär \u2603"))
    done = subprocess.run(
        [sys.executable, "-m", "wagtail_multihost.health", "--url", f"http://{server.address}", "--timeout", "60"],
        capture_output=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"pass\nbl\\xe5b\\xe4r \\u2603\n", b"")


def test_interrupted_question_is_told_by_its_code(command: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who presses Ctrl-C sees no traceback, and has learned nothing of the site."""

    def interrupt(*arguments: object, **options: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("wagtail_multihost.health.asking.ask_server", interrupt)
    url = ("--url", "http://127.0.0.1:9")
    assert (command(*url), command("--probe", *url)) == ((2, "", ""), (1, "", ""))


def test_option_is_not_abbreviated(command: Ask) -> None:
    """What nobody documented must not be relied on: its exit codes would be others than --probe's."""
    code, out, err = command("--prob", "--url", "http://127.0.0.1:9")
    assert (code, out) == (2, "") and "unrecognized" in err
    assert ended(["--prob", "--url", "http://127.0.0.1:9"]) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("no thread"), OSError(28, "No space left")])
def test_command_that_breaks_off_says_that_it_could_not_tell(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Python's own exit code would be that of a site that fails."""

    def fail(*arguments: object, **options: object) -> NoReturn:
        raise error

    monkeypatch.setattr(multihost_health.Command, "run", fail)
    monkeypatch.setattr(multihost_health, "drop_output", lambda: None)
    assert (ended([]), ended(["--probe"])) == (2, 1)


@pytest.fixture(name="printing")
def _printing(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """The process has one probe, which prints."""

    def run(*arguments: object) -> Report:
        print("debug")
        return Report()

    settings.MULTIHOST_HEALTH = {"PROBES": {}}
    monkeypatch.setattr("wagtail_multihost.health.sampler.run_once", run)
    monkeypatch.setattr(running, "_current", None)
    monkeypatch.setattr(multihost_health, "own_id", lambda: "")


@pytest.mark.usefixtures("printing")
def test_what_a_probe_prints_is_not_in_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    """A forgotten print() must not make the JSON unreadable."""
    multihost_health.Command().run_from_argv(["manage.py", "multihost_health", "--json"])
    out, err = capsys.readouterr()
    assert out.startswith("{") and out.endswith("}\n") and err == "debug\n"


@pytest.mark.usefixtures("printing")
@pytest.mark.parametrize("words", [[], ["--probe"]])
def test_closed_output_is_no_failure_of_the_site(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """A script that wants the exit code alone may close the output: ``>&-``."""
    monkeypatch.setattr(sys, "stdout", None)
    multihost_health.Command().run_from_argv(["manage.py", "multihost_health", *words])
    sys.stdout.close()  # what stands for it


@pytest.fixture(name="attacked")
def _attacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any) -> Iterator[Path]:
    """The SQLite file of an alias, which is not there."""
    file = tmp_path / "attacked.sqlite3"
    monkeypatch.setitem(connections.databases, ALIAS, {**connections.databases["default"], "NAME": str(file)})
    with django_db_blocker.unblock():
        yield file
    del connections[ALIAS]


def test_search_probe_makes_no_database(attacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty file where the disk is not mounted would be taken for the site's database from then on."""
    monkeypatch.setattr(search, "DEFAULT_DB_ALIAS", ALIAS)
    assert list(SearchProbe(timeout=60).measure()) == [failed("unreachable", subject="default")]
    assert not attacked.exists()


class ToAttacked:
    """A router that leads everything to the test's alias."""

    def db_for_read(self, model: object, **hints: object) -> str:
        return ALIAS

    db_for_write = db_for_read


def test_cache_in_a_database_is_asked_on_a_connection_that_is_closed(attacked: Path) -> None:
    """Each run has a thread of its own: what it opened there nobody else would close. No file is made either."""
    stated = {"default": {"BACKEND": f"{DatabaseCache.__module__}.DatabaseCache", "LOCATION": "kept"}}
    with override_settings(CACHES=stated, DATABASE_ROUTERS=[f"{__name__}.ToAttacked"]):
        assert list(CacheProbe(timeout=60).measure()) == [failed("unreachable")]
        assert not attacked.exists()
        driver = sqlite3.connect(attacked)
        driver.execute("CREATE TABLE kept (cache_key TEXT PRIMARY KEY, value TEXT, expires TEXT)")
        driver.close()
        assert list(CacheProbe(timeout=60).measure()) == [passed()]
        assert connections[ALIAS].connection is None


def test_cache_server_that_is_silent_does_not_hold_the_probe_for_ever() -> None:
    """Django's client of Redis has no deadline: of a server that is gone it would wait for ever."""
    found: list[Any] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        options = {"retry": None}
        backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url, "OPTIONS": options}
        with override_settings(CACHES={"default": backend}):
            probe = CacheProbe(timeout=0.2)
            thread = threading.Thread(target=lambda: found.extend(probe.measure()), daemon=True)
            thread.start()
            thread.join(SECONDS)
    assert found == [failed("unreachable")]
    assert not any(running.name == "multihost-probe-deadline" for running in threading.enumerate())

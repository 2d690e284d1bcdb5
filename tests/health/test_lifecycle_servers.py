"""The endpoint in real servers: what they send, and how many samplers their processes have."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.health.lifecycle import BIN, Server, asked, environment, make_project
from tests.servers.processes import children, free_port, is_running, running, wait_for

pytestmark = pytest.mark.servers

Command = Callable[[int, str], list[str | Path]]


def gunicorn(*options: str) -> Command:
    # gthread alone keeps connections; sync closes each.
    return lambda port, application: [
        BIN / "gunicorn", f"--bind=127.0.0.1:{port}", "--workers=2", "--no-control-socket", *options, application
    ]  # fmt: skip


def uwsgi(*options: str) -> Command:
    return lambda port, application: [
        BIN / "uwsgi", f"--http=127.0.0.1:{port}", f"--module={application}", "--master", "--processes=2",
        "--need-app", "--die-on-term", "--http-keepalive=10", *options,
    ]  # fmt: skip


def granian(interface: str) -> Command:
    return lambda port, application: [
        BIN / "granian", "--interface", interface, "--host", "127.0.0.1", "--port", str(port), "--workers", "2",
        application,
    ]  # fmt: skip


def uvicorn(*options: str) -> Command:
    return lambda port, application: [BIN / "uvicorn", f"--port={port}", *options, application]


SERVERS: dict[str, tuple[Command, str]] = {
    "gunicorn-sync": (gunicorn(), "wsgi"),
    "gunicorn-gthread": (gunicorn("--threads=4"), "wsgi"),
    "gunicorn-preload": (gunicorn("--preload"), "wsgi"),
    "gunicorn-preload-gthread": (gunicorn("--preload", "--threads=4"), "wsgi"),
    "uwsgi": (uwsgi("--enable-threads"), "wsgi"),
    "uwsgi-threads": (uwsgi("--threads=4"), "wsgi"),
    "uwsgi-lazy": (uwsgi("--enable-threads", "--lazy-apps"), "wsgi"),
    "granian-wsgi": (granian("wsgi"), "wsgi"),
    "granian-asgi": (granian("asginl"), "asgi"),
    "uvicorn": (uvicorn(), "asgi"),
}


@contextmanager
def served(command: Command, application: str, workers: int = 2) -> Iterator[Server]:
    """Run a server in a folder of its own until its last process has ended."""
    folder, port = Path(tempfile.mkdtemp(prefix="mh-")), free_port()
    log = folder / "log"
    try:
        make_project(folder)
        with running(command(port, application), log, environment(folder), cwd=folder) as process:
            server = Server(port, process.pid, folder, workers)
            try:
                wait_for(lambda: process.poll() is not None or server.answers(), "the server")
                assert process.poll() is None, "The server ended by itself."
                yield server
                pids = [process.pid, *children(process.pid)]
            except BaseException as error:
                error.add_note(log.read_text(errors="replace")[-4000:])
                raise
        wait_for(lambda: not any(map(is_running, pids)), "the end of all processes")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(name="server", scope="module", params=SERVERS)
def _server(request: pytest.FixtureRequest) -> Iterator[Server]:
    command, kind = SERVERS[request.param]
    workers = workers_of(request.param)
    with served(command, "plain:application" if kind == "wsgi" else "plain:asgi", workers) as server:
        yield server


def workers_of(name: str) -> int:
    return 1 if name == "uvicorn" else 2


@pytest.mark.parametrize("path", ["/-/live", "/-/startup/", "/-/ready", "/-/health", "/-/health.txt/"])
def test_head_has_the_length_and_no_body_and_the_connection_stays_usable(server: Server, path: str) -> None:
    """HEAD is as long as GET says, carries nothing, and what follows on the same connection is read in step."""
    connection = server.connection()
    try:
        for _ in range(3):
            head = asked(connection, path, "HEAD", "10.0.0.7")
            full = asked(connection, path, "GET", "10.0.0.7")
            assert (head.status, head.body, full.status) == (200, b"", 200)
            assert head.headers["content-length"] == full.headers["content-length"] == str(len(full.body))
            assert "transfer-encoding" not in full.headers and b"pass" in full.body
            assert full.headers["cache-control"] == "no-store"
            assert "set-cookie" not in full.headers
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["10.0.0.7:8000", "[::1]", "web_1:8000", "unknown.example.net"])
@pytest.mark.parametrize("path", ["/-/live", "/-/ready/", "/-/health"])
def test_probe_is_answered_whatever_its_host_and_is_not_redirected(server: Server, host: str, path: str) -> None:
    """Visitors are checked and sent to https here; who asks for health is not."""
    assert server.ask(path, host=host).status == 200
    assert server.ask("/", host="www.example.org").status == 301


def test_other_methods_are_refused(server: Server) -> None:
    """A method that changes something is refused, with the ones that are accepted."""
    refused = server.ask("/-/ready", "DELETE")
    assert (refused.status, refused.headers["allow"], refused.headers["content-length"]) == (405, "GET, HEAD", "0")


def test_each_worker_that_was_asked_has_one_sampler(server: Server) -> None:
    """A worker's probes run in the worker, again and again; nobody else's count for it."""
    found = sampled_workers(server)
    assert len(found) == server.workers
    wait_for(lambda: all(told["runs"] >= 2 for told in sampled_workers(server).values()), "another run of each")
    assert set(sampled_workers(server)) == set(found)


def sampled_workers(server: Server, known: Collection[int] = ()) -> dict[int, dict[str, Any]]:
    """
    Ask for readiness, several at once, until each worker, told by its process id, has a sampler, exactly one; return
    what they told last. Those that were ``known`` before do not count.
    """
    found: dict[int, dict[str, Any]] = {}

    def look() -> bool:
        with ThreadPoolExecutor(4 * server.workers) as pool:
            for told in pool.map(lambda _: asked_worker(server), range(8 * server.workers)):
                assert told["samplers"] <= 1, told
                if told["samplers"] and told["pid"] not in known:
                    found[told["pid"]] = told
        return len(found) >= server.workers

    wait_for(look, f"{server.workers} workers with a sampler", 120)
    return found


def asked_worker(server: Server) -> dict[str, Any]:
    """Ask a worker whether it is ready, and a worker, which may be another, of its threads."""
    answer = server.ask("/-/ready")
    assert answer.status == 200 or answer.body == b"starting"  # another worker, which still loads
    return server.threads()


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def hang_up(server: Server) -> None:
    os.kill(server.pid, signal.SIGHUP)


def touch(server: Server) -> None:
    """Do what uWSGI looks for, by the second."""
    later = time.time() + 10
    os.utime(server.folder / "pages.py", (later, later))


TOUCHED = ("--enable-threads", "--touch-workers-reload=pages.py")
PREFORKING = {
    "gunicorn-preload": (gunicorn("--preload"), hang_up),
    "gunicorn": (gunicorn(), hang_up),
    "uwsgi": (uwsgi(*TOUCHED), touch),
    "uwsgi-lazy": (uwsgi(*TOUCHED, "--lazy-apps"), touch),
}


@pytest.mark.parametrize("name", PREFORKING)
def test_reload_gives_each_new_worker_one_sampler_and_the_master_none(name: str) -> None:
    """Workers that a reload replaced have taken their samplers along; the new ones begin when they are asked."""
    command, reload = PREFORKING[name]
    with served(command, "plain:application") as server:
        old = sampled_workers(server)
        assert len(old) == 2 and set(old) <= set(children(server.pid))
        assert threads_of(server.pid) == 1
        reload(server)
        wait_for(lambda: not any(map(is_running, old)), "the end of the old workers")
        wait_for(server.answers, "new workers")
        new = sampled_workers(server, known=old)
        assert len(new) == 2 and set(new) <= set(children(server.pid))
        assert threads_of(server.pid) == 1


def test_workers_that_end_by_themselves_are_followed_by_sampled_ones() -> None:
    """Workers that have had their number of requests take their samplers along."""
    with served(gunicorn("--preload", "--max-requests=50"), "plain:application") as server:
        old = sampled_workers(server)
        wait_for(lambda: server.answers() and not any(map(is_running, old)), "the end of the workers")
        sampled_workers(server, known=old)
        assert threads_of(server.pid) == 1


def test_uwsgi_without_threads_samples_within_the_question() -> None:
    """Where threads only run while a request is answered, readiness waits for them, is true, and the log says why."""
    with served(uwsgi(), "plain:application") as server:
        sampled_workers(server)
        wait_for(lambda: all(told["runs"] > 2 for told in sampled_workers(server).values()), "further runs of each")
        assert "uWSGI has neither enable-threads nor threads" in (server.folder / "log").read_text()


WRAPPED = {
    name: (SERVERS[name][0], f"wrapped_{SERVERS[name][1]}:application")
    for name in ("gunicorn-sync", "gunicorn-gthread", "uwsgi-lazy", "granian-wsgi", "granian-asgi", "uvicorn")
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapper_answers_while_the_application_loads(name: str) -> None:
    """Real workers are live and starting while they load, and ready when they have."""
    with served(*WRAPPED[name], workers_of(name)) as server:
        for path in ("/-/startup", "/-/ready/", "/-/health"):
            answer, head = server.ask(path), server.ask(path, "HEAD")
            assert (answer.status, answer.body) == (503, b"starting")
            assert (head.status, head.body, head.headers["content-length"]) == (503, b"", "8")
        (server.folder / "go").touch()
        wait_for(partial(server.answers, "/-/startup"), "the start")
        assert len(sampled_workers(server)) == server.workers
        assert server.ask("/-/live").body == b"pass"


def test_wrapper_in_a_preloading_master_loads_once() -> None:
    """The master waits for the application before it forks: its workers have it, whole, at once."""
    with served_preloaded() as server:
        assert server.ask("/-/startup").status == 200
        assert server.threads()["pid"] != server.pid
        assert server.pid not in sampled_workers(server)


@contextmanager
def served_preloaded() -> Iterator[Server]:
    def command(port: int, application: str) -> list[str | Path]:
        script = f'touch go; exec "{BIN}/gunicorn" --preload --no-control-socket --bind=127.0.0.1:{port} {application}'
        return ["/bin/sh", "-c", script]

    with served(command, "wrapped_wsgi:application", 1) as server:
        yield server

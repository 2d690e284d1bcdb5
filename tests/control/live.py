"""A control site on a real ASGI server, and on a real WSGI server, with a loopback port."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connections

from tests.control.clients import ROOT, Reply
from tests.servers.processes import free_port, running, wait_for

ROOT_FOLDER = Path(__file__).parents[2]
ASGI = "django.core.asgi:get_asgi_application"
#: How long a server that is told to stop waits for what it is answering.
GRACE_SECONDS = 3


class Server(NamedTuple):
    """A server's port, its process and its log."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, token: str = "", body: object = None, *, seconds: float = 30, **headers: str
    ) -> Reply:
        """Ask the API over a connection of its own."""
        with self.connected(seconds) as connection:
            self.send(connection, method, path, token, body, **headers)
            return received(connection)

    @contextlib.contextmanager
    def connected(self, seconds: float = 30) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        with contextlib.closing(connection):
            yield connection

    def send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        token: str = "",
        body: object = None,
        **headers: str,
    ) -> None:
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        connection.request(method, f"{ROOT}{path}", None if body is None else json.dumps(body), sent)

    def is_up(self) -> bool:
        try:
            return self.ask("GET", "/sites", seconds=5).status == 401
        except OSError:
            return False


def received(connection: http.client.HTTPConnection) -> Reply:
    response = connection.getresponse()
    content = response.read()
    return Reply(response.status, response.headers, json.loads(content) if content else None)


def database_environment() -> dict[str, str]:
    """Return where the tests' database is, as tests.control.live_settings reads it."""
    stated: Mapping[str, Any] = connections["default"].settings_dict
    keys = {"NAME": "DATABASE", "PORT": "PORT", "USER": "USER", "PASSWORD": "PASSWORD"}
    return {f"CONTROL_{name}": str(stated[key]) for key, name in keys.items()}


@contextlib.contextmanager
def running_control(folder: Path, kind: str = "asgi") -> Iterator[Server]:
    """Serve the control site by uvicorn, or by gunicorn where ``kind`` is wsgi."""
    port = free_port()
    environ = {**os.environ, **database_environment(), "DJANGO_SETTINGS_MODULE": "tests.control.live_settings"}
    environ["PYTHONPATH"] = str(ROOT_FOLDER)
    command = [sys.executable, "-m", "uvicorn", "--factory", ASGI, "--port", str(port), "--log-level", "warning"]
    command += ["--timeout-graceful-shutdown", str(GRACE_SECONDS), "--limit-concurrency", "100"]
    if kind == "wsgi":
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4"]
        command += ["django.core.wsgi:get_wsgi_application()"]
    log = folder / f"{kind}-{port}.log"
    with running(command, log, environ, cwd=folder) as process:
        server = Server(port, process, log)
        try:
            wait_for(server.is_up, f"the control site ({kind})", 120)
        except AssertionError:
            print(log.read_text())
            raise
        yield server

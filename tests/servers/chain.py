"""
The whole chain that a request takes: nginx with emitted files, in front of nodes or of the runner itself, and the
runner with emitted files, uWSGI or gunicorn, whose application says what it was asked and answers as it is told; or
uWSGI alone, with its own router.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, written
from tests.servers.processes import accepts, free_port, running, wait_for
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

HOST = "aurora.example.org"
#: A name that no site has.
UNKNOWN_HOST = "nobody.example.org"
SECONDS = 30
#: Who runs the site, and where nginx asks it.
CARRIERS = ("uwsgi", "uwsgi-debian", "gunicorn", "uwsgi-on-node", "gunicorn-on-node")
#: uWSGI with its own router, and no nginx.
EMBEDDED = "embedded"
#: The carriers whose Python has Django.
WITH_DJANGO = tuple(carrier for carrier in CARRIERS if carrier != "uwsgi-debian")
APPLICATION = """
import json
import time
from urllib.parse import parse_qsl

HEADER = {header!r}


def seen_by_django(environ):
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            SECURE_PROXY_SSL_HEADER=HEADER,
            USE_X_FORWARDED_HOST=True,
            USE_X_FORWARDED_PORT=True,
            ALLOWED_HOSTS=["*"],
        )
    from django.core.handlers.wsgi import WSGIRequest

    request = WSGIRequest(environ)
    return {{"scheme": request.scheme, "host": request.get_host(), "port": request.get_port()}}


def application(environ, start_response):
    path, query = environ["PATH_INFO"], dict(parse_qsl(environ["QUERY_STRING"]))
    headers, body = [], b"ok"
    if path == "/django":
        told = {{key: value for key, value in environ.items() if isinstance(value, str)}}
        body = json.dumps({{"environ": told, "django": seen_by_django(environ)}}).encode()
    elif path == "/count":
        body = str(sum(key.startswith("HTTP_X_FIELD_") for key in environ)).encode()
    elif path in ("/headers", "/plain"):
        each = int(query.get("each", 1000))
        values = ["a" * each] * (int(query["bytes"]) // each) + ["b" * (int(query["bytes"]) % each)]
        name = "Set-Cookie" if path == "/headers" else "X-Plain"
        headers = [(name, f"n{{number}}=" + value) for number, value in enumerate(values)]
    elif path == "/read":
        body = str(len(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))).encode()
    elif path == "/sleep":
        time.sleep(float(query["seconds"]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *headers])
    return [body]
"""


@dataclass(frozen=True)
class Reply:
    """A status, 0 where the connection was closed without one, the bytes of the headers, and the body."""

    status: int
    head: bytes = b""
    body: bytes = b""

    @property
    def told(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass(frozen=True)
class Chain:
    """A chain that serves one site; ``port`` is that of the nginx that visitors meet."""

    folder: Path
    port: int
    #: Of the machine that has the site's files.
    static: Path

    @property
    def media(self) -> Path:
        return self.folder / "data/sites/aurora/media"

    def ask(self, path: str, *headers: str, method: str = "GET", body: bytes = b"", host: str = HOST) -> Reply:
        """Send the header lines as they stand, and return what comes."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return self.exchange("\r\n".join([*lines, "", ""]).encode() + body)

    def exchange(self, request: bytes, source: str = "127.0.0.1") -> Reply:
        with socket.create_connection(("127.0.0.1", self.port), SECONDS, (source, 0)) as connection:
            # An answer may come, and the connection end, before all has been sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(request)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while block := connection.recv(1 << 16):
                    received += block
        head, _, content = received.partition(b"\r\n\r\n")
        return Reply(int(head.split(b" ", 2)[1]), head, content) if head else Reply(0)


@contextlib.contextmanager
def opened_chain(
    folder: Path,
    carrier: str,
    *,
    nginx: Mapping[str, Any] | None = None,
    seconds: int = 30,
    application: str = "",
    **platform: Any,
) -> Iterator[Chain]:
    """
    Run a chain; ``nginx`` are options of that server, ``seconds`` is how long a request may take, and ``application``
    is the text of another application's module.
    """
    runner, _, place = carrier.replace(EMBEDDED, "uwsgi").partition("-")
    machine = "app-1" if place == "on-node" else "front"
    node_port, chain = free_port(), Chain(folder, free_port(), folder / machine / "static")
    address = f"127.0.0.1:{chain.port}"
    folder.chmod(0o755)
    (folder / "run").mkdir()
    # As the settings of a site make it.
    (folder / "data/sites/aurora/tmp").mkdir(parents=True)
    (folder / "code").mkdir()
    text = application or APPLICATION.format(header=platform.get("secure_proxy_ssl_header"))
    (folder / "code/asked.py").write_text(text)
    nodes = (("app-1", f"127.0.0.1:{node_port}"),) if place == "on-node" else ()

    def planned(node: str = "") -> Plan:
        home = folder / (node or "front")
        for name in ("logs", "temp", "static"):
            (home / name).mkdir(parents=True, exist_ok=True)
        options = {
            "http": (address,),
            "user": getpass.getuser(),
            "pid": home / "nginx.pid",
            "logs": home / "logs",
            "temp": home / "temp",
            "cache_path": home / "cache",
            **({"fronts": ("127.0.0.1",)} if nodes else {}),
            **(nginx or {}),
        }
        return make_plan(
            make_site("aurora", hostnames=(HOST, f"www.{HOST}"), data=folder / "data"),
            directory=home / "conf",
            registry=str(folder / "sites.toml"),
            node=node,
            platform=make_platform(
                nginx=NginxOptions(**options),
                uwsgi=UwsgiOptions(
                    build="debian" if place == "debian" else "pyuwsgi",
                    http=address if carrier.startswith(EMBEDDED) else "",
                    processes=2,
                    harakiri=seconds,
                ),
                systemd=SystemdOptions(workers=2, timeout=seconds),
                runner=runner,
                nodes=nodes,
                **{"sockets": folder / "run", "data": folder / "data", "origin": "http://{hostname}", **platform},
            ),
            codebase=make_codebase(
                directory=folder / "code",
                virtualenv=Path("/usr" if place == "debian" else sys.prefix),
                wsgi="asked:application",
                static_root=home / "static",
            ),
        )

    plans = [planned(node) for node in (["app-1", ""] if nodes else [""])]
    with contextlib.ExitStack() as stack:
        stack.enter_context(run_site(folder, plans[0], runner))
        if carrier.startswith(EMBEDDED):
            wait_for(lambda: chain.ask("/").status == 200, "uWSGI's router")
            # A vassal of its own, which may be ready later than the site.
            wait_for(lambda: chain.ask("/", host=UNKNOWN_HOST).status == 404, "the answer for unknown hosts")
            plans = []
        for plan in plans:
            conf, log = written("nginx", plan) / "nginx/nginx.conf", plan.directory.parent / "output.log"
            process = stack.enter_context(running(["nginx", "-e", "stderr", "-c", conf, "-g", "daemon off;"], log))
            pid = plan.options(NginxOptions).pid
            wait_for(lambda: process.poll() is not None or pid.exists(), "nginx")  # noqa: B023
            assert process.poll() is None, log.read_text()
        yield chain


@contextlib.contextmanager
def run_site(folder: Path, plan: Plan, runner: str) -> Iterator[None]:
    """Run the site by the emitted files of its runner."""
    path, log = folder / "run/aurora.sock", folder / "runner.log"
    command: list[str | Path]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("UWSGI")}
    if runner == "gunicorn":
        conf = written("systemd", plan) / "systemd/gunicorn.conf.py"
        command = [sys.executable, "-m", "gunicorn", "-c", conf, "--bind", f"unix:{path}", "asked:application"]
    else:
        build = plan.options(UwsgiOptions).build
        program = "/usr/bin/uwsgi-core" if build == "debian" else str(Path(sys.executable).with_name("uwsgi"))
        command = [program, "--ini", written("uwsgi", plan) / "uwsgi-emperor/emperor.ini"]
    with running(command, log, {**environ, "MULTIHOST_SITE": "aurora"}, folder / "code") as process:
        wait_for(lambda: process.poll() is not None or accepts(path), "the site")
        assert process.poll() is None, log.read_text()
        yield

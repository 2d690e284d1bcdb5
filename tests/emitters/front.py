"""An nginx with emitted files, applications behind it that say what they were asked, and requests to it."""

from __future__ import annotations

import getpass
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.emitters.conftest import make_codebase, make_plan, make_platform, written
from tests.servers.processes import accepts, free_port, running, wait_for
from wagtail_multihost.emitters import Plan, emitters
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.tls import TlsSpec

SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """A status, 0 where there was no answer, headers in lower case, and a body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def asked(self) -> dict[str, str]:
        """What the application was asked, in uWSGI's variables."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Front:
    """A folder for one nginx: its ports for http and https, and the plan's options that keep it there."""

    folder: Path
    http: int
    https: int

    def plan(self, *sites: SiteSpec, nginx: Mapping[str, Any] | None = None, **options: Any) -> Plan:
        """Return a plan whose nginx keeps everything in the folder, with ``options`` of the platform on top."""
        own = {
            "http": (f"127.0.0.1:{self.http}", f"unix:{self.folder}/http.sock"),
            "https": (f"127.0.0.1:{self.https}",),
            "user": getpass.getuser(),
            "pid": self.folder / "nginx.pid",
            "logs": self.folder / "logs",
            "temp": self.folder / "temp",
            "cache_path": self.folder / "cache",
        }
        values = {
            "data": self.folder / "data",
            "sockets": self.folder / "run",
            "origin": "http://{hostname}",
            **options,
        }
        platform = make_platform(nginx=NginxOptions(**{**own, **(nginx or {})}), **values)
        codebase = make_codebase(static_root=self.folder / "static")
        return make_plan(*sites, directory=self.folder / "conf", platform=platform, codebase=codebase)

    def write(self, plan: Plan, token: str = "") -> Path:
        """Write the plan's files, and the one that shows ``token``; return the main file."""
        folder = written("nginx", plan)
        make = emitters()["nginx"].generation
        assert make
        if token:
            file = make(token)
            (folder / file.path).write_text(file.text)
        return folder / "nginx/nginx.conf"

    @contextmanager
    def serving(self, plan: Plan, *applications: str, token: str = "") -> Iterator[None]:
        """Run nginx with the plan's files, and an application for each of the sites' ids ``applications``."""
        with ExitStack() as stack:
            for site in applications:
                stack.enter_context(application(self.folder / f"run/{site}.sock"))
            stack.enter_context(self.running(self.write(plan, token)))
            yield

    @contextmanager
    def running(self, conf: Path) -> Iterator[None]:
        """Run nginx with the main file ``conf``."""
        log = self.folder / "output.log"
        with running(["nginx", "-e", "stderr", "-c", conf, "-g", "daemon off;"], log) as process:
            wait_for(lambda: process.poll() is not None or accepts(self.folder / "http.sock"), "nginx")
            assert process.poll() is None, log.read_text()
            yield

    def ask(
        self, host: str, path: str = "/", *, method: str = "GET", body: str = "", unix: bool = False, **headers: str
    ) -> Answer:
        """Send a request over http as it stands and return what comes."""
        if unix:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(f"{self.folder}/http.sock")
        else:
            connection = socket.create_connection(("127.0.0.1", self.http), SECONDS)
        with connection:
            return exchange(connection, host, path, method, body, headers)

    def ask_tls(self, host: str, path: str = "/", *, name: str = "", **headers: str) -> Answer:
        """Send a request over https, in a connection for ``name`` whose certificate is checked with the authority."""
        with self.secure(name or host) as connection:
            return exchange(connection, host, path, "GET", "", headers)

    @contextmanager
    def secure(self, name: str, *protocols: str) -> Iterator[ssl.SSLSocket]:
        """Open a connection for ``name``, by a client that speaks the ``protocols``."""
        context = ssl.create_default_context(cafile=str(self.folder / "authority.pem"))
        context.set_alpn_protocols(protocols or ["http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", self.https), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            yield connection

    def certify(self, *hosts: str) -> TlsSpec:
        """Make a certificate of an own authority for each of the ``hosts``; return where they are."""
        if not (self.folder / "authority.pem").exists():
            openssl(self.folder / "authority", "authority", "-addext", "keyUsage=critical,keyCertSign")
        for host in hosts:
            issuer = ["-CA", self.folder / "authority.pem", "-CAkey", self.folder / "authority.key"]
            extensions = [f"subjectAltName=DNS:{host}", "basicConstraints=critical,CA:FALSE"]
            added = [word for extension in extensions for word in ("-addext", extension)]
            openssl(self.folder / host, host, *issuer, *added)
        return TlsSpec(certificate=f"{self.folder}/{{hostname}}.pem", key=f"{self.folder}/{{hostname}}.key")


def openssl(path: Path, name: str, *words: str | Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", f"{path}.key", "-out", f"{path}.pem", "-days", "2", "-subj", f"/CN={name}"]
    subprocess.run([*command, *files, *words], check=True, capture_output=True)


def opened_front(folder: Path) -> Front:
    """Return a front whose folders are there."""
    for name in ("logs", "temp", "conf", "static", "run"):
        (folder / name).mkdir()
    return Front(folder, free_port(), free_port())


def exchange(
    connection: socket.socket, host: str, path: str, method: str, body: str, headers: Mapping[str, str]
) -> Answer:
    sent = {"Host": host, "Connection": "close", **{key.replace("_", "-"): value for key, value in headers.items()}}
    if body:
        sent["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in sent.items()), "", body]
    connection.sendall("\r\n".join(lines).encode())
    received = b""
    with suppress(ConnectionResetError):
        while block := connection.recv(65536):
            received += block
    head, _, content = received.decode().partition("\r\n\r\n")
    if not head:
        return Answer(0)
    status, *rest = head.split("\r\n")
    pairs = (line.partition(": ") for line in rest)
    return Answer(int(status.split()[1]), {key.lower(): value for key, _, value in pairs}, content)


@contextmanager
def application(path: Path) -> Iterator[None]:
    """
    Answer uWSGI's protocol on a socket with the variables that were sent; to ``/held`` only at the end, and a file
    ``….held`` is there from when it came.
    """
    ended = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=accept, args=(listener, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(SECONDS)


def accept(listener: socket.socket, ended: threading.Event) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=reply, args=(connection, ended), daemon=True).start()


def reply(connection: socket.socket, ended: threading.Event) -> None:
    with connection, connection.makefile("rb") as stream:
        length = int.from_bytes(stream.read(4)[1:3], "little")
        variables, rest = {}, stream.read(length)
        while rest:
            key, rest = taken(rest)
            variables[key], rest = taken(rest)
        if variables["PATH_INFO"] == "/held":
            Path(connection.getsockname()).with_suffix(".held").touch()
            ended.wait(SECONDS)
        body = json.dumps(variables).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with suppress(BrokenPipeError):
            connection.sendall(head.encode() + body)


def taken(data: bytes) -> tuple[str, bytes]:
    """Return a text with its length before it, and what comes after (https://uwsgi-docs.readthedocs.io: Protocol)."""
    end = 2 + int.from_bytes(data[:2], "little")
    return data[2:end].decode(), data[end:]

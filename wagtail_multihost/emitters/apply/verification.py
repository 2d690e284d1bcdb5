"""Asking the servers whether they really use the new configuration: ``nginx -s reload`` exits 0 when they do not."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from wagtail_multihost.exceptions import ApplyError, EmitError

POLL_SECONDS = 0.1
MOST_SECONDS = 3  # of one request
MOST_BYTES = 65536
WORKING = range(200, 400)
SOCKET = "unix:"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to ask: by TCP at ``host`` and ``port``, or at the ``socket``, for ``path``."""

    path: str
    host: str = "localhost"
    port: int | None = None
    is_https: bool = False
    socket: str = ""

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """Return a connection that is not open yet."""
        if self.socket:
            return SocketConnection(self.socket, timeout)
        # Stated in any case: http.client takes the end of an IPv6 address for a port.
        if self.is_https:
            port = self.port or http.client.HTTPS_PORT
            return http.client.HTTPSConnection(self.host, port, timeout=timeout, context=context(self.host))
        return http.client.HTTPConnection(self.host, self.port or http.client.HTTP_PORT, timeout=timeout)


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def parsed(url: str) -> Address:
    """Return where ``url`` leads: http://, https:// or unix:/socket:/path; raises EmitError for anything else."""
    wanted = "accepted: http://HOST/PATH, https://HOST/PATH and unix:/SOCKET:/PATH"
    if url.startswith(SOCKET):
        path, _, target = url.removeprefix(SOCKET).partition(":")
        if path.startswith("/") and (not target or target.startswith("/")) and is_plain(url):
            return Address(target or "/", socket=path)
        raise EmitError(f"--verify {url!r} is no address to ask; {wanted}.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or not is_plain(url):
        raise EmitError(f"--verify {url.partition('@')[2] or url!r} is no address to ask; {wanted}.")
    query = f"?{parts.query}" if parts.query else ""
    return Address(f"{parts.path or '/'}{query}", parts.hostname, port, parts.scheme == "https")


def is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def context(host: str) -> ssl.SSLContext:
    """Return how to check certificates: as everybody does, but on this machine, where names lead elsewhere, not."""
    checked = ssl.create_default_context()
    if is_loopback(host):
        checked.check_hostname = False
        checked.verify_mode = ssl.CERT_NONE
    return checked


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def verify(url: str, timeout: float, token: str) -> None:
    """
    Ask until the answer has ``token`` in it or, where that is blank, has a status of 2xx or 3xx.

    Raises ApplyError when it has not after ``timeout`` seconds.
    """
    address = parsed(url)
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        said = refusal(address, token, max(0.1, min(left, MOST_SECONDS)))
        if not said:
            return
        if left <= POLL_SECONDS:
            wanted = f"the generation {token}" if token else "a status of 2xx or 3xx"
            raise ApplyError(f"{url} did not answer with {wanted} within {timeout:g} seconds: {said}.")
        time.sleep(POLL_SECONDS)


def refusal(address: Address, token: str, timeout: float) -> str:
    """Ask once; return what is wrong with the answer, blank when nothing is."""
    connection = address.connection(timeout)
    try:
        connection.connect()
        with limited(connection.sock, timeout):
            connection.request("GET", address.path, headers={"Connection": "close"})
            response = connection.getresponse()
            body = response.read(MOST_BYTES)
    except (OSError, http.client.HTTPException) as error:
        return f"it cannot be asked ({getattr(error, 'strerror', None) or type(error).__name__})"
    finally:
        connection.close()
    if response.status not in WORKING:
        return f"it answered with the status {response.status}"
    if token and token.encode() not in body:
        return f"its answer, with the status {response.status}, does not have it"
    return ""


@contextmanager
def limited(stream: socket.socket, seconds: float) -> Iterator[None]:
    """Cut a connection after so many seconds: its own limit starts anew with every byte that arrives."""
    timer = threading.Timer(seconds, cut, [stream])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def cut(stream: socket.socket) -> None:
    with suppress(OSError):
        # Not SSLSocket's own, which takes the TLS state away from who is reading.
        socket.socket.shutdown(stream, socket.SHUT_RDWR)

"""
Send one request to a server: over HTTP, by TCP or a unix socket, or over uWSGI's own protocol.

Neither Django nor settings are loaded, and of the standard library only what loads fast: http.client takes longer to
import than Python to start. The whole answer has one deadline, which http.client does not offer either.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from wagtail_multihost.exceptions import MultihostError

MAX_BYTES = 4 << 20
MAX_HEAD_BYTES = 64 << 10
MAX_PACKET_BYTES = 0xFFFF
RETRY_SECONDS = 0.01
PATH = r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*"
#: What no server takes for the end of the line that it is in: printable ASCII without blanks, and no fragment.
QUERY = re.compile(r"[!-\"$-~]*")
TCP_FORM = re.compile(
    rf"(?P<scheme>https?|uwsgi)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{{1,5}}))?(?P<path>{PATH})?"
)
UNIX_FORM = re.compile(rf"(?P<scheme>unix|uwsgi):(?P<socket>/[^/:][^:]*)(?::(?P<path>{PATH}))?")
CHUNK_FORM = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r\n")
STATUS_FORM = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: |$)")
Address = tuple[int, Any]
PORTS = {"http": 80, "https": 443}
#: For a connection that a proxy makes for itself: the receiver uses the address that it sees
#: (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, 2.1).
PROXY_LINE = b"PROXY UNKNOWN\r\n"


class NoAnswerError(MultihostError):
    """The server gave no answer that can be used."""


class Target:
    """
    Where to ask: ``scheme`` (``http``, ``https``, ``uwsgi``), a unix ``socket`` or else ``host`` and ``port``, and the
    ``path`` to ask for, blank where the URL states none, and the query behind it if one is allowed (``takes_query``).
    Raises NoAnswerError for a URL that is not accepted.
    """

    def __init__(self, url: str, *, takes_query: bool = False) -> None:
        place, mark, query = url.partition("?") if takes_query else (url, "", "")
        found = TCP_FORM.fullmatch(place) or UNIX_FORM.fullmatch(place)
        if found is None or not QUERY.fullmatch(query):
            raise NoAnswerError(f"The URL {url!r} is not accepted. {ACCEPTED}")
        parts = {name: text or "" for name, text in found.groupdict().items()}
        self.scheme = "http" if parts["scheme"] == "unix" else parts["scheme"]
        self.socket = parts.get("socket", "")
        self.authority = parts.get("host", "localhost")
        self.host = self.authority.strip("[]")
        self.port = int(parts.get("port") or PORTS.get(self.scheme, 0))
        if not self.socket and not 0 < self.port <= 0xFFFF:
            raise NoAnswerError(f"The URL {url!r} is not accepted: it needs a port from 1 to 65535.")
        self.path = "" if parts["path"] == "/" else parts["path"]
        if mark:
            self.path = f"{self.path or '/'}?{query}"

    @property
    def name(self) -> str:
        """The value of the header ``Host``."""
        usual = self.socket or self.port == PORTS.get(self.scheme)
        return self.authority if usual else f"{self.authority}:{self.port}"

    @property
    def keeps_secrets(self) -> bool:
        """Whether what is sent cannot be read on the way: a token is sent unasked only there."""
        return bool(self.socket) or self.scheme == "https" or is_loopback_host(self.host)


ACCEPTED = "Accepted: http://HOST:PORT, https://HOST, unix:/PATH.sock, uwsgi:/PATH.sock, uwsgi://HOST:PORT."


def is_loopback_host(host: str) -> bool:
    return host in ("localhost", "::1") or re.fullmatch(r"127(?:\.[0-9]{1,3}){3}", host) is not None


class Reply:
    """An answer: its ``status`` code, whether it is ``json``, and its ``body``."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def is_json(self) -> bool:
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "application/json" or kind.endswith("+json")

    @property
    def text(self) -> str:
        """The body for a terminal, without characters that would control it."""
        text = self.body.decode("utf-8", "replace")
        return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t").strip()


def ask_server(
    target: Target,
    path: str,
    *,
    method: str = "GET",
    token: str = "",
    seconds: float = 2,
    ca_file: str | None = None,
    accounts: Collection[int] = (),
    addresses: Sequence[Address] = (),
    agent: str = "multihost-health",
    enough: int = 0,
    is_proxy: bool = False,
    trusts_any: bool = False,
    body: bytes = b"",
    more: Mapping[str, str] | None = None,
) -> Reply:
    """
    Return the answer to ``path``, whose status code may be any. No redirect is followed and no proxy is used. Where
    ``accounts`` are stated, a server of this machine gets the ``token`` only when it is one of theirs. Raises
    NoAnswerError when there is no answer within ``seconds``.

    Where ``addresses`` are stated, only these are asked, and the target's name is not looked up. After ``enough`` bytes
    of the body the rest is not read (0: all of it is). ``is_proxy`` says, to a listener that wants a line of the PROXY
    protocol, that the connection is this machine's own. ``trusts_any`` accepts any certificate. ``body`` is sent
    with a request over HTTP, and ``more`` headers.
    """
    deadline = time.monotonic() + seconds
    headers = {"Host": target.name, "Accept": "*/*", "User-Agent": agent, **(more or {})}
    if body or method == "POST":
        headers["Content-Length"] = str(len(body))
    if token:
        headers["Authorization"] = f"Bearer {token}"
    make = uwsgi_request if target.scheme == "uwsgi" else http_request
    try:
        with connect(
            target, deadline, ca_file, addresses=addresses, is_proxy=is_proxy, trusts_any=trusts_any
        ) as connection:
            if token and accounts and target.scheme != "https" and not is_served_by(connection, accounts):
                headers.pop("Authorization")
            connection.sendall(make(target, method, path, headers) + body)
            return parse_reply(*receive_answer(connection, deadline, enough), is_whole=not enough)
    except TimeoutError:
        raise NoAnswerError(f"There was no answer within {seconds:g} seconds.") from None
    except (OSError, ValueError) as error:  # a name that cannot be written for DNS is a ValueError
        raise NoAnswerError(f"There was no answer: {getattr(error, 'strerror', None) or error}.") from None


def is_served_by(connection: socket.socket, accounts: Collection[int]) -> bool:
    """Return whether it is certain that the server at the other end belongs to ``accounts``, and not to a neighbour."""
    from wagtail_multihost.http_client.listener import accounts_of  # loads only for who needs it

    found = accounts_of(connection)
    return bool(found) and found.issubset(accounts)


def http_request(target: Target, method: str, path: str, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


def uwsgi_request(target: Target, method: str, path: str, headers: dict[str, str]) -> bytes:
    """Return a request of the uwsgi protocol (https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html)."""
    variables = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": path,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_LENGTH": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": target.host,
        "SERVER_PORT": str(target.port or 80),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
    parts = [part.encode() for pair in variables.items() for part in pair]
    body = b"".join(len(part).to_bytes(2, "little") + part for part in parts)
    if len(body) > MAX_PACKET_BYTES:
        raise NoAnswerError("The request is too long for the uwsgi protocol.")
    return b"\x00" + len(body).to_bytes(2, "little") + b"\x00" + body


def connect(
    target: Target,
    deadline: float,
    ca_file: str | None,
    *,
    addresses: Sequence[Address] = (),
    is_proxy: bool = False,
    trusts_any: bool = False,
) -> socket.socket:
    if target.socket:
        connection = connect_unix(target.socket, deadline)
    else:
        connection = connect_tcp(addresses or resolve_in_time(target, deadline), deadline)
    try:
        connection.settimeout(seconds_left(deadline))
        if is_proxy:
            connection.sendall(PROXY_LINE)
    except BaseException:
        connection.close()
        raise
    return wrap_in_tls(connection, target, ca_file, trusts_any=trusts_any) if target.scheme == "https" else connection


def resolve_in_time(target: Target, deadline: float) -> list[Address]:
    """Return the addresses of a host; raises OSError, and TimeoutError when no name server answers in time."""
    with suppress(socket.gaierror):
        return resolve_addresses(target, socket.AI_NUMERICHOST)
    import threading  # loads only for who needs it

    found: list[list[Address] | OSError | ValueError] = []

    def resolve() -> None:
        try:
            found.append(resolve_addresses(target))
        except (OSError, ValueError) as error:
            found.append(error)

    thread = threading.Thread(target=resolve, daemon=True)  # the system's resolver takes no deadline
    thread.start()
    thread.join(seconds_left(deadline))
    if not found:
        raise TimeoutError
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def resolve_addresses(target: Target, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, *_, address in found]


def connect_tcp(addresses: Sequence[Address], deadline: float) -> socket.socket:
    """Return a connection to the first of ``addresses`` that accepts one; each has its share of the time that is
    left."""
    problem = OSError("The host has no address")
    for position, (family, address) in enumerate(addresses):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(seconds_left(deadline) / (len(addresses) - position))
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            problem = error
        except BaseException:
            connection.close()
            raise
    raise problem


def connect_unix(path: str, deadline: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        while True:
            connection.settimeout(seconds_left(deadline))
            try:
                connection.connect(path)
                return connection
            except BlockingIOError:  # the queue is full: with a timeout connect(2) does not wait
                time.sleep(RETRY_SECONDS)
    except BaseException:
        connection.close()
        raise


def wrap_in_tls(
    connection: socket.socket, target: Target, ca_file: str | None, *, trusts_any: bool = False
) -> socket.socket:
    """Return the connection with TLS, whose certificate is verified unless any is trusted."""
    import ssl  # loads only for who needs it

    try:
        context = ssl.create_default_context(cafile=ca_file)
        if trusts_any:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(connection, server_hostname=target.host)
    except BaseException:
        connection.close()
        raise


def seconds_left(deadline: float) -> float:
    """Return the seconds until ``deadline``; raises TimeoutError when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def receive_answer(connection: socket.socket, deadline: float, enough: int = 0) -> tuple[bytes, bytes]:
    """
    Return the head and the body of an answer, which ends as it says, or else with the connection; or so much of the
    body as is ``enough``.
    """
    data, start, size = bytearray(), 0, -1
    while not start or size < 0 or len(data) < start + size:
        connection.settimeout(seconds_left(deadline))
        block = connection.recv(1 << 16)
        if not block:
            break
        data += block
        if not start and (end := data.find(b"\r\n\r\n")) >= 0:
            start, size = end + 4, stated_size(bytes(data[:end]))
        if start and enough and len(data) >= start + enough:
            return bytes(data[: start - 4]), bytes(data[start : start + enough])
        if len(data) > (MAX_BYTES if start else MAX_HEAD_BYTES):
            raise NoAnswerError("The answer is too long.")
    if not start or len(data) < start + size:
        raise NoAnswerError("The answer is not HTTP, or was cut off.")
    return bytes(data[: start - 4]), bytes(data[start : start + size] if size >= 0 else data[start:])


def stated_size(head: bytes) -> int:
    """Return what ``Content-Length`` says, -1 where it says nothing."""
    found = re.search(rb"\r\nContent-Length:[ \t]*([0-9]{1,18})[ \t]*(?:\r\n|$)", head, re.IGNORECASE)
    return int(found[1]) if found else -1


def parse_reply(head: bytes, body: bytes, *, is_whole: bool = True) -> Reply:
    first, *lines = head.decode("latin-1").split("\r\n")
    status = STATUS_FORM.match(first.encode("latin-1"))
    if status is None:
        raise NoAnswerError("The answer is not HTTP, or was cut off.")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    is_chunked = headers.get("transfer-encoding", "identity").lower() == "chunked"
    return Reply(int(status[1]), headers, join_chunks(body, is_whole=is_whole) if is_chunked else body)


def join_chunks(body: bytes, *, is_whole: bool = True) -> bytes:
    """
    Return the chunks of ``body``, or of its beginning, without their sizes
    (https://www.rfc-editor.org/rfc/rfc9112#section-7.1).
    """
    found: list[bytes] = []
    start = 0
    # The rest is never copied: with a few megabytes in the smallest chunks that would take an hour.
    while line := CHUNK_FORM.match(body, start):
        size, start = int(line[1], 16), line.end()
        if not size:
            return b"".join(found)
        found.append(body[start : start + size])
        start += size + 2
    if is_whole:
        raise NoAnswerError("The answer is not HTTP, or was cut off.")
    return b"".join(found)

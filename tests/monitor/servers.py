"""Servers on loopback that answer whatever a test wants, and a prober that asks them instead of the internet."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from uuid import UUID, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.health.certificates import Pair
from wagtail_multihost.http_client.addresses import Address
from wagtail_multihost.monitor.failures import Failure
from wagtail_multihost.monitor.prober import Deadlines, Prober
from wagtail_multihost.monitor.signers import Signers
from wagtail_multihost.monitor.ways import NoWayError, PublicWays
from wagtail_multihost.nodeapi.probe_files import Target
from wagtail_multihost.nodeapi.probe_states import DNS
from wagtail_multihost.spec.proofs import sign_proof

HOST = "127.0.0.1"
LOOPBACK = (ip_network("127.0.0.0/8"),)
NAMESPACE = UUID("6f1d6a0e-6f1a-4a4e-9d0c-0f6b3c9f1a11")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
#: Short, as a test waits for them; long enough for a busy machine.
DEADLINES = Deadlines(connect=5.0, total=5.0)


@dataclass(frozen=True)
class Site:
    """A site with a probe key."""

    id: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    stated_uid: UUID | None = None

    @property
    def uid(self) -> UUID:
        return self.stated_uid or uuid5(NAMESPACE, self.id)

    def target(self, hostname: str = "", **values: object) -> Target:
        name = hostname or f"{self.id}.example"
        public = self.key.public_key().public_bytes_raw()
        return Target(name, self.id, self.uid, public)._replace(**values)  # type: ignore[arg-type]

    def prove(self, request: Request, status: int = 200) -> str:
        """Return the header that this site's health endpoint answers with."""
        nonce, host = request.headers["multihost-nonce"], request.headers["host"]
        return f"Multihost-Proof: {sign_proof(self.key, nonce, host, self.uid, status)}\r\n"


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.split(": ", 1) for line in lines)
    return Request(method, path, {name.lower(): value for name, value in pairs})


def answering(answer: Callable[[Request], str | bytes]) -> Handler:
    """Return a handler that reads one request and writes what ``answer`` returns for it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        written = answer(await read_request(reader))
        writer.write(written.encode("latin-1") if isinstance(written, str) else written)
        await writer.drain()

    return handle


def page(status: int = 200, body: str = "ok", headers: str = "") -> str:
    """Return an answer."""
    return f"HTTP/1.1 {status} Some Words\r\nContent-Length: {len(body.encode())}\r\n{headers}\r\n{body}"


@contextlib.asynccontextmanager
async def serving(handle: Handler, certificate: Pair | None = None, folder: Path | None = None) -> AsyncIterator[int]:
    """Serve at a free port, over TLS if there is a certificate; what a client ends early is no fault."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handle(reader, writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            writer.close()

    context = None
    if certificate is not None and folder is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        path = certificate.write(folder, "server")
        context.load_cert_chain(path, path.with_suffix(".key"))
    server = await asyncio.start_server(guarded, HOST, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@dataclass
class Names:
    """A resolver that knows some names; all others are at loopback."""

    known: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def find_addresses(self, name: str) -> list[Address]:
        self.asked.append(name)
        found = [ip_address(value) for value in self.known.get(name, [HOST])]
        if not found:
            raise NoWayError(Failure(DNS))
        return found

    async def close(self) -> None:
        """Hold nothing open."""


@contextlib.asynccontextmanager
async def probing(
    *targets: Target,
    http: int = 1,
    https: int = 1,
    ca_file: Path | None = None,
    names: Names | None = None,
    deadlines: Deadlines = DEADLINES,
) -> AsyncIterator[Prober]:
    """A prober that knows the keys of these targets, and asks at these ports."""
    ways = PublicWays(names or Names(), allowed=LOOPBACK, ports={"http": http, "https": https})
    signers = Signers()
    signers.replace(targets)
    prober = Prober(ways, signers, deadlines, ca_file=None if ca_file is None else str(ca_file))
    try:
        yield prober
    finally:
        await prober.close()

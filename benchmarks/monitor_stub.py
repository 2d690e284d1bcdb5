"""The servers that ``benchmarks.monitor`` has asked: one for TLS that answers for all sites, and one for DNS."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from functools import cache
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wagtail_multihost.spec.proofs import sign_proof

HOST = "127.0.0.1"
#: An answer with one address, and one that the name has no address of the other kind (RFC 1035, section 4.1).
FOUND, NONE = b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00", b"\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00"
RECORD = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01"
TYPE_A = b"\x00\x01"


@cache
def key_of(hostname: str) -> Ed25519PrivateKey:
    """Return the probe key of the site with this hostname."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(hostname.encode()).digest())


class Sites(asyncio.Protocol):
    """A site that is ready, whichever is asked; counts its answers."""

    def __init__(self, uids: dict[str, UUID], answers: Synchronized[int]) -> None:
        self.uids, self.answers = uids, answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        lines = dict(line.split(": ", 1) for line in data.decode().split("\r\n")[1:] if line)
        host, nonce = lines["Host"], lines.get("Multihost-Nonce", "")
        proof = sign_proof(key_of(host), nonce, host, self.uids[host], 200) if nonce else ""
        head = f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nMultihost-Proof: {proof}\r\nCache-Control: no-store\r\n\r\nok"
        self.transport.write(head.encode())
        self.answers.value += 1


class Names(asyncio.DatagramProtocol):
    """A name server that has every name at this machine."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not all transports of packets are subclasses of the abstract one.
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[Any, ...]) -> None:
        end = data.index(b"\x00", 12) + 5
        question = data[12:end]
        is_there = question[-4:-2] == TYPE_A
        head, record = (FOUND, RECORD) if is_there else (NONE, b"")
        self.transport.sendto(data[:2] + head + question + record, address)


def serve(
    certificate: Path,
    ports: tuple[int, int],
    uids: dict[str, UUID],
    answers: Synchronized[int],
    ready: Synchronized[int],
) -> None:
    """Serve at these ports, of TLS and of DNS, until the process is ended."""

    async def run() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(Names, local_addr=(HOST, ports[1]))
        server = await loop.create_server(lambda: Sites(uids, answers), HOST, ports[0], ssl=context, backlog=1024)
        ready.value = 1
        await server.serve_forever()

    asyncio.run(run())

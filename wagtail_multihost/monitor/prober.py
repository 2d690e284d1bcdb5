"""
One probe: a request over a connection of its own, and what it met as facts. Whoever answers may be hostile: time, head
and body have bounds, nothing is unpacked, no cookie is kept, and of the text nothing is left but whether it fits.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from wagtail_multihost.monitor.failures import name_failure
from wagtail_multihost.monitor.judging import Answer, is_upgrade
from wagtail_multihost.monitor.signers import Signers
from wagtail_multihost.monitor.ways import NoWayError, Way, Ways
from wagtail_multihost.nodeapi.probe_files import MOST_MILLISECONDS, Page, Target, read_clock
from wagtail_multihost.nodeapi.probe_states import REDIRECT, TOO_LARGE
from wagtail_multihost.spec.proofs import NONCE_HEADER, PROOF_HEADER, make_nonce

AGENT = "multihost-monitor"
#: Of an answer: a line of its head, how many, and the body where readiness was asked for, or a page.
LINE_BYTES, MOST_HEADERS, READY_BYTES, PAGE_BYTES = 4096, 64, 1 << 16, 2 << 20
CHUNK = 1 << 16
HTTP, HTTPS = "http", "https"


class Deadlines(NamedTuple):
    """How many seconds connecting, encryption included, and a whole request may take."""

    connect: float = 3.0
    total: float = 10.0


class Met(NamedTuple):
    """What one answer has, as it came."""

    status: int
    location: str
    proof: str
    is_too_large: bool
    has_text: bool
    certificate_seconds: float | None

    def as_answer(self, signer: UUID | None, milliseconds: int, certificate_until: float | None) -> Answer:
        """Return it as facts, without its text but the address that it redirects to, which is only compared."""
        return Answer(
            self.status,
            TOO_LARGE if self.is_too_large else "",
            self.location,
            bool(self.proof),
            signer,
            has_text=self.has_text,
            milliseconds=milliseconds,
            certificate_until=certificate_until,
        )


class PinnedResolver(AbstractResolver):
    """Gives the client the addresses that were judged, and never others."""

    def __init__(self) -> None:
        self.pinned: dict[str, tuple[str, ...]] = {}

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family_of(address), proto=0, flags=0)
            for address in self.pinned.get(host, ())
        ]

    async def close(self) -> None:
        """Hold nothing open."""


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class ProbedResponse(aiohttp.ClientResponse):
    """An answer that knows when the certificate ends with which it came: its connection may be closed at once."""

    certificate_seconds: float | None = None

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        transport = connection.transport
        certificate = transport.get_extra_info("peercert") if transport is not None else None
        if certificate and "notAfter" in certificate:
            self.certificate_seconds = ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
        return await super().start(connection)


class Prober:
    """Asks hostnames; to be used in one event loop, and closed."""

    def __init__(
        self,
        ways: Ways,
        signers: Signers,
        deadlines: Deadlines = Deadlines(),  # noqa: B008  # a tuple
        *,
        ca_file: str | None = None,
        clock: Callable[[], float] = read_clock,
    ) -> None:
        self.ways, self.signers, self.deadlines, self.clock = ways, signers, deadlines, clock
        self.resolver = PinnedResolver()
        # How many there are at a time is decided before they come here.
        connector = aiohttp.TCPConnector(
            resolver=self.resolver,
            use_dns_cache=False,
            force_close=True,
            limit=0,
            ssl=ssl.create_default_context(cafile=ca_file),
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            response_class=ProbedResponse,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=deadlines.connect),
            auto_decompress=False,
            read_bufsize=CHUNK,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            max_headers=MOST_HEADERS,
            headers={"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        await self.session.close()
        await self.ways.close()

    async def ask_ready(self, target: Target) -> Answer:
        """Return what asking a target for its readiness met, and whose proof the answer has."""
        return await self.ask(target, target.path, make_nonce())

    async def ask_page(self, target: Target, page: Page) -> Answer:
        """Return what asking a target for one of its pages met."""
        return await self.ask(target, page.path, contains=page.contains)

    async def ask(self, target: Target, path: str, nonce: str = "", contains: str = "") -> Answer:
        """Ask over the target's protocol, and over https where that redirects to https on the same hostname."""
        answer, scheme = await self.ask_once(target, target.scheme, path, nonce, contains)
        if scheme == HTTP and is_upgrade(answer, target.hostname, path):
            if not self.ways.has(HTTPS):
                # The front server has said nothing of the site, and this monitor was given no other way in.
                return answer._replace(reason=REDIRECT, is_ours=True)
            answer, _ = await self.ask_once(target, HTTPS, path, nonce, contains)
        return answer

    async def ask_once(self, target: Target, scheme: str, path: str, nonce: str, contains: str) -> tuple[Answer, str]:
        """Return what one request met, and over which protocol."""
        try:
            way = await self.ways.find(target, scheme)
        except NoWayError as error:
            return Answer(reason=error.failure.reason, is_ours=error.failure.is_ours), scheme
        begun = time.monotonic()
        self.resolver.pinned[target.hostname] = way.addresses
        try:
            async with asyncio.timeout(self.deadlines.total):
                met = await self.request(target, way, path, nonce, contains)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            failure = name_failure(error)
            return Answer(reason=failure.reason, is_ours=failure.is_ours), way.scheme
        finally:
            self.resolver.pinned.pop(target.hostname, None)
        taken = min(MOST_MILLISECONDS, round((time.monotonic() - begun) * 1000))
        signer = await self.signers.find(target, met.proof, nonce, met.status) if nonce and met.proof else None
        until = None if met.certificate_seconds is None else self.clock() + met.certificate_seconds
        return met.as_answer(signer, taken, until), way.scheme

    async def request(self, target: Target, way: Way, path: str, nonce: str, contains: str) -> Met:
        url = URL(f"{way.scheme}://{target.hostname}:{way.port}{path}", encoded=True)
        headers = {"Host": target.hostname, **({NONCE_HEADER: nonce} if nonce else {})}
        async with self.session.get(url, headers=headers, allow_redirects=False) as response:
            body = await read_body(response, READY_BYTES if nonce else PAGE_BYTES)
            proofs = response.headers.getall(PROOF_HEADER, [])
            return Met(
                response.status,
                response.headers.get("Location", ""),
                proofs[0] if len(proofs) == 1 else "",
                body is None,
                not contains or contains.encode() in (body or b""),
                response.certificate_seconds if isinstance(response, ProbedResponse) else None,
            )


async def read_body(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """Return the body of an answer, packed or not; None if it has more bytes than that."""
    body = bytearray()
    while chunk := await response.content.read(CHUNK):
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)

"""Probes of real servers on loopback, most of them hostile."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.health.certificates import Pair, make
from tests.monitor.servers import (
    HOST,
    Handler,
    Names,
    Request,
    Site,
    answering,
    page,
    probing,
    read_request,
    serving,
)
from wagtail_multihost.monitor.judging import Answer, judge
from wagtail_multihost.monitor.prober import Deadlines
from wagtail_multihost.nodeapi.probe_files import Page, Target, read_clock
from wagtail_multihost.nodeapi.probe_states import DOWN, UP, WRONG_SITE

AURORA, BOREAL = Site("aurora"), Site("boreal")
PLAIN = AURORA.target(scheme="http")
#: So that what never ends is over soon.
SHORT = Deadlines(connect=1.0, total=1.0)


def ask(handle: Handler, target: Target = PLAIN, **values: Any) -> Answer:
    """Return what asking a server over http met."""

    async def run() -> Answer:
        async with serving(handle) as port, probing(AURORA.target(), BOREAL.target(), http=port, **values) as prober:
            return await prober.ask_ready(target)

    return asyncio.run(run())


def ask_tls(handle: Handler, folder: Path, pair: Pair, authority: Pair, target: Target | None = None) -> Answer:
    """Return what asking a server over https met, with a certificate of an authority that counts."""

    async def run() -> Answer:
        trusted = authority.write(folder, "authority")
        async with (
            serving(handle, pair, folder) as port,
            probing(AURORA.target(), BOREAL.target(), https=port, ca_file=trusted) as prober,
        ):
            return await prober.ask_ready(target or AURORA.target())

    return asyncio.run(run())


def ready(site: Site, status: int = 200) -> Callable[[Request], str]:
    return lambda request: page(status, headers=site.prove(request, status))


def test_site_that_proves_itself_is_up() -> None:
    """The nonce is another one each time, and the whole question is signed."""
    nonces = []

    def answer(request: Request) -> str:
        nonces.append(request.headers["multihost-nonce"])
        assert (request.method, request.path, request.headers["host"]) == ("GET", "/-/ready", "aurora.example")
        return page(headers=AURORA.prove(request))

    for _ in range(2):
        met = ask(answering(answer))
        assert (met.status, met.signer, met.has_proof, met.reason) == (200, AURORA.uid, True, "")
        assert met.milliseconds is not None and judge(PLAIN, met).state == UP
    assert len(set(nonces)) == 2 and all(len(nonce) == 22 for nonce in nonces)


def test_other_site_is_recognized() -> None:
    """Although it answers 200: the host map is mixed up."""
    met = ask(answering(ready(BOREAL)))
    assert (met.signer, judge(PLAIN, met).state) == (BOREAL.uid, WRONG_SITE)


def test_site_that_says_that_it_is_not_ready_proves_that_too() -> None:
    """A proof for another status is none."""
    assert judge(PLAIN, ask(answering(ready(AURORA, 503)))).reason == "not-ready"
    lie = ask(answering(lambda request: page(200, headers=AURORA.prove(request, 503))))
    assert (lie.signer, judge(PLAIN, lie).reason) == (None, "wrong-proof")


def test_proof_of_an_earlier_question_is_none() -> None:
    """A recorded answer proves nothing."""
    kept: list[str] = []

    def replay(request: Request) -> str:
        kept.append(AURORA.prove(request))
        return page(headers=kept[0])

    async def run() -> list[Answer]:
        async with serving(answering(replay)) as port, probing(AURORA.target(), http=port) as prober:
            return [await prober.ask_ready(PLAIN) for _ in range(2)]

    first, second = asyncio.run(run())
    assert (first.signer, second.signer) == (AURORA.uid, None)


def test_proof_that_is_stated_twice_is_none() -> None:
    """Nobody knows which one a proxy in between has added."""
    met = ask(answering(lambda request: page(headers=AURORA.prove(request) * 2)))
    assert (met.signer, met.has_proof) == (None, False)


async def send_headers_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Some: words\r\n" * 100)
        await writer.drain()


async def send_one_header_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nX-Some: ")
    while True:
        writer.write(b"words " * 1000)
        await writer.drain()


async def send_body_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        await writer.drain()


async def send_interim_answers_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 20)
        await writer.drain()
        await asyncio.sleep(0.001)


async def send_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n")
    # It would be whole after ten seconds.
    for _ in range(200):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def send_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    opened = writer.get_extra_info("socket")
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def sending(data: bytes) -> Handler:
    return answering(lambda request: data)


@pytest.mark.parametrize(
    ("handle", "reason"),
    [
        (send_headers_without_end, "too-large"),
        (send_one_header_without_end, "too-large"),
        (send_body_without_end, "too-large"),
        (send_interim_answers_without_end, "timeout"),
        (send_slowly, "timeout"),
        (send_nothing, "timeout"),
        (hang_up, "reset"),
        (reset, "reset"),
        (sending(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"), "reset"),
        (sending(b"220 smtp.example ESMTP\r\n"), "reset"),
        (sending(b"HTTP/1.1 200 OK\r\nX-\x00-\xff: \x1b[31m\r\n\r\n"), "reset"),
        (sending(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), "reset"),
        (sending(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), "reset"),
        (sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "reset"),
        (sending(b"\x16\x03\x01" + b"\x00" * 500), "reset"),
    ],
)
def test_hostile_answer_ends_and_has_a_word(handle: Handler, reason: str) -> None:
    """Whatever it is: within the deadline, and without any of its text."""
    met = ask(handle, deadlines=SHORT)
    assert (met.reason, met.signer, met.is_ours) == (reason, None, False)
    assert judge(PLAIN, met).state == DOWN


def test_bytes_that_are_no_text_in_a_proof_prove_nothing() -> None:
    """And do no harm."""
    met = ask(
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nMultihost-Proof: v1=\xff\xfe" + b"A" * 90 + b"\r\n\r\n")
    )
    assert (met.status, met.has_proof, met.signer) == (200, True, None)


def test_port_where_nobody_listens_refuses() -> None:
    """A word of its own."""

    async def run() -> Answer:
        with socket.socket() as bound:
            bound.bind((HOST, 0))
            async with probing(http=bound.getsockname()[1]) as prober:
                return await prober.ask_ready(PLAIN)

    assert asyncio.run(run()).reason == "refused"


def test_server_that_accepts_nothing_ends_by_the_deadline_for_connecting() -> None:
    """Its queue is full: connecting gets no answer at all."""

    async def run() -> Answer:
        with socket.socket() as listening:
            listening.bind((HOST, 0))
            listening.listen(0)
            fillers = [socket.socket() for _ in range(8)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(listening.getsockname())
            try:
                async with probing(http=listening.getsockname()[1], deadlines=Deadlines(0.3, 30.0)) as prober:
                    return await prober.ask_ready(PLAIN)
            finally:
                for filler in fillers:
                    filler.close()

    assert asyncio.run(run()).reason == "timeout"


def test_redirect_is_not_followed_elsewhere() -> None:
    """Neither to another host nor in a loop: one request is one request."""
    asked: list[str] = []

    def loop(request: Request) -> str:
        asked.append(request.path)
        return page(302, headers="Location: /-/ready\r\n")

    assert judge(PLAIN, ask(answering(loop))).reason == "redirect"
    elsewhere = answering(lambda request: page(301, headers="Location: https://evil.example/-/ready\r\n"))
    names = Names()
    assert judge(PLAIN, ask(elsewhere, names=names)).reason == "redirect"
    assert (asked, names.asked) == (["/-/ready"], ["aurora.example"])


def test_redirect_to_https_on_the_same_host_is_followed_once(tmp_path: Path) -> None:
    """And judged by what answers there; a loop between the two ends at once."""
    authority = make("authority", 30)
    pair = make("aurora.example", 30, authority)
    asked = []

    def upgrade(request: Request) -> str:
        asked.append("http")
        return page(301, headers="Location: https://aurora.example/-/ready\r\n")

    def secure(request: Request) -> str:
        asked.append("https")
        return page(headers=AURORA.prove(request))

    async def run(answer: Callable[[Request], str]) -> Answer:
        trusted = authority.write(tmp_path, "authority")
        async with (
            serving(answering(upgrade)) as http,
            serving(answering(answer), pair, tmp_path) as https,
            probing(AURORA.target(), http=http, https=https, ca_file=trusted) as prober,
        ):
            return await prober.ask_ready(PLAIN)

    assert judge(PLAIN, asyncio.run(run(secure))).state == UP
    assert asked == ["http", "https"]
    assert judge(PLAIN, asyncio.run(run(upgrade))).reason == "redirect"
    assert asked[2:] == ["http", "http"]


def test_certificate_is_the_hostnames_and_its_end_is_known(tmp_path: Path) -> None:
    """By SNI, over a connection whose certificate counts."""
    authority = make("authority", 30)
    met = ask_tls(answering(ready(AURORA)), tmp_path, make("aurora.example", 12, authority), authority)
    assert (met.reason, met.signer) == ("", AURORA.uid)
    assert met.certificate_until is not None
    assert 11.9 < (met.certificate_until - read_clock()) / 86_400 < 12.1


@pytest.mark.parametrize(
    ("name", "days", "starts", "is_trusted", "reason"),
    [
        ("boreal.example", 30, -1, True, "certificate-name"),
        ("aurora.example", -1, -10, True, "certificate-expired"),
        ("aurora.example", 30, 10, True, "certificate-expired"),
        ("aurora.example", 30, -1, False, "tls"),
    ],
)
def test_wrong_certificate_has_a_word(
    tmp_path: Path, name: str, days: float, starts: float, is_trusted: bool, reason: str
) -> None:
    """Another name's, one that has expired or is not valid yet, one of an authority that does not count."""
    authority = make("authority", 30)
    issuer = authority if is_trusted else make("other", 30)
    met = ask_tls(answering(ready(AURORA)), tmp_path, make(name, days, issuer, starts), authority)
    assert (met.reason, met.status) == (reason, 0)


def test_server_that_speaks_no_tls_has_a_word(tmp_path: Path) -> None:
    """On the port for it."""

    async def run() -> Answer:
        async with serving(sending(b"hello\r\n" * 10)) as port, probing(https=port, deadlines=SHORT) as prober:
            return await prober.ask_ready(AURORA.target())

    assert asyncio.run(run()).reason in ("tls", "reset", "timeout")


def test_page_is_searched_as_it_came() -> None:
    """In at most so many bytes, and unpacked by nobody."""

    async def run(target: Target, look: Page, body: bytes, headers: bytes = b"") -> Answer:
        head = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (headers, len(body))
        async with serving(sending(head + body)) as port, probing(http=port) as prober:
            return await prober.ask_page(target, look)

    welcome = Page("/", 200, "Grüße")
    assert asyncio.run(run(PLAIN, welcome, "Schöne Grüße".encode())).has_text
    assert not asyncio.run(run(PLAIN, welcome, b"nothing")).has_text
    assert asyncio.run(run(PLAIN, Page("/"), b"x" * (1 << 20))).reason == ""
    assert asyncio.run(run(PLAIN, welcome, b"x" * (3 << 20))).reason == "too-large"
    bomb = bytes.fromhex("1f8b08000000000002ff") + b"\x00" * 100
    assert not asyncio.run(run(PLAIN, welcome, bomb, b"Content-Encoding: gzip\r\n")).has_text


def test_cookies_are_not_kept_and_no_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site learns nothing of former probes, and the environment leads nowhere else."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    cookies = []

    def answer(request: Request) -> str:
        cookies.append(request.headers.get("cookie"))
        return page(headers=f"Set-Cookie: a=b; Domain=example\r\n{AURORA.prove(request)}")

    async def run() -> None:
        async with serving(answering(answer)) as port, probing(AURORA.target(), http=port) as prober:
            for _ in range(2):
                assert (await prober.ask_ready(PLAIN)).signer == AURORA.uid

    asyncio.run(run())
    assert cookies == [None, None]


def test_private_address_is_not_asked() -> None:
    """Nobody connects there: a customer decides what the name resolves to."""
    names = Names({"aurora.example": ["10.0.0.1"]})
    assert ask(answering(ready(AURORA)), names=names).reason == "dns"
    assert ask(answering(ready(AURORA)), names=Names({"aurora.example": [HOST, "10.0.0.1"]})).reason == "dns"
    assert ask(answering(ready(AURORA)), names=Names({"aurora.example": []})).reason == "dns"


def test_many_hostile_servers_hold_up_nobody_else() -> None:
    """A good site is asked while two hundred others answer nothing."""

    async def run() -> Answer:
        async with (
            serving(send_nothing) as slow,
            serving(answering(ready(AURORA))) as port,
            probing(http=slow, deadlines=Deadlines(30.0, 30.0)) as others,
            probing(AURORA.target(), http=port) as prober,
        ):
            hostile = [PLAIN._replace(hostname=f"{number}.example") for number in range(200)]
            tasks = [asyncio.create_task(others.ask_ready(target)) for target in hostile]
            await asyncio.sleep(0.1)
            met = await prober.ask_ready(PLAIN)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return met

    assert asyncio.run(run()).signer == AURORA.uid

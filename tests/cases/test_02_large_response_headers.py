"""
Case 02: neighbours in the chain have limits of their own, and where they disagree a visitor gets a 502. nginx states
each limit, refuses what is more with the status for it, and everybody behind it takes as much.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emitters.conftest import make_site
from tests.emitters.front import opened_front
from tests.servers.chain import CARRIERS, HOST, Chain, opened_chain
from wagtail_multihost.emitters.limits import ANSWER_BYTES, FIELD_BYTES, REQUEST_BYTES, URL_BYTES

pytestmark = pytest.mark.servers

BODY = 100_000
#: What a chain of these tests lets a request take, in seconds.
SECONDS = 3


def around(limit: int) -> Iterator[int]:
    """Yield sizes from far below a limit to far above it, and each of those near it."""
    yield from (limit // 8, limit // 2, *range(limit - 600, limit - 40, 37), *range(limit - 40, limit + 16), limit * 3)


def walk(found: dict[int, int], refused: int) -> list[int]:
    """Return the accepted sizes: up to one of them all are, above it none is, and nothing else is answered."""
    accepted = [size for size, status in found.items() if status == 200]
    assert found == {size: 200 if size in accepted else refused for size in found}, found
    assert not [size for size in found if size not in accepted and size < max(accepted)]
    return accepted


def padded(size: int) -> list[str]:
    """Return fields of a kilobyte and one of what is left, so that a whole request has ``size`` bytes."""
    fixed = len(f"GET /count HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")
    fields: list[str] = []
    while (left := size - fixed - sum(len(one) + 2 for one in fields)) > 0:
        name = f"X-Field-{len(fields):03}: "
        fields.append(name + "a" * max(0, min(1000, left - len(name) - 2)))
    return fields


@pytest.mark.parametrize("carrier", CARRIERS)
def test_each_limit_is_the_front_servers(folder: Path, carrier: str) -> None:
    """From below each limit to above it every answer is the page or the right refusal, and never a 502 or nothing."""
    with opened_chain(folder, carrier, nginx={"body_size": str(BODY)}, seconds=SECONDS) as chain:
        urls = walk({size: chain.ask("/" + "u" * (size - 1)).status for size in around(URL_BYTES)}, 414)
        assert max(urls) == URL_BYTES
        assert max(walk({size: field(chain, size) for size in around(FIELD_BYTES)}, 431)) > FIELD_BYTES - 40
        totals = walk({size: chain.ask("/count", *padded(size)).status for size in around(REQUEST_BYTES)}, 431)
        assert max(totals) > REQUEST_BYTES - 40
        numbers = {
            number: chain.ask("/count", *[f"X-Field-{index}: 1" for index in range(number)])
            for number in (1, 50, 97, 98, 99, 100, 101, 130, 500, 900, 2500, 6000)
        }
        assert max(walk({number: reply.status for number, reply in numbers.items()}, 431)) >= 900
        assert all(int(reply.body) == number for number, reply in numbers.items() if reply.status == 200)
        bodies = {size: chain.ask("/read", method="POST", body=b"b" * size) for size in (1, BODY, BODY + 1, BODY * 30)}
        assert walk({size: reply.status for size, reply in bodies.items()}, 413) == [1, BODY]
        assert bodies[BODY].body == str(BODY).encode()
        # A body is no part of the headers, though the request goes through the rules of the server again.
        assert chain.ask("/read", method="POST", body=b"b" * BODY).status == 200
        assert chain.ask("/sleep?seconds=2.9").status == 200
        assert chain.ask(f"/sleep?seconds={SECONDS + 4}").status == 504


def field(chain: Chain, size: int) -> int:
    """Return the status for a field of ``size`` bytes, its name and what ends it included."""
    return chain.ask("/count", "Cookie: " + "c" * (size - len("Cookie: \r\n"))).status


@pytest.mark.parametrize("carrier", CARRIERS)
def test_answers_have_large_headers(folder: Path, carrier: str) -> None:
    """Headers of an answer reach the visitor up to the limit, in one field or many, of a kept page with a long URL."""
    with opened_chain(folder, carrier, nginx={"cache": 60}) as chain:
        for size in (100, 3000, 3900, 4096, 8000, 8192, 16_384, 24_000, 30_000, ANSWER_BYTES - 1200):
            for each in (size, 1500, 4000):
                reply = chain.ask(f"/headers?bytes={size}&each={each}")
                assert (reply.status, reply.body) == (200, b"ok"), (size, each)
                assert reply.head.count(b"a") + reply.head.count(b"b") > size
        assert chain.ask("/headers?bytes=4499&each=1500").head.count(b"\r\nSet-Cookie: n") == 3
        long = f"/plain?bytes={ANSWER_BYTES - 1200}&{'u' * (URL_BYTES - 40)}"
        assert [chain.ask(long).status for _ in range(2)] == [200, 200]
        # The application's own error, after which it goes on.
        assert chain.ask(f"/headers?bytes={3 * ANSWER_BYTES}").status == 500
        assert chain.ask("/headers?bytes=100").status == 200


def test_refusals_are_for_http2_too(folder: Path) -> None:
    """Where names and values come compressed, the same limits count what they stand for."""
    folder.chmod(0o755)
    front = opened_front(folder)
    with front.serving(front.plan(make_site("aurora", tls=front.certify(HOST))), "aurora"):

        def ask(*words: str, path: str = "/") -> str:
            address = ["--resolve", f"{HOST}:{front.https}:127.0.0.1", f"https://{HOST}:{front.https}{path}"]
            command: list[str | Path] = [
                "curl",
                "-s",
                "--http2",
                "--cacert",
                folder / "authority.pem",
                "-o",
                folder / "body",
            ]
            command += ["-w", "%{http_version} %{http_code}", *words, *address]
            return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=False).stdout

        assert ask() == "2 200"
        assert json.loads((folder / "body").read_text())["SERVER_PROTOCOL"] == "HTTP/2.0"
        assert ask("-H", f"Cookie: {'c' * 12_000}") == "2 200"
        assert ask(path="/" + "u" * (URL_BYTES - 1)) == "2 200"
        assert ask(path="/" + "u" * (URL_BYTES + 1)) == "2 414"
        many = [word for number in range(40) for word in ("-H", f"X-Field-{number}: {'~' * 1000}")]
        assert ask(*many[:50]) == "2 200"
        assert ask(*many) == "2 431"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_body_that_nobody_reads_is_no_failure(folder: Path, carrier: str) -> None:
    """An application that answers without reading the body, as a redirect to the login does, is heard each time."""
    with opened_chain(folder, carrier) as chain:
        for size, times in ((100, 5), (BODY, 60), (1_000_000, 30)):
            statuses = [chain.ask("/unread", method="POST", body=b"b" * size).status for _ in range(times)]
            assert statuses == [200] * times, size
        assert chain.ask("/read", method="POST", body=b"b" * 1_000_000).body == b"1000000"

"""Each limit from below and from above: never a 502, and never nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.conformance.behaviours import CLOSED, Behaviour, Difference, Wanted, alone, request
from tests.conformance.protocol import ONE
from tests.servers.chain import HOST
from wagtail_multihost.emitters.limits import ANSWER_BYTES, FIELD_BYTES, REQUEST_BYTES, URL_BYTES

#: How large a body may be, in bytes, and how long a request may take, in seconds.
BODY = 100_000
SECONDS = 2
LARGE = 3 * REQUEST_BYTES
PACKET = alone(
    "The router closes the connection where a request does not fit into a packet of uwsgi's protocol: 64 kB, with the "
    "address in it twice (plugins/http/http.c, http_headers_parse).",
    Wanted(CLOSED),
)


def padded(size: int) -> list[str]:
    """Return fields of a kilobyte and one of what is left, so that a whole request has ``size`` bytes."""
    fixed = len(f"GET /count HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")
    fields: list[str] = []
    while (left := size - fixed - sum(len(one) + 2 for one in fields)) > 0:
        name = f"X-Field-{len(fields):03}: "
        fields.append(name + "a" * max(0, min(1000, left - len(name) - 2)))
    return fields


def accepted(what: str, send: bytes) -> Behaviour:
    return Behaviour(what, (send,), (Wanted(200),))


def refused(what: str, status: int, send: bytes, differs: Mapping[str, Difference] | None = None) -> Behaviour:
    return Behaviour(what, (send,), (Wanted(status),), differs or {})


def cookie(size: int) -> bytes:
    return request("/count", "Cookie: " + "c" * (size - len("Cookie: \r\n")))


def fields(number: int) -> bytes:
    return request("/count", *[f"X-Field-{index}: 1" for index in range(number)])


def posted(size: int) -> bytes:
    return request("/", method="POST", body=b"b" * size)


def answers(size: int, each: int) -> Behaviour:
    kilobytes = f"{size / 1024:.0f} kB"
    return Behaviour(
        f"{kilobytes} of headers of an answer, {each} bytes each",
        (request(f"/headers?bytes={size}&each={each}"),),
        (Wanted(200, body=b"ok"),),
    )


def too_large(size: int) -> Iterator[Behaviour]:
    yield Behaviour(
        f"{size / 1024:.0f} kB of headers of an answer, and the next request",
        (request(f"/headers?bytes={size}", keeps=True), 0.05, request("/")),
        (Wanted(500), Wanted(200)),
        alone(ONE, Wanted(500)),
    )


BEHAVIOURS = (
    accepted("An address of 8 kB", request("/" + "u" * (URL_BYTES - 1))),
    refused("An address of a byte more", 414, request("/" + "u" * URL_BYTES)),
    refused("An address of 12 kB", 414, request("/" + "u" * 12_000)),
    refused("An address of 60 kB", 414, request("/" + "u" * 60_000), PACKET),
    refused("An address of 90 kB", 414, request("/" + "u" * 90_000), PACKET),
    accepted("Cookies of 15 kB", cookie(15_000)),
    refused("Cookies of 17 kB", 431, cookie(FIELD_BYTES + 1000)),
    refused("Cookies of 60 kB", 431, cookie(60_000)),
    refused("Cookies of 96 kB", 431, cookie(LARGE), PACKET),
    accepted("30 kB in all fields", request("/count", *padded(30_000))),
    refused(
        "36 kB in all fields",
        431,
        request("/count", *padded(36_000)),
        alone("All that fits into a packet of uwsgi's protocol is taken.", Wanted(200)),
    ),
    refused("96 kB in all fields", 431, request("/count", *padded(LARGE)), PACKET),
    accepted("99 fields", fields(99)),
    accepted("101 fields", fields(101)),
    accepted("900 fields", fields(900)),
    refused("6,000 fields", 431, fields(6000), PACKET),
    Behaviour("A body of 100,000 bytes", (posted(BODY),), (Wanted(200, told={"body": BODY}),)),
    refused("A body of a byte more", 413, posted(BODY + 1)),
    refused(
        "A body of 3 MB",
        413,
        posted(30 * BODY),
        alone(
            "uWSGI reads a body before it is refused, up to twice the limit: a larger one could fill the disk.",
            Wanted(CLOSED),
        ),
    ),
    *(answers(size, each) for size in (3900, 8000, 16_384, 30_000, ANSWER_BYTES - 1200) for each in (1000, size)),
    *(behaviour for size in (40_000, 46_000, 50_000, 70_000, 130_000) for behaviour in too_large(size)),
    accepted("An answer just in time", request(f"/sleep?seconds={SECONDS - 0.3}")),
    refused(
        "An answer that comes too late",
        504,
        request(f"/sleep?seconds={SECONDS + 1.5}"),
        alone("The router gives up and says nothing; uWSGI ends the worker a little later.", Wanted(CLOSED)),
    ),
    accepted("The next request", request("/")),
)

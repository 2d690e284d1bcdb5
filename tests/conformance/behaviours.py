"""What a behaviour of a carrier is, as data: what a client sends, what must come back, and who does otherwise, why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.conformance.exchange import Answer, Leave
from tests.servers.chain import EMBEDDED, HOST

#: Carriers, and their columns in the table.
CARRIERS = {
    "uwsgi": "nginx, uWSGI",
    "gunicorn": "nginx, gunicorn",
    "uwsgi-on-node": "front, node, uWSGI",
    "gunicorn-on-node": "front, node, gunicorn",
    EMBEDDED: "uWSGI alone",
}
#: Who connects: a visitor, or a proxy that nginx is told of.
VISITOR, PROXY = "127.0.0.1", "127.0.0.2"
#: The status of an answer that never came.
CLOSED = 0


@dataclass(frozen=True)
class Wanted:
    """
    One answer: its status, lines of its header, names that are not there, its body, and what the application heard
    (None: it did not hear of it). ``note`` is what the table says besides the status.
    """

    status: int
    note: str = ""
    headers: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    body: bytes | None = None
    told: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status or 'closed'}{', ' if self.note else ''}{self.note}"

    def complaints(self, answer: Answer) -> list[str]:
        """Return what is not as wanted."""
        found = [] if answer.status == self.status else [f"status {answer.status}"]
        lines = {f"{name}: {value}".lower() for name, value in answer.headers}
        names = {name.lower() for name, _ in answer.headers}
        found += [f"no line {line!r} among {sorted(lines)}" for line in self.headers if line.lower() not in lines]
        found += [f"a line {name!r}" for name in self.absent if name.lower() in names]
        if self.body is not None and answer.body != self.body:
            found.append(f"body {answer.body[:80]!r} of {len(answer.body)} bytes")
        if self.told and not found:
            heard = json.loads(answer.body)
            found += [
                f"{key} {heard.get(key)!r}, not {value!r}"
                for key, value in self.told.items()
                if heard.get(key) != value
            ]
        return found


@dataclass(frozen=True)
class Difference:
    """What carriers answer instead, and why it is left so."""

    reason: str
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True)
class Behaviour:
    """
    What is sent: bytes, pauses in seconds, and ``Leave`` where the client goes and comes again; and the answers.
    ``differs`` has the carriers that answer otherwise.
    """

    name: str
    sends: tuple[bytes | float | Leave, ...]
    wanted: tuple[Wanted, ...]
    differs: Mapping[str, Difference] = field(default_factory=dict)
    source: str = VISITOR

    def wanted_of(self, carrier: str) -> tuple[Wanted, ...]:
        return self.differs[carrier].wanted if carrier in self.differs else self.wanted

    def complaints(self, carrier: str, answers: list[Answer]) -> list[str]:
        """Return what is not as stated for ``carrier``."""
        wanted = self.wanted_of(carrier)
        if len(wanted) != len(answers):
            return [f"answers {[answer.status for answer in answers]}"]
        return [found for one, answer in zip(wanted, answers, strict=True) for found in one.complaints(answer)]


def alone(reason: str, *wanted: Wanted) -> dict[str, Difference]:
    """Return what uWSGI without nginx does otherwise."""
    return {EMBEDDED: Difference(reason, wanted)}


def behind(runner: str, reason: str, *wanted: Wanted) -> dict[str, Difference]:
    """Return what a runner behind nginx does otherwise."""
    return {carrier: Difference(reason, wanted) for carrier in CARRIERS if carrier.startswith(runner)}


def request(
    path: str, *headers: str, method: str = "GET", host: str = HOST, body: bytes = b"", keeps: bool = False
) -> bytes:
    """Return a request whose lines are as they are given, the last on its connection unless that ``keeps``."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    lines += [] if keeps else ["Connection: close"]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def raw(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode()

"""
Tickets: each run takes one before it waits for the lock, and the run that holds the lock serves all of its kind.

It reads the registry after it has seen the tickets, so that what their takers had changed by then is in it. A taker
holds a lock on its ticket: one that nobody holds is of a run that has ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wagtail_multihost.emitters.apply.place import Place
from wagtail_multihost.files.writing import name_in_errors

SUFFIX = ".ticket"


@dataclass(frozen=True, slots=True)
class Ticket:
    """The open file of a run that waits: its ``path``, and what it says."""

    path: Path
    descriptor: int

    def __enter__(self) -> Ticket:
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.path)
        os.close(self.descriptor)

    def answer(self) -> dict[str, Any] | None:
        """Return what the run that served this ticket wrote, None before that."""
        _, line, answer = read(self.descriptor).partition("\n")
        return json.loads(answer) if line and answer.endswith("\n") else None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another run's ticket: its ``path`` and the ``sites`` it is for, none of them for all."""

    path: Path
    sites: frozenset[str]


def taken(place: Place, fingerprint: str, sites: Iterable[str]) -> Ticket:
    """Leave a ticket, which others see when it is whole and held."""
    text = json.dumps({"fingerprint": fingerprint, "sites": sorted(sites)}).encode() + b"\n"
    while True:
        draft = place.tickets / f"{secrets.token_hex(8)}.tmp"
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with name_in_errors(draft):
                os.write(descriptor, text)
            os.replace(draft, path := draft.with_suffix(SUFFIX))
        except FileNotFoundError:  # another run took it for abandoned before it was held
            os.close(descriptor)
        except BaseException:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
            raise
        else:
            return Ticket(path, descriptor)


def waiting(place: Place, fingerprint: str, own: Ticket) -> list[Waiting]:
    """Return the other tickets of the same kind, and remove those whose runs have ended."""
    found = []
    for path in sorted(place.tickets.iterdir()):
        if path == own.path or is_abandoned(path):
            continue
        with suppress(FileNotFoundError):
            first, line, answer = path.read_bytes().decode().partition("\n")
            if path.suffix == SUFFIX and line and not answer.endswith("\n"):
                ticket = json.loads(first)
                if ticket["fingerprint"] == fingerprint:
                    found.append(Waiting(path, frozenset(ticket["sites"])))
    return found


def is_abandoned(path: Path) -> bool:
    """Return whether nobody holds the ticket any more, which is then removed."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)
        return True
    finally:
        os.close(descriptor)


def serve(tickets: Iterable[Waiting], answer: dict[str, Any]) -> None:
    """Tell the takers of ``tickets`` what was done for them; who cannot be told does it himself."""
    for ticket in tickets:
        with suppress(OSError):
            descriptor = os.open(ticket.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.write(descriptor, json.dumps(answer).encode() + b"\n")
            finally:
                os.close(descriptor)


def read(descriptor: int) -> str:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()

"""
Tickets: each run takes one before it waits for the lock, and the run that holds the lock serves all of its kind.

That run reads the registry after it has seen the tickets, so that it includes what their takers had changed by then. A
taker holds a lock on its ticket: a ticket that is not locked belongs to a run that has ended.
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

from wagtail_multihost.emitters.apply.output_folder import OutputFolder
from wagtail_multihost.files.writing import name_in_errors

SUFFIX = ".ticket"


@dataclass(frozen=True, slots=True)
class Ticket:
    """The ticket of this run: the ``path`` and the open ``descriptor`` of its file."""

    path: Path
    descriptor: int

    def __enter__(self) -> Ticket:
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.path)
        os.close(self.descriptor)

    def answer(self) -> dict[str, Any] | None:
        """Return what the run that served this ticket wrote; None if none has yet."""
        _, line, answer = read_ticket(self.descriptor).partition("\n")
        return json.loads(answer) if line and answer.endswith("\n") else None


@dataclass(frozen=True, slots=True)
class WaitingTicket:
    """Another run's ticket: its ``path`` and the ``sites`` it is for (none: all)."""

    path: Path
    sites: frozenset[str]


def take_ticket(output: OutputFolder, fingerprint: str, sites: Iterable[str]) -> Ticket:
    """Create a ticket, which others see once it is complete and locked."""
    text = json.dumps({"fingerprint": fingerprint, "sites": sorted(sites)}).encode() + b"\n"
    while True:
        draft = output.tickets / f"{secrets.token_hex(8)}.tmp"
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with name_in_errors(draft):
                os.write(descriptor, text)
            os.replace(draft, path := draft.with_suffix(SUFFIX))
        except FileNotFoundError:  # another run found it unlocked, and removed it
            os.close(descriptor)
        except BaseException:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
            raise
        else:
            return Ticket(path, descriptor)


def find_waiting(output: OutputFolder, fingerprint: str, own: Ticket) -> list[WaitingTicket]:
    """Return the other tickets of the same kind, and remove those whose runs have ended."""
    found = []
    for path in sorted(output.tickets.iterdir()):
        if path == own.path or is_abandoned(path):
            continue
        with suppress(FileNotFoundError):
            first, line, answer = path.read_bytes().decode().partition("\n")
            if path.suffix == SUFFIX and line and not answer.endswith("\n"):
                ticket = json.loads(first)
                if ticket["fingerprint"] == fingerprint:
                    found.append(WaitingTicket(path, frozenset(ticket["sites"])))
    return found


def is_abandoned(path: Path) -> bool:
    """Return whether the ticket's run has ended, and remove it then."""
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


def answer_tickets(tickets: Iterable[WaitingTicket], answer: dict[str, Any]) -> None:
    """Tell the takers of ``tickets`` what was done for them; one that cannot be told does the work itself."""
    for ticket in tickets:
        with suppress(OSError):
            descriptor = os.open(ticket.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.write(descriptor, json.dumps(answer).encode() + b"\n")
            finally:
                os.close(descriptor)


def read_ticket(descriptor: int) -> str:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()

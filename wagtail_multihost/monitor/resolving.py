"""Asking DNS from an event loop: name servers alone, without the system's hosts file, within a bound of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

import aiodns
import aiodns.error
import pycares

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.http_client.addresses import Address
from wagtail_multihost.monitor.failures import Failure
from wagtail_multihost.monitor.ways import NoWayError
from wagtail_multihost.nodeapi.probe_files import read_clock
from wagtail_multihost.nodeapi.probe_states import DNS

#: Seconds for all questions about one name; of each try.
SECONDS, TRY_SECONDS, TRIES = 5.0, 1.5, 3
#: When no name server has said anything for so long, the fault is not that of one hostname.
SILENT_AFTER = 30.0
#: How name servers say that a name, or such a record of it, is not there.
NOT_THERE = frozenset({aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA})
NO_ANSWER = frozenset({aiodns.error.ARES_ETIMEOUT, aiodns.error.ARES_ECONNREFUSED})
#: Of all that a name has, which must all be ones that may be asked.
MOST_ADDRESSES = 50
TYPES = ("A", "AAAA")


class NameServers:
    """The name servers that are asked: those ``stated``, as pairs of an address and a port, or else the system's."""

    def __init__(self, stated: Sequence[tuple[str, int]] = (), clock: Callable[[], float] = read_clock) -> None:
        try:
            self.resolver = aiodns.DNSResolver([*map(write_server, stated)] or None, timeout=TRY_SECONDS, tries=TRIES)
        except (aiodns.error.DNSError, pycares.AresError, ValueError, OSError):
            raise ConfigurationError.because("These name servers cannot be used.", where="--resolver") from None
        self.clock = clock
        self.answered_at = clock()

    async def find_addresses(self, name: str) -> list[Address]:
        """Return all addresses of ``name``, those of IPv4 first; raises NoWayError."""
        try:
            async with asyncio.timeout(SECONDS):
                answers = await asyncio.gather(*(self.ask(name, kind) for kind in TYPES), return_exceptions=True)
        except TimeoutError:
            raise NoWayError(self.fail()) from None
        found = [address for answer in answers if not isinstance(answer, BaseException) for address in answer]
        if found:
            return found[:MOST_ADDRESSES] if len(found) <= MOST_ADDRESSES else []
        raise NoWayError(Failure(DNS) if any(self.has_answered(answer) for answer in answers) else self.fail())

    async def ask(self, name: str, kind: str) -> list[Address]:
        try:
            result: Any = await self.resolver.query_dns(name, kind)
        except aiodns.error.DNSError as error:
            if error.args and error.args[0] not in NO_ANSWER:
                self.answered_at = self.clock()
            raise
        self.answered_at = self.clock()
        wanted = pycares.ARecordData if kind == "A" else pycares.AAAARecordData
        return [ip_address(record.data.addr) for record in result.answer if isinstance(record.data, wanted)]

    def has_answered(self, answer: object) -> bool:
        """Return whether a name server said something, if only that it has nothing or cannot say."""
        return not isinstance(answer, BaseException) or bool(answer.args and answer.args[0] not in NO_ANSWER)

    def fail(self) -> Failure:
        """Return what it means that no name server answered: of one name its own fault, of all names ours."""
        return Failure(DNS, is_ours=self.clock() - self.answered_at > SILENT_AFTER)

    async def close(self) -> None:
        await self.resolver.close()


def write_server(server: tuple[str, int]) -> str:
    """Return an address and a port as the resolver takes them."""
    address, port = server
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

"""Where a hostname is asked: at the addresses that DNS has for it, or through one server, whatever DNS says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from ipaddress import ip_address
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from wagtail_multihost.http_client.addresses import Address, Network, is_public
from wagtail_multihost.monitor.failures import Failure
from wagtail_multihost.nodeapi.probe_files import SCHEMES, Target
from wagtail_multihost.nodeapi.probe_states import DNS
from wagtail_multihost.spec.identifiers import shown

PORTS = {"http": 80, "https": 443}
#: So many addresses of a hostname are tried.
MOST_TRIED = 4


class Way(NamedTuple):
    """The protocol, port and addresses by which a hostname is asked."""

    scheme: str
    port: int
    addresses: tuple[str, ...]


class NoWayError(Exception):
    """There is no server that may be asked."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.reason)


class Ways(Protocol):
    """Finds where to ask; ``scheme`` is that of the target, or the one that it redirects to. Raises NoWayError."""

    async def find(self, target: Target, scheme: str) -> Way: ...

    def has(self, scheme: str) -> bool:
        """Return whether hostnames can be asked over this protocol."""

    async def close(self) -> None:
        """Close what was opened to find them."""


class Resolver(Protocol):
    """Finds all addresses of a name; raises NoWayError."""

    async def find_addresses(self, name: str) -> Sequence[Address]: ...

    async def close(self) -> None: ...


class PublicWays:
    """
    The servers that DNS names: public ones in none of the networks that are ``refused``, and those of the networks
    that are ``allowed``. A customer decides what a hostname resolves to, and must not be able to have others asked.
    """

    def __init__(
        self,
        resolver: Resolver,
        refused: Collection[Network] = (),
        allowed: Collection[Network] = (),
        ports: Mapping[str, int] = PORTS,
    ) -> None:
        self.resolver, self.refused, self.allowed, self.ports = resolver, refused, allowed, ports

    async def find(self, target: Target, scheme: str) -> Way:
        found = await self.resolver.find_addresses(target.hostname)
        if not found or not all(self.may_ask(address) for address in found):
            raise NoWayError(Failure(DNS))
        return Way(scheme, self.ports[scheme], tuple(map(str, found[:MOST_TRIED])))

    def has(self, scheme: str) -> bool:
        return scheme in self.ports

    async def close(self) -> None:
        await self.resolver.close()

    def may_ask(self, address: Address) -> bool:
        is_allowed = any(address in network for network in self.allowed if network.version == address.version)
        return is_allowed or is_public(address, self.refused)


class Doors:
    """The servers through which all hostnames are asked, by protocol; one alone is asked for all."""

    def __init__(self, doors: Sequence[Way]) -> None:
        self.doors = {door.scheme: door for door in doors}

    async def find(self, target: Target, scheme: str) -> Way:
        return self.doors.get(scheme) or next(iter(self.doors.values()))

    def has(self, scheme: str) -> bool:
        return scheme in self.doors

    async def close(self) -> None:
        """Hold nothing open."""


def parse_door(value: str) -> Way:
    """Return the server that a URL such as http://127.0.0.1:80 names; raises ValueError with a sentence."""
    try:
        parts = urlsplit(value)
        address, port = ip_address(parts.hostname or ""), parts.port
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in SCHEMES or parts.path not in ("", "/") or "@" in parts.netloc:
        raise ValueError(f"The URL {shown(value)} is not accepted: write one such as http://127.0.0.1:80.")
    return Way(parts.scheme, port or PORTS[parts.scheme], (str(address),))

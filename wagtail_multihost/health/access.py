"""Who may see details: a token in a header, or an address in a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import NamedTuple

SCHEME = "bearer"


class Access(Enum):
    """What a request may see."""

    STATUS = "status"
    """The status word."""
    DETAILS = "details"
    """Everything."""
    REFUSED = "refused"
    """Nothing: it has a token, and a wrong one."""


class Question(NamedTuple):
    """
    What is looked at of a request: its ``method`` and ``path``, the headers ``authorization`` and ``accept``, the
    address ``remote`` of who has connected, blank where there is none, and whether a proxy says that it was
    ``forwarded``.
    """

    method: str
    path: str
    authorization: str = ""
    accept: str = ""
    remote: str = ""
    forwarded: bool = False


class Gate:
    """
    Decides by ``tokens``, which returns those that are accepted and is asked only where a request has one, and
    ``networks``.
    """

    def __init__(self, tokens: Callable[[], Sequence[str]], networks: Sequence[str]) -> None:
        self.tokens = tokens
        self.networks = [ip_network(network) for network in networks]

    def access(self, question: Question) -> Access:
        """Return what ``question`` may see; nothing else runs before."""
        scheme, _, token = question.authorization.partition(" ")
        if scheme.lower() == SCHEME:
            return Access.DETAILS if self.knows(token.strip()) else Access.REFUSED
        return Access.DETAILS if self.is_near(question) else Access.STATUS

    def knows(self, token: str) -> bool:
        """Return whether ``token`` is accepted; every accepted one is compared, in constant time."""
        given = token.encode("utf-8", "surrogateescape")
        return sum(compare_digest(given, accepted.encode()) for accepted in self.tokens()) > 0

    def is_near(self, question: Question) -> bool:
        """Return whether it comes from a network, and not through a proxy: behind one everybody has its address."""
        if question.forwarded or not self.networks or not question.remote:
            return False
        try:
            address = ip_address(question.remote)
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self.networks)

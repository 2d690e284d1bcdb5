"""Who may see details: a token in a header, or an address in a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import NamedTuple

SCHEME = "bearer"

#: By these a proxy tells that it speaks for somebody. The emitted front servers always set ``X-Request-Id`` or leave
#: ``X-Forwarded-For`` behind, blank even, and give the application the visitor's address in place of their own.
FORWARDING = (
    "CDN-Loop",
    "CF-Connecting-IP",
    "Client-IP",
    "Fastly-Client-IP",
    "Fly-Client-IP",
    "Forwarded",
    "True-Client-IP",
    "Via",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Envoy-External-Address",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Original-Forwarded-For",
    "X-Real-IP",
    "X-Request-Id",
)
#: The same as WSGI and Django have them.
FORWARDING_VARIABLES = tuple(f"HTTP_{name.upper().replace('-', '_')}" for name in FORWARDING)


class Access(Enum):
    """What a request may see."""

    STATUS = "status"
    """The status word."""
    DETAILS = "details"
    """Everything."""
    REFUSED = "refused"
    """Nothing: it has a token, and a wrong one."""


class HealthRequest(NamedTuple):
    """
    What is looked at of a request: its ``method`` and ``path``, the headers ``authorization`` and ``accept``, the
    address ``remote`` of who has connected, blank where there is none, and whether a proxy says that it was
    ``forwarded`` by any header of :data:`FORWARDING`.
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

    def access(self, request: HealthRequest) -> Access:
        """Return what ``request`` may see; nothing else runs before."""
        token = token_of(request)
        if token is not None:
            return Access.DETAILS if self.knows(token) else Access.REFUSED
        return Access.DETAILS if self.is_near(request) else Access.STATUS

    def has_token(self, request: HealthRequest) -> bool:
        """Return whether ``request`` has an accepted token, wherever it comes from."""
        token = token_of(request)
        return token is not None and self.knows(token)

    def knows(self, token: str) -> bool:
        """Return whether ``token`` is accepted; every accepted one is compared, in constant time."""
        if not token or not token.isascii():  # accepted ones are ASCII
            return False
        given = token.encode()
        return sum(compare_digest(given, accepted.encode()) for accepted in self.tokens()) > 0

    def is_near(self, request: HealthRequest) -> bool:
        """Return whether it comes from a network, and not through a proxy: behind one everybody has its address."""
        try:
            address = ip_address(request.remote)
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return not request.forwarded and any(plain in network for network in self.networks)


def token_of(request: HealthRequest) -> str | None:
    """Return the token that ``request`` has, accepted or not; None without one. Other schemes are not looked at."""
    scheme, *rest = [*request.authorization.split(None, 1), ""]
    return "".join(rest).strip() if scheme.lower() == SCHEME else None

"""Who may see details: requests with a token, or from a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum
from hmac import compare_digest
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from wagtail_multihost.spec.proofs import NONCE_HEADER

SCHEME = "bearer"
#: Browsers never ask the network for these names (https://www.rfc-editor.org/rfc/rfc6761#section-6.3).
LOCAL_HOST_FORM = re.compile(r"(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?")

#: Headers that show that a proxy forwarded the request. The emitted front servers always set ``X-Request-Id`` or leave
#: ``X-Forwarded-For``, even if it is empty, and pass the visitor's address to the application instead of their own.
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
#: The same as keys of a WSGI environment.
FORWARDING_VARIABLES = tuple(f"HTTP_{name.upper().replace('-', '_')}" for name in FORWARDING)
#: Has what a monitor asks with, as a key of a WSGI environment.
NONCE_VARIABLE = f"HTTP_{NONCE_HEADER.upper().replace('-', '_')}"


class Access(Enum):
    """What a request may see."""

    STATUS = "status"
    """The status word."""
    DETAILS = "details"
    """Everything."""
    REFUSED = "refused"
    """Nothing: its token is wrong."""


class HealthRequest(NamedTuple):
    """
    The parts of a request that matter: its ``method``, ``path`` and ``query``, the headers ``authorization``,
    ``accept``, ``host`` and ``nonce`` (by which a monitor asks for a proof), the client's address ``remote`` (blank if
    there is none), and whether any header of :data:`FORWARDING` shows that it was ``forwarded`` by a proxy.
    """

    method: str
    path: str
    authorization: str = ""
    accept: str = ""
    remote: str = ""
    forwarded: bool = False
    query: str = ""
    host: str = ""
    nonce: str = ""


class Gate:
    """
    Decides what a request may see, by its token and its address. ``tokens`` returns the accepted tokens, and is called
    only if a request has one; ``networks`` lists the addresses that need none. With ``trusts_machine``, for
    development, a person at this machine needs none either.
    """

    def __init__(
        self, tokens: Callable[[], Sequence[str]], networks: Sequence[str], *, trusts_machine: bool = False
    ) -> None:
        self.tokens = tokens
        self.networks = [ip_network(network) for network in networks]
        self.trusts_machine = trusts_machine

    def access(self, request: HealthRequest) -> Access:
        """Return what ``request`` may see."""
        token = token_of(request)
        if token is not None:
            return Access.DETAILS if self.knows(token) else Access.REFUSED
        is_known = self.is_near(request) or (self.trusts_machine and is_local(request))
        return Access.DETAILS if is_known else Access.STATUS

    def has_token(self, request: HealthRequest) -> bool:
        """Return whether ``request`` has an accepted token, whatever its address."""
        token = token_of(request)
        return token is not None and self.knows(token)

    def knows(self, token: str) -> bool:
        """Return whether ``token`` is accepted: it is compared with every accepted one, in constant time."""
        if not token or not token.isascii():  # accepted ones are ASCII
            return False
        given = token.encode()
        return sum(compare_digest(given, accepted.encode()) for accepted in self.tokens()) > 0

    def is_near(self, request: HealthRequest) -> bool:
        """Return whether it comes from a network, and not through a proxy, whose clients all have its address."""
        plain = plain_address(request.remote)
        if plain is None:
            return False
        return not request.forwarded and any(plain in network for network in self.networks)


def plain_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address, one of IPv4 in IPv6's form as what it is; None if it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_local(request: HealthRequest) -> bool:
    """
    Return whether it comes from this machine, through no proxy, and was sent to a name that only leads to this machine:
    under any other name, pages of the internet could have a browser here send it, and read the answer.
    """
    address = plain_address(request.remote)
    if request.forwarded or address is None or not address.is_loopback:
        return False
    return LOCAL_HOST_FORM.fullmatch(request.host.lower()) is not None


def token_of(request: HealthRequest) -> str | None:
    """Return the token of ``request``, accepted or not; None if it has none. Other schemes are ignored."""
    scheme, *rest = [*request.authorization.split(None, 1), ""]
    return "".join(rest).strip() if scheme.lower() == SCHEME else None

"""
The addresses that the courier and a monitor ask for strangers' hostnames: public ones of the internet, and no others.

A customer decides what a hostname resolves to. Without this rule they would send requests from where they stand to
servers that trust their network. The lists follow IANA's registries of special addresses
(https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry)
and not ``ipaddress.is_global``, whose answers differ between versions of Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DNS_PORT = 53

#: What is not public of IPv4.
SPECIAL_4 = (
    "0.0.0.0/8",  # this network: RFC 791, RFC 1122
    "10.0.0.0/8",  # private: RFC 1918
    "100.64.0.0/10",  # behind a provider's NAT: RFC 6598
    "127.0.0.0/8",  # loopback: RFC 1122
    "169.254.0.0/16",  # link-local, and clouds' metadata: RFC 3927
    "172.16.0.0/12",  # private: RFC 1918
    "192.0.0.0/24",  # protocol assignments: RFC 6890
    "192.0.2.0/24",  # documentation: RFC 5737
    "192.31.196.0/24",  # AS112: RFC 7535
    "192.52.193.0/24",  # multicast tunnels: RFC 7450
    "192.88.99.0/24",  # 6to4 relays: RFC 7526
    "192.168.0.0/16",  # private: RFC 1918
    "192.175.48.0/24",  # AS112: RFC 7534
    "198.18.0.0/15",  # benchmarks: RFC 2544
    "198.51.100.0/24",  # documentation: RFC 5737
    "203.0.113.0/24",  # documentation: RFC 5737
    "224.0.0.0/4",  # multicast: RFC 5771
    "240.0.0.0/4",  # reserved, and broadcast: RFC 1112, RFC 919
)
#: The only part of IPv6 that is assigned to public hosts (RFC 4291, section 2.4). Loopback, private (RFC 4193),
#: link-local and multicast addresses are outside it, and so are those that have one of IPv4 in them: mapped and
#: compatible ones (RFC 4291), translated ones (RFC 2765), and those of NAT64 (64:ff9b::/96 in RFC 6052, 64:ff9b:1::/48
#: in RFC 8215).
GLOBAL_UNICAST = IPv6Network("2000::/3")
#: What is not public in it.
SPECIAL_6 = (
    "2001::/23",  # protocol assignments, with Teredo (RFC 4380), ORCHID (RFC 7343), benchmarks: RFC 2928
    "2001:db8::/32",  # documentation: RFC 3849
    "2002::/16",  # 6to4, with an address of IPv4: RFC 3056
    "2620:4f:8000::/48",  # AS112: RFC 7534
    "3fff::/20",  # documentation: RFC 9637
)
NOT_PUBLIC: tuple[Network, ...] = tuple(map(ip_network, (*SPECIAL_4, *SPECIAL_6)))


def is_public(address: Address, refused: Iterable[Network] = ()) -> bool:
    """Return whether ``address`` is one of a public host, and in none of the networks that are ``refused`` besides."""
    if isinstance(address, IPv6Address) and (address not in GLOBAL_UNICAST or address.scope_id is not None):
        return False
    return not any(address in network for network in (*NOT_PUBLIC, *refused) if network.version == address.version)


def parse_network(value: str) -> Network:
    """Return the network that ``value`` is, or the one address; raises ValueError with a sentence."""
    try:
        return ip_network(value)
    except ValueError as error:
        raise ValueError(f"The network {value!r} is not accepted: {error}.") from None


def parse_server(value: str) -> tuple[str, int]:
    """Return the address and the port that ``ADDRESS``, ``ADDRESS:PORT`` or ``[ADDRESS]:PORT`` states; ValueError."""
    host, port = value, str(DNS_PORT)
    if value.startswith("[") and "]" in value:
        host, _, rest = value[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif value.count(":") == 1:
        host, _, port = value.partition(":")
    try:
        address: Address = ip_address(host)
        number = int(port) if port.isascii() and port.isdecimal() else 0
    except ValueError:
        number = 0
    if not 0 < number <= 0xFFFF:
        raise ValueError(f"The name server {value!r} is not accepted: write ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT.")
    return str(address), number

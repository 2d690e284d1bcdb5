"""Which addresses the courier asks."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_multihost.http_client.addresses import SPECIAL_4, SPECIAL_6, is_public, parse_network

PUBLIC = (
    "1.1.1.1",
    "9.9.9.9",
    "93.184.215.14",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "2400::1",
)
#: An address of each kind that is not public; the last ones have an address of IPv4 in them.
NOT_PUBLIC = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.1.2.3"),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
    *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "100::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1"),
    *("2001::1", "2001:2::1", "2001:10::1", "4000::1", "5f00::1", "2620:4f:8000::1"),
    *("::ffff:127.0.0.1", "::ffff:1.1.1.1", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("2002:7f00:1::1", "2002:101:101::1", "64:ff9b::7f00:1", "64:ff9b::101:101", "64:ff9b:1::7f00:1", "fe80::1%eth0"),
    "2606:4700::1111%eth0",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_asked(address: str) -> None:
    """An address that the internet routes to a host is accepted."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_address_that_is_not_public_is_not_asked(address: str) -> None:
    """Loopback, private, shared, link-local, multicast, reserved and documentation addresses are refused, and IPv6
    addresses that carry one of IPv4, whatever that is."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("network", [*SPECIAL_4, *SPECIAL_6])
def test_networks_are_refused_from_end_to_end(network: str) -> None:
    """The first and the last address of each network are refused."""
    net = ip_network(network)
    assert [is_public(net[0]), is_public(net[-1])] == [False, False]


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_what_python_knows_as_special_is_refused(address: IPv4Address | IPv6Address) -> None:
    """The standard library's own properties agree: nothing that one of them names is public."""
    special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    assert not (is_public(address) and (special or address.is_reserved or address.is_unspecified))


def test_own_networks_can_be_refused_besides() -> None:
    """An operator's own servers with public addresses are as private to strangers, of either version."""
    refused = (parse_network("93.184.215.0/24"), parse_network("2a00:1450::/32"))
    assert [is_public(ip_address(one), refused) for one in ("93.184.215.14", "2a00:1450::1", "1.1.1.1", "2400::1")] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("value", ["", "example.org", "10.0.0.1/8", "10.0.0.0/33"])
def test_network_with_a_mistake_is_refused(value: str) -> None:
    """A network whose address has host bits, or that is none, is a sentence and not taken for another one."""
    with pytest.raises(ValueError, match="is not accepted"):
        parse_network(value)

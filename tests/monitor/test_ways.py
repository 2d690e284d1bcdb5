"""Where hostnames are asked."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest

from tests.monitor.servers import Names, Site
from wagtail_multihost.monitor.ways import MOST_TRIED, Doors, NoWayError, PublicWays, Way, parse_door

TARGET = Site("aurora").target()


def find(ways: PublicWays | Doors, scheme: str = "https") -> Way:
    return asyncio.run(ways.find(TARGET, scheme))


def names(*addresses: str) -> Names:
    return Names({TARGET.hostname: list(addresses)})


def test_public_addresses_are_asked_at_the_ports_of_visitors() -> None:
    """A few of them."""
    found = find(PublicWays(names(*(f"93.184.216.{number}" for number in range(1, 9)))))
    assert (found.scheme, found.port, len(found.addresses)) == ("https", 443, MOST_TRIED)
    assert find(PublicWays(names("2606:2800:220:1::1")), "http").port == 80


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.1.2.3",),
        ("169.254.169.254",),
        ("::1",),
        ("fd00::1",),
        ("::ffff:93.184.216.1",),
        ("93.184.216.1", "10.1.2.3"),
        (*(f"93.184.216.{number}" for number in range(1, 9)), "10.1.2.3"),
        (),
    ],
)
def test_hostname_with_an_address_that_is_not_public_is_not_asked_at_all(addresses: tuple[str, ...]) -> None:
    """Not at its public ones either, and wherever in the answer it stands."""
    with pytest.raises(NoWayError):
        find(PublicWays(names(*addresses)))


def test_operator_says_which_networks_are_asked_and_which_are_not() -> None:
    """Own front servers may have private addresses, and internal ones public ones."""
    own = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert find(PublicWays(names("10.1.2.3"), allowed=own)).addresses == ("10.1.2.3",)
    assert find(PublicWays(names("fd00::1"), allowed=own)).addresses == ("fd00::1",)
    with pytest.raises(NoWayError):
        find(PublicWays(names("10.2.2.3"), allowed=own))
    with pytest.raises(NoWayError):
        find(PublicWays(names("93.184.216.1"), refused=[ip_network("93.184.216.0/24")]))


def test_doors_are_asked_whatever_the_name_resolves_to() -> None:
    """By protocol; a single one for all."""
    http, https = parse_door("http://127.0.0.1:8080"), parse_door("https://[::1]")
    assert find(Doors([http, https])) == Way("https", 443, ("::1",))
    assert find(Doors([http])) == Way("http", 8080, ("127.0.0.1",))
    assert (Doors([http]).has("https"), Doors([http, https]).has("https")) == (False, True)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "127.0.0.1:80",
        "ftp://127.0.0.1",
        "http://front.example:80",
        "http://127.0.0.1/x",
        "http://u:p@127.0.0.1",
        "http://127.0.0.1:99999",
        "http://[::1",
        "unix:/run/x",
    ],
)
def test_door_that_is_none_is_refused(value: str) -> None:
    """With a sentence that says what is one."""
    with pytest.raises(ValueError, match="write one such as"):
        parse_door(value)

"""What DNS answers, and what is said when it does not, with a real name server."""

from __future__ import annotations

import time
from ipaddress import ip_address
from pathlib import Path

import dns.message
import dns.resolver
import pytest

from tests.operations.dns_server import Zone
from tests.servers.processes import free_port
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.http_client.addresses import parse_server
from wagtail_multihost.operations.courier.name_servers import NameServers, NoRecordError

NAME = "_multihost-challenge.aurora.test"
#: The rest of a reply that promises an answer and has none. It is left aside, as what another host may have forged.
NONSENSE = bytes.fromhex("8180 0001 0001 0000 0000 ff")


def refusal(zone: Zone, name: str = NAME, seconds: float = 5) -> str:
    """Return the sentence about a TXT record that cannot be had."""
    with pytest.raises(NoRecordError) as caught:
        NameServers([zone.server], seconds).find_texts(name)
    return str(caught.value)


def test_texts_of_a_name_are_found(zone: Zone) -> None:
    """Each record is one text, whatever strings it is made of."""
    zone.answers[NAME] = ['TXT "one"', 'TXT "tw" "o"']
    assert sorted(NameServers([zone.server]).find_texts(NAME)) == [b"one", b"two"]


def test_aliases_are_followed_where_the_name_server_does(zone: Zone) -> None:
    """A chain of CNAME records leads to the text at its end."""
    zone.answers |= {NAME: ["CNAME a.test"], "a.test": ["CNAME b.test"], "b.test": ['TXT "end"']}
    assert NameServers([zone.server]).find_texts(NAME) == [b"end"]


def test_each_failure_has_a_sentence_of_its_own(zone: Zone) -> None:
    """No such name, no such record, an alias of nothing, an error, silence and nonsense are told apart."""
    zone.answers["empty.test"] = ["A 127.0.0.1"]
    zone.answers["alias.test"] = ["CNAME nowhere.test"]
    zone.answers["loop.test"] = ["CNAME loop.test"]
    zone.answers |= {"failing.test": "SERVFAIL", "refused.test": "REFUSED", "silent.test": None, "mad.test": NONSENSE}
    said = {name: refusal(zone, name, 0.5) for name in ("empty.test", "alias.test", "loop.test", "failing.test")}
    said |= {name: refusal(zone, name, 0.5) for name in ("refused.test", "silent.test", "mad.test", "none.test")}
    long = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 20}.test"
    assert said == {
        "empty.test": "DNS has no TXT record with the name empty.test.",
        "alias.test": "alias.test is an alias (CNAME) of a name that DNS does not have.",
        "loop.test": "The name servers cannot answer about loop.test (a broken answer).",
        "failing.test": "The name servers cannot answer about failing.test (SERVFAIL).",
        "refused.test": "The name servers cannot answer about refused.test (REFUSED).",
        "silent.test": "No name server answered about silent.test within 0.5 seconds.",
        "mad.test": "No name server answered about mad.test within 0.5 seconds.",
        "none.test": "DNS has no name none.test.",
    }
    assert refusal(zone, long) == f"{long} is longer than a name in DNS can be."


def test_closed_port_is_no_connection() -> None:
    """A name server that is not there is told from one that is silent, or the time ends."""
    with pytest.raises(NoRecordError, match=r"no connection|No name server answered"):
        NameServers([("127.0.0.1", free_port())], 1).find_texts(NAME)


def test_silence_ends_in_time(zone: Zone) -> None:
    """The whole look-up has one deadline, however many attempts it makes."""
    zone.answers[NAME] = None
    start = time.monotonic()
    refusal(zone, seconds=1)
    assert 0.9 < time.monotonic() - start < 2


def test_huge_answer_is_read_by_tcp_in_bounded_time(zone: Zone) -> None:
    """Hundreds of records of the longest strings come by TCP, are at most 64 kB, and cost no more than a second."""
    zone.answers[NAME] = [f'TXT "{number:03}{"x" * 252}"' for number in range(240)]
    start = time.monotonic()
    texts = NameServers([zone.server]).find_texts(NAME)
    assert (len(texts), {len(text) for text in texts}) == (240, {255})
    assert time.monotonic() - start < 3


def test_more_than_an_answer_can_hold_is_an_error(zone: Zone) -> None:
    """What does not fit into 64 kB is not read piece by piece."""
    zone.answers[NAME] = [f'TXT "{number:03}{"x" * 252}"' for number in range(400)]
    assert NAME in refusal(zone, seconds=1)


def test_no_search_domain_is_put_behind_a_name(zone: Zone) -> None:
    """The name is asked as it is, and nothing else."""
    name_servers = NameServers([zone.server])
    name_servers.resolver.search = [dns.name.from_text("internal.test")]
    zone.answers[f"{NAME}.internal.test"] = ['TXT "inner"']
    with pytest.raises(NoRecordError):
        name_servers.find_texts(NAME)
    assert set(zone.asked) == {("TXT", NAME)}


def test_addresses_of_both_kinds_are_found(zone: Zone) -> None:
    """All addresses count, and one kind alone is enough."""
    zone.answers["both.test"] = ["A 1.1.1.1", "A 1.0.0.1", "AAAA 2606:4700::1111"]
    zone.answers["six.test"] = ["AAAA 2606:4700::1111"]
    zone.answers["half.test"] = lambda kind: ["A 1.1.1.1"] if kind == "A" else "REFUSED"
    name_servers = NameServers([zone.server])
    assert set(name_servers.find_addresses("both.test")) == set(
        map(ip_address, ("1.1.1.1", "1.0.0.1", "2606:4700::1111"))
    )
    assert name_servers.find_addresses("six.test") == [ip_address("2606:4700::1111")]
    assert name_servers.find_addresses("half.test") == [ip_address("1.1.1.1")]
    with pytest.raises(NoRecordError, match=r"no name none\.test"):
        name_servers.find_addresses("none.test")


def test_system_without_name_servers_is_a_problem_at_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a resolv.conf and without --resolver the courier says so before it takes anything."""

    def read(resolver: dns.resolver.Resolver, file: str) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", read)
    with pytest.raises(ConfigurationError, match="--resolver"):
        NameServers()


@pytest.mark.parametrize(
    ("value", "server"),
    [
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_name_server_is_stated_with_or_without_port(value: str, server: tuple[str, int]) -> None:
    """Addresses of both versions are read, with 53 as the port that is usual."""
    assert parse_server(value) == server


@pytest.mark.parametrize(
    "value", ["", "dns.test", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "[::1]:x", "1.1.1.1:٣"]
)
def test_name_server_that_is_no_address_is_refused(value: str) -> None:
    """A name, or a port that there is not, is a sentence."""
    with pytest.raises(ValueError, match="is not accepted"):
        parse_server(value)

"""What proves a hostname, and what the courier cannot be made to ask or to tell, with real name and web servers."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.health.certificates import make
from tests.operations.dns_server import Zone
from tests.operations.web_server import WebServer, running_web_server, saying
from tests.servers.processes import free_port
from wagtail_multihost.http_client import client
from wagtail_multihost.http_client.addresses import parse_network
from wagtail_multihost.nodeapi.challenge import file_path, is_reserved, record_name
from wagtail_multihost.operations.courier import proofs
from wagtail_multihost.operations.courier.name_servers import NameServers
from wagtail_multihost.operations.courier.proofs import Check, Finding, Reach, check

NAME = "aurora.test"
SECRET = "a-value-that-nobody-can-guess-0123456789"
WANTED = Check(uuid.uuid4(), uuid.uuid4(), NAME, SECRET)
PROVEN_BY_FILE = Finding(True, "file")


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server at which the challenge is published."""
    with running_web_server(saying(SECRET)) as web:
        yield web


def reach_of(http: int = 0, https: int = 0, seconds: float = 5) -> Reach:
    """Return the reach of a developer's machine, with ports at which nobody listens in the place of 80 and 443."""
    return Reach((http or free_port(), https or free_port()), is_development=True, seconds=seconds)


def look(zone: Zone, reach: Reach, wanted: Check = WANTED) -> Finding:
    return check(wanted, NameServers([zone.server], 1), reach)


def test_record_proves_a_hostname(zone: Zone) -> None:
    """The value as a TXT record of its own name is enough, among others; no web server is asked."""
    zone.answers[record_name(NAME)] = ['TXT "v=spf1 -all"', f'TXT "{SECRET}"']
    assert look(zone, Reach()) == Finding(True, "dns")
    assert zone.asked == [("TXT", "_multihost-challenge.aurora.test")]


@pytest.mark.parametrize("text", [f'TXT "\\"{SECRET}\\""', f'TXT " {SECRET} "', f'TXT "{SECRET[:9]}" "{SECRET[9:]}"'])
def test_record_as_forms_of_providers_make_it_proves(zone: Zone, text: str) -> None:
    """Quotation marks and blanks around the value do not matter, nor that it is in two strings."""
    zone.answers[record_name(NAME)] = [text]
    assert look(zone, Reach()).proven


@pytest.mark.parametrize("text", [SECRET[:-1], f"{SECRET}x", SECRET.upper(), "", f"x {SECRET}"])
def test_another_record_proves_nothing(zone: Zone, text: str) -> None:
    """A value that only resembles the challenge's is another one."""
    zone.answers[record_name(NAME)] = [f'TXT "{text}"']
    found = look(zone, Reach())
    assert not found.proven
    assert "has another value (1 found)" in found.problem


def test_record_of_the_hostname_itself_proves_nothing(zone: Zone) -> None:
    """Some hosts let customers write records of their name; the challenge's own name is asked for alone."""
    zone.answers[NAME] = [f'TXT "{SECRET}"', "A 127.0.0.1"]
    assert not look(zone, reach_of()).proven


def test_file_proves_a_hostname(zone: Zone, web: WebServer) -> None:
    """The value as the whole body, at the challenge's path on the hostname, with the name as Host."""
    zone.answers[NAME] = ["A 127.0.0.1"]
    assert look(zone, reach_of(web.port)) == PROVEN_BY_FILE
    (request,) = web.requests
    assert request.startswith(f"GET {file_path(WANTED.id)} HTTP/1.1\r\nHost: {NAME}:{web.port}\r\n")


def test_file_with_a_line_end_proves(zone: Zone) -> None:
    """Editors put one behind a text."""
    zone.answers[NAME] = ["A 127.0.0.1"]
    with running_web_server(saying(f"{SECRET}\r\n")) as web:
        assert look(zone, reach_of(web.port)) == PROVEN_BY_FILE


def test_file_is_asked_for_by_https_where_http_redirects(zone: Zone, tmp_path: Path) -> None:
    """Most servers redirect: the courier does not follow, it asks its own URL with https, whoever signed it."""
    zone.answers[NAME] = ["A 127.0.0.1"]
    certificate = make(NAME, 1).write(tmp_path, "aurora")
    with (
        running_web_server(saying("", "301 Moved Permanently", "Location: http://127.0.0.2/secret")) as web,
        running_web_server(saying(SECRET), certificate=certificate) as safe,
    ):
        assert look(zone, reach_of(web.port, safe.port)) == PROVEN_BY_FILE
        assert safe.requests[0].startswith(f"GET {file_path(WANTED.id)} HTTP/1.1\r\nHost: {NAME}:{safe.port}\r\n")


def test_file_is_asked_for_by_https_where_nobody_listens_for_http(zone: Zone, tmp_path: Path) -> None:
    """A server without http is a server."""
    zone.answers[NAME] = ["A 127.0.0.1"]
    with running_web_server(saying(SECRET), certificate=make(NAME, 1).write(tmp_path, "aurora")) as safe:
        assert look(zone, reach_of(https=safe.port)) == PROVEN_BY_FILE


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("an inner page", "200 OK", "The answer is another text."),
        (SECRET, "404 Not Found", "The server answers with the status 404."),
        (SECRET, "206 Partial Content", "The server answers with the status 206."),
        (f"<p>{SECRET}</p>", "200 OK", "The answer is another text."),
        ("", "200 OK", "The answer is another text."),
        (f"{SECRET}{' ' * 1024}", "200 OK", "The answer is longer than 1024 bytes."),
    ],
)
def test_another_answer_proves_nothing_and_is_not_repeated(zone: Zone, body: str, status: str, said: str) -> None:
    """Only the value alone, with the status 200, proves; the sentence has the status and never a word of the answer."""
    zone.answers[NAME] = ["A 127.0.0.1"]
    with running_web_server(saying(body, status, "X-Inner: a-header")) as web:
        found = look(zone, reach_of(web.port))
    assert not found.proven
    assert said in found.problem
    assert not any(words in found.problem for words in ("an inner page", SECRET, "a-header"))


def test_page_that_repeats_its_address_proves_nothing(zone: Zone) -> None:
    """What is asked for does not have the value in it, so a server that echoes says nothing of its owner."""
    zone.answers[NAME] = ["A 127.0.0.1"]

    def echo(connection: socket.socket) -> None:
        saying(web.requests[-1])(connection)

    with running_web_server(echo) as web:
        assert not look(zone, reach_of(web.port)).proven
        assert SECRET not in web.requests[-1]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_redirect_is_not_followed(zone: Zone, status: str) -> None:
    """A redirect to a private server reaches nobody, and its address is not repeated."""
    zone.answers[NAME] = ["A 127.0.0.1"]
    with running_web_server(saying(SECRET), host="127.0.0.2") as inner:
        target = f"Location: http://127.0.0.2:{inner.port}/inner"
        with running_web_server(saying("", status, target)) as web:
            found = look(zone, reach_of(web.port))
        assert inner.connections == 0
    assert not found.proven
    assert f"a redirect ({status[:3]}), which is not followed" in found.problem
    assert "127.0.0.2" not in found.problem


PRIVATE = {
    "A": (
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
    ),
    "AAAA": ("::1", "::ffff:127.0.0.1", "fe80::1", "fd00:ec2::254", "2002:7f00:1::", "64:ff9b::7f00:1", "::"),
}


@pytest.mark.parametrize(("kind", "address"), [(kind, address) for kind, found in PRIVATE.items() for address in found])
def test_server_with_a_private_address_is_not_asked(
    zone: Zone, monkeypatch: pytest.MonkeyPatch, kind: str, address: str
) -> None:
    """No connection is tried: not to the private address, and not to a public one of the same name either."""
    tried: list[object] = []
    monkeypatch.setattr(client, "connect_tcp", lambda addresses, deadline: tried.append(addresses))
    zone.answers["aurora.example.org"] = ["A 1.1.1.1", "AAAA 2606:4700::1111", f"{kind} {address}"]
    found = look(zone, Reach(), WANTED._replace(name="aurora.example.org"))
    assert (found.proven, tried) == (False, [])
    assert "has an address that is not public" in found.problem
    assert address not in found.problem


@pytest.mark.parametrize("name", ["aurora.example.org", "localhost.example.org", "test.example.com"])
def test_development_reaches_no_private_server_by_a_name_that_can_be_owned(
    zone: Zone, web: WebServer, name: str
) -> None:
    """Whoever leaves the developer's option on opens nothing to a customer's name."""
    zone.answers[name] = ["A 127.0.0.1"]
    assert not look(zone, reach_of(web.port), WANTED._replace(name=name)).proven
    assert web.connections == 0


@pytest.mark.parametrize(("name", "answer"), [("a.test", True), ("a.localhost", True), ("a.example.org", False)])
def test_reserved_name_is_told_by_its_last_label(name: str, answer: bool) -> None:
    """Names that nobody can own are those of RFC 6761."""
    assert is_reserved(name) is answer


def test_own_network_is_not_asked(zone: Zone, web: WebServer) -> None:
    """What an operator refuses besides is refused, with the words of a private address."""
    zone.answers["aurora.example.org"] = ["A 1.1.1.1"]
    reach = Reach((web.port, web.port), (parse_network("1.1.1.0/24"),))
    assert "not public" in look(zone, reach, WANTED._replace(name="aurora.example.org")).problem


def test_address_is_looked_up_once(zone: Zone, web: WebServer) -> None:
    """A name that resolves to another address the second time is asked at the first one, which was judged."""
    addresses = iter(["127.0.0.1", "127.0.0.2", "127.0.0.2"])
    zone.answers[NAME] = lambda kind: [f"A {next(addresses)}"] if kind == "A" else []
    assert look(zone, reach_of(web.port)) == PROVEN_BY_FILE
    assert zone.asked.count(("A", NAME)) == 1


def test_system_knows_nothing_of_the_name_that_is_asked(zone: Zone, web: WebServer) -> None:
    """What was judged is connected to, and not what the system's own resolver says: it knows no such name."""
    name = "name-that-nobody-has.test"
    zone.answers[name] = ["A 127.0.0.1"]
    with pytest.raises(OSError):
        socket.getaddrinfo(name, 80)
    assert look(zone, reach_of(web.port), WANTED._replace(name=name)) == PROVEN_BY_FILE


def test_at_most_four_addresses_are_tried(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with hundreds of addresses is a few connections, and every one of them has been judged."""
    tried: list[list[client.Address]] = []

    def connect(addresses: list[client.Address], deadline: float) -> socket.socket:
        tried.append(addresses)
        raise ConnectionRefusedError

    monkeypatch.setattr(client, "connect_tcp", connect)
    zone.answers["aurora.example.org"] = [f"A 1.1.1.{number}" for number in range(1, 60)]
    assert not look(zone, Reach(), WANTED._replace(name="aurora.example.org")).proven
    assert [len(addresses) for addresses in tried] == [4, 4]
    assert all(ip_address(place[0]) in parse_network("1.1.1.0/24") for _, place in tried[0])


def test_no_proxy_of_the_environment_is_used(zone: Zone, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would look the name up again, and reach what the courier may not."""
    with running_web_server(saying("by the proxy")) as proxy:
        for variable in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        zone.answers[NAME] = ["A 127.0.0.1"]
        assert look(zone, reach_of(web.port)) == PROVEN_BY_FILE
        assert proxy.connections == 0


def endless_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"x" * 10_000 + b"\r\n")


def endless_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 10_000)


def endless_chunks(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\nx\r\n" * 1000)


def slow_drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.1)


def silence(connection: socket.socket) -> None:
    time.sleep(10)


@pytest.mark.parametrize("answer", [endless_head, endless_body, endless_chunks, slow_drip, silence])
def test_hostile_server_is_held_to_the_deadline(zone: Zone, answer: object) -> None:
    """Heads, bodies and chunks without an end, single bytes and silence all end within the deadline."""
    zone.answers[NAME] = ["A 127.0.0.1"]
    start = time.monotonic()
    with running_web_server(answer) as web:  # type: ignore[arg-type]
        assert not look(zone, reach_of(web.port, seconds=1)).proven
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "::1", "[::1]", "2130706433", "0x7f.1", "localhost", "A.test", "a b.test", ""]
)
def test_what_is_no_hostname_is_not_asked(zone: Zone, name: str) -> None:
    """Addresses in any spelling, and names that the registry would not have, reach neither DNS nor a server."""
    assert look(zone, reach_of(), WANTED._replace(name=name)) == Finding(False, problem="The name is not a hostname.")
    assert zone.asked == []


def test_challenge_without_a_value_proves_nothing(zone: Zone) -> None:
    """A blank record must not make somebody an owner."""
    zone.answers[record_name(NAME)] = ['TXT ""']
    assert not look(zone, reach_of(), WANTED._replace(secret="")).proven


def test_both_problems_are_said(zone: Zone) -> None:
    """Whoever published one of the two sees what is wrong with it."""
    problem = look(zone, reach_of()).problem
    assert problem == "DNS has no name _multihost-challenge.aurora.test. DNS has no name aurora.test."


def test_total_time_is_well_within_the_lease() -> None:
    """Three look-ups and the requests end long before another courier may take the check."""
    from wagtail_multihost.nodeapi.courier_v1 import LEASE_SECONDS

    assert 3 * NameServers([("127.0.0.1", 53)]).seconds + Reach().seconds < LEASE_SECONDS / 2
    assert proofs.MOST_BYTES == 1024

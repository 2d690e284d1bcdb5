"""What a front server may be made of, from what a database says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emitters.conftest import make_platform, make_site
from wagtail_multihost.node.front_specs import (
    address_problem,
    make_front_specs,
    missing_certificates,
    read_nodes,
    without_certificates,
)
from wagtail_multihost.node.reading import Known
from wagtail_multihost.nodeapi.node_states import ACTIVE, DRAINING
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.tls import TlsSpec

NODES = [
    {"id": "web1", "address": "10.0.0.1:8080", "state": ACTIVE, "holds_all": True},
    {"id": "web2", "address": "10.0.0.2:8080", "state": DRAINING, "holds_all": True},
    {"id": "web3", "address": "10.0.0.3:8080", "state": ACTIVE, "holds_all": False},
    {"id": "web4", "address": "10.0.0.4:8080", "state": DRAINING, "holds_all": False},
    {"id": "web5", "address": "web5.invalid:8080", "state": ACTIVE, "holds_all": True},
]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1:8000", "[::1]:8000", "169.254.169.254:80", "[fe80::1]:80", "0.0.0.0:80", "224.0.0.1:80"),
        *("[::ffff:7f00:1]:8000", "[::ffff:a9fe:a9fe]:80", "[:::1]:80"),
        *("[::7f00:1]:80", "[64:ff9b::a9fe:a9fe]:80", "[2002:7f00:1::]:80"),
        *("node.example.org:80", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1", "10.0.0.1:80;}", "unix:/run/x", ""),
    ],
)
def test_address_that_would_open_or_break_the_front_server_is_not_asked(address: str) -> None:
    """A node states its address itself: nginx neither fails over it, nor passes visitors on to its own machine."""
    assert address_problem(address, (), ())


def test_addresses_of_nodes_are_asked() -> None:
    for address in ("10.0.0.1:8080", "[2001:db8::1]:80", "203.0.113.9:65535"):
        assert not address_problem(address, (), ())
    assert not address_problem("127.0.0.1:8000", ("127.0.0.0/8",), ())
    assert address_problem("10.0.0.1:80", ("10.1.0.0/16",), ())
    assert address_problem("10.0.0.1:80", (), ("10.0.0.0/30",))


def test_address_of_ipv4_that_is_written_as_one_of_ipv6_is_judged_as_that_of_ipv4() -> None:
    """``::ffff:a00:1`` is 10.0.0.1, and that is looked for in the networks of nodes and of front servers."""
    assert not address_problem("[::ffff:a00:1]:8080", ("10.0.0.0/8",), ())
    assert address_problem("[::ffff:7f00:1]:8080", ("::/0",), ())
    assert address_problem("[::ffff:a00:3]:8080", (), ("10.0.0.3",))


def test_node_that_poses_as_a_front_server_is_left_out() -> None:
    """nginx of the front server would be refused as a whole in production, where nodes are told apart by addresses."""
    platform = make_platform(environment="production", nginx=NginxOptions(fronts=("10.0.0.3",)))
    nodes = read_nodes(NODES, platform, ())
    assert sorted(nodes.refused) == ["web3", "web5"]
    assert "web3" not in nodes.addresses


@pytest.mark.parametrize("name", ["$host", "web1+web2", "a\nb", "Web1", "w" * 41, ""])
def test_node_with_an_id_that_no_node_has_is_left_out(name: str) -> None:
    """The database states it, and nginx could be given none of its files for all others."""
    nodes = read_nodes([*NODES, {**NODES[0], "id": name}], make_platform(), ())
    assert name in nodes.refused
    assert "web1" in nodes.addresses


def test_nodes_that_drain_are_asked_for_what_no_other_has() -> None:
    nodes = read_nodes(NODES, make_platform(), ())
    assert nodes.serving([]) == ("web1",)
    assert nodes.serving(["web3", "web4"]) == ("web1", "web3")
    placed = nodes._replace(all=frozenset())
    assert placed.serving(["web3", "web4"]) == ("web3",)
    assert placed.serving(["web4"]) == ("web4",)
    assert placed.serving(["web5", "unknown"]) == ()


def test_hostname_without_its_files_is_on_http_alone(tmp_path: Path) -> None:
    tls = TlsSpec(certificate=f"{tmp_path}/{{hostname}}.pem", key=f"{tmp_path}/{{hostname}}.key")
    site = make_site("aurora", hostnames=("a.example.org", "b.example.org", "c.example.org"), tls=tls)
    for name in ("a.example.org.pem", "a.example.org.key", "b.example.org.pem", "c.example.org.pem"):
        (tmp_path / name).write_text("a file")
    (tmp_path / "c.example.org.key").touch()  # a copy that is not whole yet
    missing = missing_certificates([site])
    assert missing == {"aurora": ("b.example.org", "c.example.org")}
    shown = without_certificates(site, missing["aurora"])
    assert [host for host in shown.hosts if shown.has_tls(host)] == ["a.example.org"]


def known_of(**records: dict[str, object]) -> Known:
    platform = {"name": "aviary", "nginx": {"fronts": ["10.0.0.9"]}}
    sites = {site: {"uid": "", "record": record, "nodes": []} for site, record in records.items()}
    return Known("one", 1, 0, {"id": "front1"}, platform, sites)


def test_records_of_front_servers_are_read_site_by_site() -> None:
    """One that cannot be read keeps what it had within what it says now, and hurts no other."""
    node = NodeFile(Path("/etc/multihost/node.toml"), {"data": "/srv"}, {})
    tls = {"pending": ["a.example.org"]}
    good = known_of(aurora={"hostnames": ["a.example.org"], "tls": tls}, borealis={"hostnames": ["b.example.org"]})
    before = make_front_specs(good, None, None, node, {})
    assert not before.refused
    assert before.sites["aurora"].tls is None  # this machine has no certificates
    bad = known_of(aurora={"hostnames": ["a.example.org"]}, borealis={"hostnames": ["b.example.org"], "wrong": 1})
    after = make_front_specs(bad, ["borealis"], before, node, {})
    assert list(after.refused) == ["borealis"]
    assert after.sites == before.sites


def test_hostname_that_moves_while_its_site_is_held_takes_neither_off_the_front_server() -> None:
    """The held site keeps it, whether the front server runs or starts; the other one stays as it was."""
    node = NodeFile(Path("/etc/multihost/node.toml"), {"data": "/srv"}, {})
    held = {"hostnames": ["a.example.org", "moved.example.org"]}
    before = make_front_specs(known_of(aurora=held, borealis={"hostnames": ["b.example.org"]}), None, None, node, {})
    moved = known_of(aurora=held, borealis={"hostnames": ["b.example.org", "moved.example.org"]})
    running = make_front_specs(moved, ["borealis"], before, node, {})
    assert running.sites == before.sites
    assert list(running.refused) == ["borealis"]
    started = make_front_specs(moved, None, None, node, {}, {"aurora"})
    assert started.sites == {"aurora": before.sites["aurora"]}
    # Which of them had it first is not known: nobody is given the other one's visitors.
    for settled in ((), ("aurora", "borealis")):
        assert make_front_specs(moved, None, None, node, {}, settled).sites == {}

"""
Nodes that come and go behind a front server, and sites that move between them, while visitors ask: real agents, nginx
and uWSGI, and a small application for each site.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import connection, transaction

from tests.accounts import passable_folder
from tests.control.fleet import OPERATOR, Fleet
from tests.control.front_fleet import EMPEROR, FrontMachine, Machine, Prober
from tests.control.node_roles import node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from tests.servers.processes import accepts, children, free_port, wait_for
from wagtail_multihost.control.changes import EditPlatform, EditSite, RetireSite
from wagtail_multihost.control.edits import merge_patch, set_value
from wagtail_multihost.control.holds import hold, release_hold
from wagtail_multihost.control.models import ManagedSite, Node, Placement, Report
from wagtail_multihost.control.nodes import displace_sites, place_sites, record_event, save_group, save_node
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.node.former_workers import find_workers
from wagtail_multihost.node.integrity import HEALED
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    ALL,
    AWAY,
    CERTIFICATE_MISSING,
    DRIFT,
    FALSE,
    FRONT,
    JOINING,
    NODE_REFUSED,
    PLACED,
    STARTING,
    TRUE,
)

pytestmark = pytest.mark.servers

SITES = ("aurora", "borealis", "corona")
HOSTS = {f"{site}.example.com": site for site in SITES}


class Rig:
    """A front server, and the nodes that a test lets join."""

    def __init__(self, fleet: Fleet, postgres: Postgres, folder: Path, stack: ExitStack) -> None:
        self.fleet, self.postgres, self.folder, self.stack = fleet, postgres, folder, stack
        save_node(OPERATOR, "front1", "fronts")
        self.front = FrontMachine(folder / "front1", stack.enter_context(node_login(postgres, "front1")), poll=1)
        stack.callback(self.front.close)

    def node(self, name: str, group: str = "every", servers: str = EMPEROR) -> Machine:
        """Let a node join, and start its agent."""
        port = free_port()
        save_node(OPERATOR, name, group, address=f"127.0.0.1:{port}")
        login = self.stack.enter_context(node_login(self.postgres, name))
        machine = Machine(self.folder / name, login, port, ("nginx", "uwsgi"), servers, drains=True, drain_seconds=20)
        self.stack.callback(machine.close)
        machine.give_key(*SITES)
        machine.start()
        return machine


@pytest.fixture(name="rig")
def _rig(live_fleet: Fleet, postgres: Postgres) -> Iterator[Rig]:
    Roles(postgres).make()
    live_fleet.apply(
        EditPlatform(
            merge_patch({"origin": "http://{hostname}", "nginx": {"fronts": ["127.0.0.1"]}, "uwsgi": {"processes": 1}})
        )
    )
    for group, holds in (("fronts", FRONT), ("every", ALL), ("few", PLACED)):
        save_group(OPERATOR, group, holds)
    with passable_folder() as folder, ExitStack() as stack:
        yield Rig(live_fleet, postgres, folder, stack)


def test_nodes_come_and_go_without_a_failed_request(rig: Rig) -> None:
    """
    Two nodes, five, two: no request fails while nodes join, one of them dies and others leave. A node is asked once its
    sites' processes listen, and goes once the front server asks it no more.
    """
    fleet, front = rig.fleet, rig.front
    for site in SITES:
        fleet.add(site)
    first = [rig.node("web1"), rig.node("web2")]
    for node in first:
        node.wait_until_active()
    front.start()
    for host, site in HOSTS.items():
        wait_for(lambda: front.serves(host, site), f"{host}\n{front.log}")  # noqa: B023
    prober = Prober(front, HOSTS)
    with prober.running():
        more = [rig.node(name) for name in ("web3", "web4", "web5")]
        for node in more:
            node.wait_until_active()
            wait_for(lambda: prober.asked(node.login.node), f"a request to {node.login.node}")  # noqa: B023
        fleet.apply(EditSite(fleet.site("aurora").uid, set_value(("aliases",), ["new.example.com"])))
        wait_for(lambda: front.serves("new.example.com", "aurora"), "the new hostname")
        more.pop().kill()
        # A request that changes something is not sent twice, and none has to be while nodes leave.
        prober.method = lambda number: "POST" if number % 5 == 0 else "GET"
        for node in more:
            node.leave()
            left = Node.objects.get(pk=node.login.node)
            assert left.state == AWAY
            assert "may still ask" not in node.log
            before = prober.answers.copy()
            wait_for(lambda: prober.answers.total() > before.total() + 20, "further requests")  # noqa: B023
            assert prober.answers[node.login.node] == before[node.login.node]
    assert prober.failures == []
    assert {node for node, count in prober.answers.items() if count} == {"web1", "web2", "web3", "web4", "web5"}


def test_node_is_asked_once_its_sites_listen(rig: Rig) -> None:
    """Until then its nginx would have nobody to ask, and say so to visitors."""
    rig.fleet.add("aurora")
    node = rig.node("web1", servers="")
    wait_for(lambda: node.condition(STARTING).get("status") == TRUE, "the condition")
    assert "aurora" in node.condition(STARTING)["message"]
    assert node.state == JOINING
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{node.folder}/run/aurora.sock")
        listener.listen()
        node.wait_until_active()


def test_placed_site_is_asked_for_once_its_process_listens(rig: Rig) -> None:
    """The node has applied it before, and says so; its nginx would have nobody to ask."""
    aurora, borealis = rig.fleet.add("aurora"), rig.fleet.add("borealis")
    node = rig.node("web1", "few", servers="")
    node.wait_until_active()
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        one.bind(f"{node.folder}/run/aurora.sock")
        other.bind(f"{node.folder}/run/borealis.sock")
        one.listen()
        place_sites(OPERATOR, "web1", [aurora, borealis])
        node.wait_until_applied(rig.fleet.revision)
        wait_for(lambda: serving("web1") == {"aurora"}, "the site that listens")
        wait_for(lambda: node.condition(STARTING).get("message") == "borealis", "the condition")
        other.listen()
        wait_for(lambda: serving("web1") == {"aurora", "borealis"}, "the other site")
        wait_for(lambda: node.condition(STARTING).get("status") == FALSE, "the condition")


def serving(node: str) -> set[str]:
    return set(Placement.objects.filter(node=node, is_serving=True).values_list("site__identifier", flat=True))


def test_site_moves_without_a_failed_request(rig: Rig) -> None:
    """The new node has it and is asked for it, before the old one is asked no more, and removes it."""
    fleet, front = rig.fleet, rig.front
    aurora, borealis = fleet.add("aurora"), fleet.add("borealis")
    nodes = [rig.node("web1", "few"), rig.node("web2", "few")]
    for site in (aurora, borealis):
        place_sites(OPERATOR, "web1", [site])
        let_serve("web1", site)
    front.start()
    for node in nodes:
        node.wait_until_active()
    for site in (aurora, borealis):
        wait_for(lambda: front.serves(f"{site.identifier}.example.com", site.identifier, "web1"), "the first node")  # noqa: B023
    prober = Prober(front, {host: site for host, site in HOSTS.items() if site != "corona"})
    with prober.running():
        place_sites(OPERATOR, "web2", [aurora])
        nodes[1].wait_until_applied(fleet.revision)
        wait_for(lambda: accepts(nodes[1].folder / "run/aurora.sock"), "the site's process on the new node")
        assert not prober.asked("web2")
        let_serve("web2", aurora)
        wait_for(lambda: prober.asked("web2"), "a request to the new node")
        let_serve("web1", aurora, serves=False)
        wait_for(lambda: fronts_passed(fleet.revision), "the front server")
        displace_sites(OPERATOR, "web1", [aurora])
        nodes[0].wait_until_applied(fleet.revision)
        assert nodes[0].vassals == ["borealis"]
        assert nodes[1].vassals == ["aurora"]
        seen = prober.count
        wait_for(lambda: prober.count > seen + 25, "further requests")
    assert prober.failures == []
    assert front.serves("borealis.example.com", "borealis", "web1")
    assert not Report.objects.get(pk="front1").sites


def test_change_is_passed_once_former_workers_of_nginx_leave(rig: Rig) -> None:
    """Until they were told to, they take connections beside those that have the change."""
    fleet, front = rig.fleet, rig.front
    site = fleet.add("aurora")
    save_node(OPERATOR, "web1", "few", address="127.0.0.1:8001", state=ACTIVE)
    place_sites(OPERATOR, "web1", [site])
    let_serve("web1", site)
    front.start()
    front.wait_until_active()
    master = front.pid_of("nginx")
    assert master
    former = find_workers(front.folder / "nginx.pid")
    assert former and former <= set(children(master))
    for worker in former:
        os.kill(worker, signal.SIGSTOP)
    try:
        fleet.apply(RetireSite(site.uid))
        wait_for(lambda: "aurora" not in configuration(front), "the new files")
        wait_for(lambda: find_workers(front.folder / "nginx.pid") - former, "new workers")
        time.sleep(2)
        assert not fronts_passed(fleet.revision)
    finally:
        for worker in former:
            os.kill(worker, signal.SIGCONT)
    wait_for(lambda: fronts_passed(fleet.revision), "the front server")
    assert "Former workers" not in front.log


def let_serve(node: str, site: ManagedSite, *, serves: bool = True) -> None:
    """Say that a node serves a site, or that it is asked for it no more, as the steps of a plan do."""
    with transaction.atomic():
        lock_head()
        revision = record_event(OPERATOR, "placement.changed", {"node": node}, site.identifier, site.uid)
        Placement.objects.filter(node_id=node, site=site).update(is_serving=serves, front_revision=revision)


def fronts_passed(revision: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT control_fronts_passed(%s)", [revision])
        return bool(cursor.fetchone()[0])


def test_front_server_goes_on_with_what_it_can_use(rig: Rig) -> None:
    """A node with a useless address, a site without a node and a hostname without a certificate hurt nobody else."""
    fleet, front = rig.fleet, rig.front
    fleet.add("aurora", "aurora.example.com", "www.aurora.example.com")
    borealis = fleet.add("borealis")
    front.certificates = True
    front.write()
    save_node(OPERATOR, "web1", "few", address="127.0.0.1:8001", state=ACTIVE)
    save_node(OPERATOR, "bad1", "few", address="no-such-host.invalid:80", state=ACTIVE)
    save_node(OPERATOR, "bad2", "few", address="169.254.169.254:80", state=ACTIVE)
    save_node(OPERATOR, "bad3", "few", address="[:::1]:8001", state=ACTIVE)
    place_sites(OPERATOR, "web1", [fleet.site("aurora")])
    let_serve("web1", fleet.site("aurora"))
    for name, end in (("aurora.example.com", "pem"), ("aurora.example.com", "key"), ("www.aurora.example.com", "pem")):
        (front.folder / "tls").mkdir(exist_ok=True)
        (front.folder / f"tls/{name}.{end}").write_text("a file")
    done = front.once()
    assert done.returncode == 0, done.stderr
    upstreams = (front.output / "nginx/upstreams.conf").read_text()
    assert "127.0.0.1:8001" in upstreams
    assert not [word for word in ("invalid", "169.254", ":::1") if word in upstreams]
    refused = front.condition(NODE_REFUSED)["message"]
    assert all(name in refused for name in ("bad1", "bad2", "bad3")) and "web1" not in refused
    assert "www.aurora.example.com, borealis.example.com" in front.condition(CERTIFICATE_MISSING)["message"]
    names = (front.output / "nginx/https-names.conf").read_text()
    assert "server_name" in names and "www.aurora" not in names and "borealis" not in names
    assert front.report is not None
    assert list(front.report.sites) == [borealis.identifier]
    assert front.ask("borealis.example.com").status == 503
    assert front.ask("unknown.example.com").status == 0


def test_held_site_stays_as_it_was_and_its_nodes_are_followed(rig: Rig) -> None:
    """Also by a front server that is started meanwhile: its nodes still serve a site that is disabled or retired."""
    fleet, front = rig.fleet, rig.front
    sites = {name: fleet.add(name) for name in ("aurora", "borealis", "corona")}
    for name, port in (("web1", 8001), ("web2", 8002)):
        save_node(OPERATOR, name, "few", address=f"127.0.0.1:{port}", state=ACTIVE)
    for site in sites.values():
        place_sites(OPERATOR, "web1", [site])
        let_serve("web1", site)
    done = front.once()
    assert done.returncode == 0, done.stderr + (front.folder / "nginx.log").read_text()
    holds = [hold(OPERATOR, sites[name], seconds=600, reason="restore") for name in ("aurora", "corona")]
    assert front.once().returncode == 0
    for name in ("aurora", "borealis"):
        fleet.apply(EditSite(sites[name].uid, set_value(("enabled",), False)))
    fleet.apply(RetireSite(sites["corona"].uid))
    place_sites(OPERATOR, "web2", [sites["aurora"]])
    let_serve("web2", sites["aurora"])
    assert front.once().returncode == 0
    text = configuration(front)
    assert {name for name in sites if f"{name}.example.com" in text} == {"aurora", "corona"}
    assert "127.0.0.1:8002" in text
    for one in holds:
        release_hold(OPERATOR, one.pk)
    assert front.once().returncode == 0
    assert "example.com" not in configuration(front)


def configuration(front: Machine) -> str:
    return "".join(path.read_text() for path in sorted((front.output / "nginx").rglob("*")) if path.is_file())


def test_front_server_is_compared_with_what_it_applied(rig: Rig) -> None:
    """What was edited by hand is said with both digests, put right, and in the way of no change."""
    fleet, front = rig.fleet, rig.front
    aurora = fleet.add("aurora")
    save_node(OPERATOR, "web1", "few", address="127.0.0.1:8001", state=ACTIVE)
    place_sites(OPERATOR, "web1", [aurora])
    let_serve("web1", aurora)
    assert front.once().returncode == 0
    assert front.once("--check").returncode == 0, "it differs although nobody changed anything"
    upstreams = front.output / "nginx/upstreams.conf"
    before = upstreams.read_text()
    after = before.replace("127.0.0.1:8001", "127.0.0.1:9999")
    assert after != before
    upstreams.write_text(after)
    checked = front.once("--check")
    assert checked.returncode == 1
    assert f"edited {upstreams}" in checked.stdout
    assert upstreams.read_text() == after
    front.agent["integrity"] = 1
    front.write()
    front.start()
    wait_for(lambda: upstreams.read_text() == before, "the file")
    wait_for(lambda: "edited" in front.condition(DRIFT).get("message", ""), "the condition")
    assert front.condition(DRIFT)["reason"] == HEALED
    upstreams.write_text(after)
    fleet.add("borealis")
    front.wait_until_applied(fleet.revision)
    wait_for(lambda: "127.0.0.1:9999" not in upstreams.read_text(), "the file")


def test_certificate_that_comes_later_is_used(rig: Rig) -> None:
    """Whoever brings the files tells nobody: the agent looks for them."""
    fleet, front = rig.fleet, rig.front
    fleet.add("aurora")
    front.certificates = True
    front.write()
    save_node(OPERATOR, "web1", "every", address="127.0.0.1:8001", state=ACTIVE)
    names = front.output / "nginx/https-names.conf"
    front.start()
    front.wait_until_active()
    assert "aurora" not in names.read_text()
    (front.folder / "tls").mkdir()
    for end in ("pem", "key"):
        (front.folder / f"tls/aurora.example.com.{end}").write_text("a file")
    wait_for(lambda: "aurora" in names.read_text(), "the hostname's certificate")
    wait_for(lambda: front.condition(CERTIFICATE_MISSING)["status"] == "False", "the condition")

"""
A fleet whose sites are placed on nodes: on some of the nodes each site has processes of its own under uWSGI, most of
them a small application and some a real Wagtail; on the others one small uWSGI answers for all. In front of them is a
front server, and beside them a control site with its API.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.control.clients import token_of
from tests.control.fleet import OPERATOR, prepare_fleet
from tests.control.front_fleet import EMPEROR, SHARED, FrontMachine, Machine
from tests.control.live import Server, running_control
from tests.control.node_roles import NodeLogin, node_login
from tests.control.roles import Roles
from tests.servers.accounts import ROOT
from tests.servers.postgres import Postgres
from tests.servers.processes import children, free_port, wait_for
from tests.servers.workshop import Workshop, opened_workshop
from wagtail_multihost.control.changes import CreateSite
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.nodeapi.node_states import FRONT, PLACED
from wagtail_multihost.spec.codebase import Codebase

#: Says which site it is, and on which node; a Wagtail's own view does.
WHO = "/who/"
VIEW = """
import os

from django.http import HttpResponse


def say_who(request):
    from site_of import NODE

    return HttpResponse(os.environ["MULTIHOST_SITE"] + " on " + NODE)


urlpatterns.insert(0, path("who/", say_who))
"""
WAGTAIL = """
import os
import sys

NODE = "{node}"

if os.environ.get("MULTIHOST_SITE", "").startswith("wagtail"):
    sys.path.insert(0, "{project}")
    from example.wsgi import application
"""
REPLICAS = 2
LONGEST = 1800


class Size(NamedTuple):
    """How many ``nodes`` and small ``sites`` there are, on how many nodes they are ``served``, with which Wagtails."""

    nodes: int
    sites: int
    served: int
    wagtails: int


class SitesMachine(Machine):
    """A node of the fleet; the project of its Wagtails is in the ``workshop``."""

    def __init__(
        self, folder: Path, login: NodeLogin, port: int, workshop: Workshop, sites: Sequence[str], *, is_served: bool
    ) -> None:
        self.workshop = workshop
        # Where one process listens for all, the sites' own sockets are links, which nobody listens at by that name.
        waits = {"verify_timeout": 120, "reload_timeout": 120, "start_seconds": 600 if is_served else 0.1}
        super().__init__(folder, login, port, ("nginx", "uwsgi"), EMPEROR if is_served else SHARED, **waits)
        for site in () if is_served else sites:
            (self.folder / f"run/{site}.sock").symlink_to(self.folder / "run/shared.sock")
        self.give_key(*sites)
        code = self.folder / "code/site_of.py"
        code.write_text(code.read_text() + WAGTAIL.format(node=login.node, project=workshop.project))

    def own_codebase(self) -> Codebase:
        return replace(super().own_codebase(), settings_module="example.settings")

    def moments(self) -> dict[str, list[tuple[int, str]]]:
        """Return the processes of each site, by their numbers and the moments that they were started at."""
        found: dict[str, list[tuple[int, str]]] = {}
        emperor = self.pid_of("uwsgi")
        assert emperor is not None
        for pid in children(emperor):
            with suppress(OSError):  # it has just ended
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
                for path in map(Path, words):
                    if path.parent == self.output / "uwsgi":
                        found.setdefault(path.stem, []).append((pid, started))
        return {site: sorted(processes) for site, processes in found.items()}


class SitesFleet:
    """The fleet; ``placed`` has the ids of the sites of each node, and ``wagtails`` those of real Wagtails."""

    def __init__(self, folder: Path, server: Postgres, stack: ExitStack, size: Size) -> None:
        self.folder, self.server, self.stack, self.size = folder, server, stack, size
        self.workshop = stack.enter_context(opened_workshop())
        with open(self.workshop.project / "example/urls.py", "a") as urls:
            urls.write(VIEW)
        platform = {"name": "aviary", "origin": "http://{hostname}", "nginx": {"fronts": ["127.0.0.1"]}}
        self.fleet = prepare_fleet(platform)
        Roles(server).make()
        save_group(OPERATOR, "fronts", FRONT)
        save_group(OPERATOR, "nodes", PLACED)
        names = [f"web{number}" for number in range(size.nodes)]
        stubs = [f"site{number}" for number in range(size.sites)]
        self.placed = {
            name: [site for index, site in enumerate(stubs) if (number - index) % size.nodes < REPLICAS]
            for number, name in enumerate(names)
        }
        self.wagtails = {
            name: [f"wagtail{number}-{index}" for index in range(size.wagtails)]
            for number, name in enumerate(names[: size.served])
        }
        wagtails = [site for sites in self.wagtails.values() for site in sites]
        self.add_sites(*stubs, *wagtails)
        self.nodes = {name: self.add_node(name) for name in names}
        self.hosts = {host_of(site): site for site in (*stubs, *wagtails)}
        save_node(OPERATOR, "front1", "fronts")
        self.front = FrontMachine(folder / "front1", stack.enter_context(node_login(server, "front1")), poll=30)
        stack.callback(self.front.close)

    def add_sites(self, *sites: str) -> None:
        """Register the sites before there are nodes, so that they are placed where they are placed here."""
        own = {"uwsgi": {"processes": 1}}
        self.fleet.apply(*(CreateSite(site, {"hostnames": [host_of(site)], **own}) for site in sites))

    def add_node(self, name: str) -> SitesMachine:
        """Register a node with its sites, and write what its root writes; nothing runs yet."""
        port = free_port()
        sites = [*self.placed[name], *self.wagtails.get(name, ())]
        save_node(OPERATOR, name, "nodes", address=f"127.0.0.1:{port}")
        place_sites(OPERATOR, name, ManagedSite.objects.filter(identifier__in=sites))
        login = self.stack.enter_context(node_login(self.server, name))
        machine = SitesMachine(self.folder / name, login, port, self.workshop, sites, is_served=name in self.wagtails)
        self.stack.callback(machine.close)
        return machine

    @property
    def served(self) -> dict[str, SitesMachine]:
        """The nodes on which each site has processes of its own."""
        return {name: self.nodes[name] for name in self.wagtails}

    def start(self, at_once: int = 4) -> None:
        """Start all, so many nodes at a time, and wait until each site answers through the front server."""
        machines = list(self.nodes.values())
        for begin in range(0, len(machines), at_once):
            for machine in machines[begin : begin + at_once]:
                machine.start()
            for machine in machines[begin : begin + at_once]:
                wait_for(lambda: machine.state == "active" or machine.has_ended, "a node", LONGEST)  # noqa: B023
                assert not machine.has_ended, machine.log[-4000:]
        self.make_databases()
        self.front.start()
        for host, site in self.hosts.items():
            wait_for(partial(self.front.serves, host, site, path=WHO), f"{host}\n{self.front.log[-2000:]}", LONGEST)

    def make_databases(self) -> None:
        """Make the database of the first Wagtail; those of the others are copies, which each of them takes over."""
        first: Path | None = None
        for name, sites in self.wagtails.items():
            machine = self.nodes[name]
            for site in sites:
                database = machine.data / "sites" / site / "db.sqlite3"
                manage = partial(
                    self.workshop.manage, environ=self.workshop.environ(machine.snapshots, site), account=ROOT
                )
                if first is None:
                    manage("migrate", "--noinput", "-v0")
                    first = database
                else:
                    shutil.copyfile(first, database)
                    manage("multihost_adopt", site, "--noinput")

    @contextmanager
    def control(self) -> Iterator[tuple[Server, str]]:
        """Serve the control site; yield it, and the token of an operator."""
        token = token_of(self.fleet.user("olga", operator=True))
        with running_control(self.folder) as server:
            yield server, token

    def moments(self) -> dict[tuple[str, str], list[tuple[int, str]]]:
        """Return the processes of the sites, by the node and the site."""
        return {
            (name, site): processes
            for name, machine in self.served.items()
            for site, processes in machine.moments().items()
        }


def host_of(site: str) -> str:
    return f"{site}.example.com"


def add_hostname(control: Server, token: str, site: str, host: str) -> None:
    """Add a hostname to a site by the API."""
    reply = control.ask("PUT", f"/sites/{site}/hostnames/{host}", token, {"role": "alias"})
    assert reply.status in (200, 201), reply


def disable(control: Server, token: str, site: str) -> None:
    reply = control.ask("PATCH", f"/sites/{site}", token, {"record": {"enabled": False}}, If_Match="*")
    assert reply.status == 200, reply

"""A fleet that changes, breaks and is mended at random, and what it must be in the end."""

from __future__ import annotations

import re
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection

from tests.control.fleet import OPERATOR, Fleet, prepare_fleet
from tests.control.lines import line_to
from tests.control.node_roles import node_login
from tests.control.random_nodes import RandomNode
from tests.control.restarts import Restarts
from tests.control.roles import PASSWORD, Roles
from tests.servers.processes import free_port, wait_for
from wagtail_multihost.control.changes import CreateSite, EditPlatform, EditSite, RetireSite, WaveRunsError
from wagtail_multihost.control.edits import merge_patch
from wagtail_multihost.control.holds import current_holds, release_hold
from wagtail_multihost.control.models import ManagedSite, Node, Placement, Platform, Wave
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.control.roles import OPERATOR as OPERATOR_ROLE
from wagtail_multihost.control.waves import resume_wave
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, APPLIED, DONE, PLACED, TRUE

#: Two nodes have all sites, and one has those that are placed there.
GROUPS = {"web1": "every", "web2": "every", "web3": "few"}
SITES = ("s0", "s1", "s2", "s3", "s4")
#: Made in the end, so that there is a revision that all have to reach.
LAST = "last"
#: Seconds within which all is as it should be again, on a machine that does other things too.
LONGEST = 120


class RandomFleet:
    """``names`` are the hostnames and aliases of each site that there is, and ``closed`` those that are disabled."""

    def __init__(self, restarts: Restarts, folder: Path, *, is_served: bool) -> None:
        self.server, self.stack, self.fleet = restarts.server, ExitStack(), Fleet()
        self.names: dict[str, list[str]] = {}
        self.closed: set[str] = set()
        self.nodes: dict[str, RandomNode] = {}
        #: Each change has another number.
        self.value = 1
        try:
            self.begin(folder, is_served=is_served)
        except BaseException:
            self.close()
            raise

    def begin(self, folder: Path, *, is_served: bool) -> None:
        call_command("flush", interactive=False, verbosity=0)
        platform = {
            "origin": "http://{hostname}",
            "nginx": {"fronts": ["127.0.0.1"]},
            "uwsgi": {"processes": 1, "max_requests": 1000},
        }
        prepare_fleet({"name": "aviary", **platform})
        Roles(self.server).make()
        save_group(OPERATOR, "every", ALL)
        save_group(OPERATOR, "few", PLACED)
        for name, group in GROUPS.items():
            port = free_port()
            save_node(OPERATOR, name, group, address=f"127.0.0.1:{port}")
            login = self.stack.enter_context(node_login(self.server, name))
            line = self.stack.enter_context(line_to(self.server.port))
            node = self.nodes[name] = RandomNode(folder / name, login, port, line, is_served=is_served)
            self.stack.callback(node.close)
            node.give_key(*SITES, LAST)
            node.start()
        for site in SITES[:3]:
            self.add(site)

    def close(self) -> None:
        self.stack.close()

    # Changes

    def row(self, site: str) -> ManagedSite:
        return self.fleet.site(site)

    def next_value(self) -> int:
        self.value += 1
        return self.value

    def add(self, site: str) -> None:
        self.names[site] = [f"{site}.example.com"]
        self.fleet.apply(CreateSite(site, {"hostnames": self.names[site]}))

    def retire(self, site: str) -> None:
        self.fleet.apply(RetireSite(self.row(site).uid), confirmed=1)
        del self.names[site]
        self.closed.discard(site)

    def name(self, site: str, *, more: bool) -> None:
        """Give a site one more alias, or take its last one."""
        names = self.names[site]
        names = [*names, f"v{self.next_value()}.{site}.example.com"] if more else names[: max(1, len(names) - 1)]
        self.edit(site, {"aliases": names[1:]})
        self.names[site] = names

    def switch(self, site: str) -> None:
        """Disable a site, or enable it again."""
        self.closed ^= {site}
        self.edit(site, {"enabled": site not in self.closed})

    def edit(self, site: str, patch: dict[str, Any]) -> None:
        self.fleet.apply(EditSite(self.row(site).uid, merge_patch(patch)))

    def set_processes(self, *sites: str) -> None:
        """Change a setting of some sites in one transaction: of many of them, that is a wave."""
        patch = merge_patch({"uwsgi": {"processes": 1 + self.next_value() % 3, "harakiri": 30 + self.value}})
        with suppress(WaveRunsError):
            self.fleet.apply(*(EditSite(self.row(site).uid, patch) for site in sites))

    def change_platform(self) -> None:
        with suppress(WaveRunsError):
            self.fleet.apply(EditPlatform(merge_patch({"uwsgi": {"max_requests": 1000 + self.next_value()}})))

    def tick(self) -> None:
        """Let the operator process take the next step of a wave."""
        name = str(connection.settings_dict["NAME"])
        with self.server.connect(name, OPERATOR_ROLE, PASSWORD) as opened:
            opened.execute("SELECT operator_v1.advance_waves()")

    # The end

    def end(self) -> None:
        """Take everything back that keeps the fleet from being as it should, wait until it is, and compare."""
        for one in current_holds():
            release_hold(OPERATOR, one.pk)
        for node in self.nodes.values():
            node.mend()
        wait_for(self.is_wave_done, "the end of the wave", LONGEST)
        self.add(LAST)
        if not self.placed(LAST):
            place_sites(OPERATOR, "web3", [self.row(LAST)])
        for name, node in self.nodes.items():
            self.wait_until_settled(name)
            self.compare(name, node)
        for name, node in self.nodes.items():
            assert node.stop() == 0, (name, node.log)
            assert node.left_over == [], (name, node.left_over)
            before, anew = node.contents(), node.contents_anew()
            assert before == anew, (
                name,
                [
                    (key, before.get(key), anew.get(key))
                    for key in before.keys() | anew
                    if before.get(key) != anew.get(key)
                ],
            )

    def is_wave_done(self) -> bool:
        with suppress(ConfigurationError):
            resume_wave(OPERATOR)
        self.tick()
        return not Wave.objects.exclude(state=DONE).exists()

    def placed(self, site: str) -> bool:
        """Return whether a site is on the node that has placed ones."""
        return Placement.objects.filter(site=self.row(site), node="web3", is_gone=False).exists()

    def wanted(self, name: str) -> set[str]:
        """Return the sites that a node has to serve."""
        return {site for site in self.names.keys() - self.closed if GROUPS[name] == "every" or self.placed(site)}

    def wait_until_settled(self, name: str) -> None:
        try:
            wait_for(partial(self.is_settled, name), "it", LONGEST)
        except AssertionError as error:
            raise AssertionError(f"{error} {self.describe(name)}") from None

    def is_settled(self, name: str) -> bool:
        """Return whether a node says that all is well and that it has the newest revision, and is as it says."""
        node = self.nodes[name]
        report = node.report
        if report is None or report.applied != self.fleet.revision or report.sites:
            return False
        said = {row["type"] for row in report.conditions if row["status"] == TRUE}
        is_well = said == {APPLIED} and Node.objects.get(pk=name).state == ACTIVE and node.is_told()
        return is_well and node.call_here("--check").returncode == 0

    def describe(self, name: str) -> str:
        node = self.nodes[name]
        report = node.report
        rows = [row for row in report.conditions if row["status"] == TRUE] if report else []
        said = f"{report.applied if report else None} of {self.fleet.revision}: {rows}"
        return f"The node {name} says {said}\n{node.call_here('--check').stdout}\n{node.log[-4000:]}"

    def compare(self, name: str, node: RandomNode) -> None:
        """Compare a node with what was changed: its snapshots, its servers' files, and what serves."""
        wanted, documents = self.wanted(name), node.documents
        assert documents.keys() == set(node.vassals) == wanted, name
        platform = Platform.objects.get(pk=1).record
        for site in wanted:
            row, document = self.row(site), documents[site]["site"]
            assert document["uid"] == str(row.uid), (name, site)
            assert [*document["hostnames"], *document.get("aliases", [])] == self.names[site], (name, site)
            text = (node.output / f"uwsgi/{site}.ini").read_text()
            processes = row.record.get("uwsgi", {}).get("processes", platform["uwsgi"]["processes"])
            assert value_of("processes", text) == processes, (name, site)
            assert value_of("max-requests", text) == platform["uwsgi"]["max_requests"], (name, site)
        if node.is_served:
            wait_for(node.serves, f"the newest processes on {name}", LONGEST)
        names = "".join(path.read_text() for path in (node.output / "nginx").rglob("*") if path.is_file())
        found = set(re.findall(r"[\w.-]+\.example\.com", names))
        assert found == {host for site in wanted for host in self.names[site]}, name


def value_of(key: str, text: str) -> int | None:
    """Return the number that a file of uWSGI's has for a key."""
    found = re.search(rf"^{key}\s*=\s*(\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None

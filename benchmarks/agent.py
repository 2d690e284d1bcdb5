"""
What ``multihost-agent`` costs, with a PostgreSQL server of its own and real files, but no servers to reload: how long
events take to specs and to files, how many reloads many changes need, how long an empty node takes, and what an agent
costs that has nothing to do. Compared with agents that read and write all of their sites at each bell.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from benchmarks.agent_nodes import APPLIED, REREADING, SPECS, TOUCHED, Moment, Node, Process
from benchmarks.control import percentile, start_django
from benchmarks.fuse import server
from benchmarks.measuring import print_machine, print_target

NODES, SITES, REPLICAS, RATE = 20, 100, 2, 5.0
SPECS_MS, APPLIED_MS = 250, 1000  # at the 99th percentile, beyond the quiet time
RELOADS, MEMORY, FRESH_SECONDS, IDLE_CPU, IDLE_QUERIES = 2, 60, 10, 1, 10


class Event(NamedTuple):
    """A change of a site, and the moment of its revision."""

    site: str
    moment: Moment


class Delays(NamedTuple):
    """Milliseconds from events to specs and to files, beyond the ``quiet`` time that they waited on purpose."""

    specs: list[float]
    applied: list[float]
    quiet: list[float]


def main() -> None:
    options = parse_options()
    with server() as (folder, socket, user):
        start_django(socket, user)
        folder.chmod(0o755)
        fleet = Fleet(folder, socket, f"{user}_site", options)
        print_machine()
        sides = [(TOUCHED, options.seconds), (REREADING, min(options.seconds, options.baseline))]
        for number in range(options.rounds):
            for side, seconds in sides[:: -1 if number % 2 else 1]:
                fleet.measure_events(side, seconds)
        fleet.print_events()
        fleet.measure_burst(options.burst)
        fleet.measure_fresh(options.fresh)
        fleet.measure_idle(options.idle)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = partial(parser.add_argument, type=int)
    add("--rounds", default=1, help="how often both sides are measured (default: 1)")
    add("--nodes", default=NODES, help=f"default: {NODES}")
    add("--sites", default=SITES, help=f"of each node; each site is on {REPLICAS} (default: {SITES})")
    parser.add_argument("--rate", type=float, default=RATE, help=f"changes a second (default: {RATE:g})")
    add("--seconds", default=30, help="how long changes go on (default: 30)")
    add("--baseline", default=10, help="the same for the baseline, at most (default: 10)")
    add("--burst", default=200, help="changes at once (default: 200)")
    add("--fresh", default=500, help="sites of an empty node (default: 500)")
    add("--idle", default=60, help="seconds without anything to do (default: 60)")
    return parser.parse_args()


class Fleet:
    """The control site in this process, and its nodes; each site is placed on some of them."""

    def __init__(self, folder: Path, socket: Path, database: str, options: argparse.Namespace) -> None:
        from wagtail_multihost.control.authority import operator_authority

        self.operator = operator_authority("benchmark")
        self.folder, self.socket, self.database, self.options = folder, socket, database, options
        self.replicas = min(REPLICAS, options.nodes)
        count = max(options.nodes * options.sites // self.replicas, options.burst, options.fresh)
        self.ids = [f"site-{number:05}" for number in range(1, count + 1)]
        self.number = 0
        self.last: dict[str, int] = {}
        self.delays: dict[str, Delays] = {}
        self.make_sites()
        placed = self.ids[: options.nodes * options.sites // self.replicas]
        self.nodes = [self.make_node(f"n{number:02}", self.share(placed, number)) for number in range(options.nodes)]

    def share(self, placed: Sequence[str], number: int) -> list[str]:
        nodes = self.options.nodes
        turns = {(number - turn) % nodes for turn in range(self.replicas)}
        return [site for index, site in enumerate(placed) if index % nodes in turns]

    def make_sites(self) -> None:
        from django.core.management import call_command

        from wagtail_multihost.control.changes import CreateSite, EditPlatform
        from wagtail_multihost.control.edits import merge_patch
        from wagtail_multihost.control.nodes import save_group
        from wagtail_multihost.control.registration import apply_changes

        call_command("multihost_control_roles", "--apply", stdout=StringIO(), stderr=StringIO())
        made = [CreateSite(site, {"hostnames": [f"{site}.example.org"]}) for site in self.ids]
        apply_changes(self.operator, [EditPlatform(merge_patch({"name": "aviary"})), *made], at_once=True)
        save_group(self.operator, "placed", "placed")

    def make_node(self, name: str, sites: Sequence[str]) -> Node:
        from django.db import connection

        from wagtail_multihost.control.models import ManagedSite, NodeIdentity
        from wagtail_multihost.control.nodes import place_sites, save_node

        node = Node(self.folder, self.socket, self.database, name, sites)
        save_node(self.operator, name, "placed")
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {node.role} LOGIN IN ROLE multihost_node")
        NodeIdentity.objects.create(node_id=name, role=node.role)
        place_sites(self.operator, name, ManagedSite.objects.filter(identifier__in=sites))
        return node

    @property
    def revision(self) -> int:
        from wagtail_multihost.control.models import Head

        return Head.objects.get(pk=1).revision

    @contextmanager
    def running(self, side: str, nodes: Sequence[Node]) -> Iterator[list[Process]]:
        """Run the agents of some nodes, each of which has applied everything."""
        with ExitStack() as stack:
            found = [stack.enter_context(node.running(side)) for node in nodes]
            for process in found:
                process.wait_for(self.revision)
            yield found

    def change(self, *sites: str) -> list[Event]:
        """Change sites in one transaction, so that each has another snapshot and another file of uWSGI's."""
        from wagtail_multihost.control.changes import EditSite
        from wagtail_multihost.control.edits import merge_patch
        from wagtail_multihost.control.models import Event as Row
        from wagtail_multihost.control.models import ManagedSite
        from wagtail_multihost.control.registration import apply_changes

        changes = []
        uids = dict(ManagedSite.objects.filter(identifier__in=sites).values_list("identifier", "uid"))
        for site in sites:
            self.number += 1
            self.last[site] = self.number
            own = {"aliases": [alias_of(site, self.number)], "uwsgi": {"harakiri": harakiri_of(self.number)}}
            changes.append(EditSite(uids[site], merge_patch(own)))
        # In waves an operator's own steps would be measured.
        apply_changes(self.operator, changes, at_once=True)
        rows = Row.objects.order_by("-revision").values_list("site", "revision", "at")[: len(sites)]
        return [Event(site, Moment(revision, at.timestamp())) for site, revision, at in rows]

    def measure_events(self, side: str, seconds: float) -> None:
        """Change one site after the other for some time, while all nodes follow."""
        placed = sorted({site for node in self.nodes for site in node.sites})
        with self.running(side, self.nodes) as processes:
            events = []
            begin = time.monotonic()
            for number in range(int(seconds * self.options.rate)):
                time.sleep(max(0.0, begin + number / self.options.rate - time.monotonic()))
                events += self.change(placed[(number * 37) % len(placed)])
            last = self.revision
            for process in processes:
                process.wait_for(last)
            add_delays(self.delays.setdefault(side, Delays([], [], [])), events, processes)
        lost = [
            site
            for node in self.nodes
            for site in set(node.sites) & {event.site for event in events}
            if not node.has(site, alias_of(site, self.last[site]), harakiri_of(self.last[site]))
        ]
        print(f"{side}: {len(events)} changes in {seconds:g} s, {len(lost)} lost")

    def print_events(self) -> None:
        for side, delays in self.delays.items():
            for name in Delays._fields:
                found = getattr(delays, name)
                middle, high = statistics.median(found), percentile(found)
                print(f"{side}, {name}: p50 {middle:.0f} ms, p99 {high:.0f} ms, slowest {max(found):.0f} ms")
        own, base = self.delays[TOUCHED], self.delays[REREADING]
        for name in ("specs", "applied"):
            ratio = statistics.median(getattr(own, name)) / statistics.median(getattr(base, name))
            print(f"ratio: {name} of {TOUCHED} / {REREADING} = {ratio:.3f} of time")
        print_target("event to specs, 99th percentile", percentile(own.specs), SPECS_MS, "ms")
        print_target("event to applied, 99th percentile", percentile(own.applied), APPLIED_MS, "ms")

    def measure_burst(self, burst: int) -> None:
        """Count the reloads that many changes need, in one transaction and in one for each."""
        node = self.make_node("burst", self.ids[:burst])
        with self.running(TOUCHED, [node]) as (process,):
            for words in ("in one transaction", "one after the other"):
                before = node.reload_count
                if words == "in one transaction":
                    self.change(*node.sites)
                else:
                    for site in node.sites:
                        self.change(site)
                process.wait_for(self.revision)
                reloads = node.reload_count - before
                print(f"ratio: {burst} changes {words} / 1 change = {reloads:.1f} reloads")
                if words == "in one transaction":
                    print_target(f"reloads for {burst} changes at once", reloads, RELOADS + 1, "reloads")

    def measure_fresh(self, fresh: int) -> None:
        """Start an agent on a node that has nothing yet."""
        node = self.make_node("fresh", self.ids[:fresh])
        with self.running(TOUCHED, [node]) as (process,):
            seconds = process.wait_for(self.revision) - process.started
            peak = process.peak
        print_target(f"an empty node with {fresh} sites", seconds, FRESH_SECONDS, "s")
        print_target(f"memory of its agent, {fresh} sites", peak, MEMORY, "MiB")

    def measure_idle(self, seconds: float) -> None:
        """Let an agent wait for some time, on a node whose sites all listen."""
        from tests.control.random_nodes import StandIn

        node = self.nodes[0]
        with closing(StandIn(node.vassals)), self.running(TOUCHED, [node]) as (process,):
            time.sleep(2)
            cpu, asked, begin = process.cpu, process.text.count(" asked\n"), time.monotonic()
            time.sleep(seconds)
            minutes = (time.monotonic() - begin) / 60
            cpu, asked = process.cpu - cpu, process.text.count(" asked\n") - asked
            peak = process.peak
        print_target("CPU of an idle agent, each minute", cpu / minutes, IDLE_CPU, "s")
        print_target("statements of an idle agent, each minute", asked / minutes, IDLE_QUERIES, "")
        print_target(f"memory of an idle agent, {len(node.sites)} sites", peak, MEMORY, "MiB")


def add_delays(found: Delays, events: Sequence[Event], processes: Sequence[Process]) -> None:
    """Add the delays of each event on each node that has its site."""
    for process in processes:
        specs, applied, quiet = process.moments(SPECS), process.moments(APPLIED), process.quiet()
        for event in events:
            if event.site in process.node.sites:
                made, done = first(specs, event.moment), first(applied, event.moment)
                waited = waiting(quiet, event.moment.at, made)
                found.specs.append((made - event.moment.at - waited) * 1000)
                found.applied.append((done - event.moment.at - waiting(quiet, event.moment.at, done)) * 1000)
                found.quiet.append(waited * 1000)


def first(moments: Sequence[Moment], wanted: Moment) -> float:
    """Return when a revision was reached."""
    return next(one.at for one in moments if one.revision >= wanted.revision)


def waiting(quiet: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    """Return how long an agent waited on purpose between two moments."""
    return sum(max(0.0, min(end, until) - max(begin, since)) for since, until in quiet)


def alias_of(site: str, number: int) -> str:
    return f"v{number}.{site}.example.net"


def harakiri_of(number: int) -> int:
    return 30 + number % 30


if __name__ == "__main__":
    main()

"""
A fleet that grows and shrinks while visitors ask: an agent, nginx and uWSGI for each node, a front server with an agent
and nginx, and a PostgreSQL, all on this machine. Whether a request failed, and how long joining and leaving took.

Agents, nginx, PostgreSQL and all files are real. On each node one small uWSGI answers for all sites, at whose socket
the paths of all sites' sockets lead: a thousand real sites on each of twenty nodes need more than one machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import print_machine, print_target
from tests.accounts import passable_folder
from tests.servers.postgres import HOST, SUPERUSER, Postgres, running_postgres
from tests.servers.processes import free_port, wait_for

if TYPE_CHECKING:
    from tests.control.front_fleet import FrontMachine, Machine, Prober

TARGET_NODES, TARGET_SITES, FEW = 20, 1000, 2
LONGEST = 1800  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=TARGET_NODES, help=f"default: {TARGET_NODES}")
    parser.add_argument("--sites", type=int, default=TARGET_SITES, help=f"default: {TARGET_SITES}")
    parser.add_argument("--at-once", type=int, default=6, help="how many join or leave at a time (default: 6)")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second (default: 50)")
    options = parser.parse_args()
    with passable_folder() as folder, running_postgres(folder / "postgres") as server, ExitStack() as stack:
        start_django(server)
        sites = add_sites(options.sites)
        scale(folder, server, stack, sites, options)


def start_django(server: Postgres) -> None:
    server.execute(SUPERUSER, "CREATE DATABASE fleet")
    own = {"BENCHMARK_SOCKET": HOST, "BENCHMARK_DATABASE": "fleet", "BENCHMARK_USER": SUPERUSER}
    os.environ.update(own, DJANGO_SETTINGS_MODULE="benchmarks.control_settings")
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    connections["default"].settings_dict.update({"PORT": server.port, "PASSWORD": server.password})
    call_command("migrate", verbosity=0)


def add_sites(count: int) -> list[str]:
    """Make the platform, the groups and the sites; return these."""
    from tests.control.fleet import OPERATOR, prepare_fleet
    from wagtail_multihost.control.changes import CreateSite
    from wagtail_multihost.control.nodes import save_group
    from wagtail_multihost.nodeapi.node_states import ALL, FRONT

    fleet = prepare_fleet({"name": "aviary", "origin": "http://{hostname}", "nginx": {"fronts": ["127.0.0.1"]}})
    sites = [f"site{number}" for number in range(count)]
    fleet.apply(*(CreateSite(site, {"hostnames": [host_of(site)]}) for site in sites))
    save_group(OPERATOR, "fronts", FRONT)
    save_group(OPERATOR, "every", ALL)
    return sites


def host_of(site: str) -> str:
    return f"{site}.example.com"


def scale(folder: Path, server: Postgres, stack: ExitStack, sites: Sequence[str], options: argparse.Namespace) -> None:
    from tests.control.fleet import OPERATOR
    from tests.control.front_fleet import FrontMachine, Prober
    from tests.control.node_roles import node_login
    from tests.control.roles import Roles
    from wagtail_multihost.control.nodes import save_node

    Roles(server).make()
    save_node(OPERATOR, "front1", "fronts")
    front = FrontMachine(folder / "front1", stack.enter_context(node_login(server, "front1")), poll=30)
    stack.callback(front.close)
    few = [add_node(folder, server, stack, f"web{number}", sites) for number in range(FEW)]
    joined = start(few, len(few))
    front.start()
    first, last = sites[0], sites[-1]
    wait_for(lambda: front.serves(host_of(first), first) and front.serves(host_of(last), last), "the front", LONGEST)
    prober = Prober(front, {host_of(site): site for site in sites}, options.rate)
    with prober.running():
        more = [add_node(folder, server, stack, f"web{number}", sites) for number in range(FEW, options.nodes)]
        joined += start(more, options.at_once)
        for machine in more:
            wait_for(lambda: prober.asked(machine.login.node), "its first request", LONGEST)  # noqa: B023
        peaks = [peak_of(machine) for machine in (*few, *more)]
        say("all nodes are asked", prober)
        more.pop().kill()
        wait_for_requests(prober, 10 * options.nodes)
        say("one was killed", prober)
        left = leave(more, options.at_once)
        say("the others have left", prober)
        wait_for_requests(prober, 100)
    print_figures(prober, front, joined, left, peaks, options)


def add_node(folder: Path, server: Postgres, stack: ExitStack, name: str, sites: Sequence[str]) -> Machine:
    """Register a node and write what its root writes; nothing runs yet."""
    from tests.control.fleet import OPERATOR
    from tests.control.front_fleet import SHARED, Machine
    from tests.control.node_roles import node_login
    from wagtail_multihost.control.nodes import save_node

    port = free_port()
    save_node(OPERATOR, name, "every", address=f"127.0.0.1:{port}")
    login = stack.enter_context(node_login(server, name))
    # The sites' own sockets are links, which no process listens at by this name.
    machine = Machine(
        folder / name,
        login,
        port,
        ("nginx", "uwsgi"),
        SHARED,
        drains=True,
        drain_seconds=60,
        start_seconds=0.1,
        verify_timeout=120,
    )
    stack.callback(machine.close)
    machine.give_key(*sites)
    for site in sites:
        (machine.folder / f"run/{site}.sock").symlink_to(machine.folder / "run/shared.sock")
    return machine


def start(machines: Sequence[Machine], at_once: int) -> list[float]:
    """Start machines, so many at a time; return after how many seconds each was active."""
    seconds = []
    for batch in batches(machines, at_once):
        began = {machine: time.monotonic() for machine in batch}
        for machine in batch:
            machine.start()
        while began:
            for machine in [one for one in began if one.state == "active"]:
                seconds.append(time.monotonic() - began.pop(machine))
            assert not any(machine.has_ended for machine in batch), [machine.log[-2000:] for machine in batch]
            time.sleep(0.2)
        print(f"active: {len(seconds)} of {len(machines)}", flush=True)
    return seconds


def leave(machines: Sequence[Machine], at_once: int) -> list[float]:
    """Stop machines as containers are stopped; return how many seconds each took."""

    def measure(machine: Machine) -> float:
        began = time.monotonic()
        machine.leave()
        return time.monotonic() - began

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(measure, machines))


def batches(machines: Sequence[Machine], size: int) -> Iterator[Sequence[Machine]]:
    for begin in range(0, len(machines), size):
        yield machines[begin : begin + size]


def wait_for_requests(prober: Prober, count: int) -> None:
    seen = prober.count
    wait_for(lambda: prober.count >= seen + count, "further requests", LONGEST)


def peak_of(machine: Machine) -> float:
    """Return the most memory that an agent has had, in MiB."""
    assert machine.process is not None
    status = Path(f"/proc/{machine.process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def say(what: str, prober: Prober) -> None:
    print(f"{what}: {prober.count} requests, {len(prober.failures)} failed", flush=True)


def print_figures(
    prober: Prober,
    front: FrontMachine,
    joined: Sequence[float],
    left: Sequence[float],
    peaks: Sequence[float],
    options: argparse.Namespace,
) -> None:
    times = sorted(prober.seconds)
    print_machine()
    print(
        f"{options.nodes} nodes, {options.sites} sites, {options.at_once} nodes at a time, {options.rate:g} requests/s"
    )
    print(f"requests: {prober.count}, failed: {len(prober.failures)}, nodes that answered: {len(prober.answers)}")
    middle, late = (times[len(times) * part // 100] * 1000 for part in (50, 99))
    print(f"an answer: median {middle:.0f} ms, 99 % {late:.0f} ms, slowest {times[-1]:.1f} s")
    print(f"start of an agent until its node is active: {min(joined):.1f} to {max(joined):.1f} s")
    print(f"leaving, until all of the machine has ended: {min(left, default=0):.1f} to {max(left, default=0):.1f} s")
    print(f"the most memory of an agent: {max(peaks):.0f} MiB")
    print(f"changes that the front server applied: {front.log.count('is applied:')}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"CPU seconds of what has ended: {used.ru_utime + used.ru_stime:.0f}")
    for failure in prober.failures[:20]:
        print(f"failed: {failure}")
    print_target("failed requests", len(prober.failures), 1, "")


if __name__ == "__main__":
    main()

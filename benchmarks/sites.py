"""
Whether changes reach visitors, and no site but the changed one is started again: 20 agents and 1,000 sites, each placed
on two of the nodes. On three nodes each site has processes of its own under uWSGI, and there are five real Wagtails on
each of these; on the others one small uWSGI answers for all. Agents, nginx, PostgreSQL, the control site and all files
are real; visitors ask all the time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fleet import peak_of, start_django
from benchmarks.measuring import print_machine, print_target
from tests.accounts import passable_folder
from tests.servers.postgres import Postgres, running_postgres
from tests.servers.processes import wait_for

if TYPE_CHECKING:
    from tests.control.front_fleet import Prober
    from tests.control.live import Server
    from tests.control.sites_fleet import SitesFleet

LONGEST = 600
#: A node and a site.
Key = tuple[str, str]
Processes = Mapping[Key, object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=20, help="default: 20")
    parser.add_argument("--sites", type=int, default=1000, help="small ones (default: 1000)")
    parser.add_argument("--served", type=int, default=3, help="nodes with processes for each site (default: 3)")
    parser.add_argument("--wagtails", type=int, default=5, help="on each of these (default: 5)")
    parser.add_argument("--changes", type=int, default=20, help="of each kind (default: 20)")
    parser.add_argument("--at-once", type=int, default=3, help="how many nodes are started at a time (default: 3)")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second (default: 50)")
    options = parser.parse_args()
    with passable_folder() as folder, running_postgres(folder / "postgres") as server, ExitStack() as stack:
        start_django(server)
        measure(folder, server, stack, options)


def measure(folder: Path, server: Postgres, stack: ExitStack, options: argparse.Namespace) -> None:
    from tests.control.front_fleet import Prober
    from tests.control.sites_fleet import WHO, SitesFleet, Size

    size = Size(options.nodes, options.sites, options.served, options.wagtails)
    began = time.monotonic()
    sites = SitesFleet(folder, server, stack, size)
    print(f"registered and placed: {time.monotonic() - began:.0f} s", flush=True)
    sites.start(options.at_once)
    before = sites.moments()
    print(f"all sites answer: {time.monotonic() - began:.0f} s, {len(before)} sites with processes", flush=True)
    changed, closed = choose_sites(sites, options.changes)
    prober = Prober(
        sites.front, {host: site for host, site in sites.hosts.items() if site not in closed}, options.rate, WHO
    )
    with sites.control() as (control, token), prober.running():
        named = list(add_hostnames(sites, control, token, changed))
        print(f"hostnames added: {len(named)}", flush=True)
        ended = list(disable_sites(sites, control, token, closed))
        print(f"sites disabled: {len(ended)}", flush=True)
        wait_until_applied(sites)
        touched = {key for key in before if key[1] in {*changed, *closed}}
        wait_for(lambda: is_started_again(touched, before, sites.moments()), "the processes of what changed", LONGEST)
        seen = prober.count
        wait_for(lambda: prober.count > seen + len(sites.hosts), "a request to each site", LONGEST)
    after = sites.moments()
    others = {key for key in before.keys() - touched if is_started_again([key], before, after)}
    print_figures(sites, prober, others, named, ended)


def choose_sites(sites: SitesFleet, count: int) -> tuple[list[str], list[str]]:
    """Return sites to give a hostname to, all Wagtails among them, and sites to disable; as far as they are served."""
    served = sorted({site for name in sites.served for site in sites.placed[name]})
    wagtails = [site for found in sites.wagtails.values() for site in found]
    return [*wagtails, *served[:count]], served[count : 2 * count]


def add_hostnames(sites: SitesFleet, control: Server, token: str, changed: list[str]) -> Iterator[float]:
    """Yield after how many seconds each new hostname was answered."""
    from tests.control.sites_fleet import WHO, add_hostname

    for site in changed:
        host, began = f"new.{site}.example.com", time.monotonic()
        assert sites.front.ask(host, WHO).status != 200
        add_hostname(control, token, site, host)
        wait_for(partial(sites.front.serves, host, site, path=WHO), host, LONGEST)
        yield time.monotonic() - began


def disable_sites(sites: SitesFleet, control: Server, token: str, closed: list[str]) -> Iterator[float]:
    """Yield after how many seconds each disabled site was answered no more."""
    from tests.control.sites_fleet import WHO, disable, host_of

    for site in closed:
        began = time.monotonic()
        assert sites.front.ask(host_of(site), WHO).status == 200
        disable(control, token, site)
        wait_for(lambda: sites.front.ask(host_of(site), WHO).status != 200, f"the end of {site}", LONGEST)  # noqa: B023
        yield time.monotonic() - began


def wait_until_applied(sites: SitesFleet) -> None:
    revision = sites.fleet.revision
    for machine in sites.nodes.values():
        wait_for(lambda: machine.report.applied >= revision, "all nodes", LONGEST)  # type: ignore[union-attr] # noqa: B023


def is_started_again(keys: Iterable[Key], before: Processes, after: Processes) -> bool:
    """Return whether none of some sites has the processes that it had before."""
    return all(after.get(key) != before[key] for key in keys)


def print_figures(sites: SitesFleet, prober: Prober, others: set[Key], named: list[float], ended: list[float]) -> None:
    print_machine()
    size = sites.size
    print(f"{size.nodes} nodes, {size.sites} small sites, {len(sites.wagtails) * size.wagtails} Wagtails")
    print(f"requests: {prober.count}, failed: {len(prober.failures)}, nodes that answered: {len(prober.answers)}")
    for what, found in (("a new hostname answers", named), ("a disabled site is closed", ended)):
        print(f"{what}: median {statistics.median(found):.2f} s, slowest {max(found):.2f} s")
    print(f"the most memory of an agent: {max(map(peak_of, sites.nodes.values())):.0f} MiB")
    for failure in prober.failures[:20]:
        print(f"failed: {failure}")
    for name, site in sorted(others)[:20]:
        print(f"started again on {name}: {site}")
    print_target("failed requests", len(prober.failures), 1, "")
    print_target("sites started again that did not change", len(others), 1, "")


if __name__ == "__main__":
    main()

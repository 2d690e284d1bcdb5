"""What is possible, and seldom meant: sentences for who has the files of a plan written."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator

from wagtail_multihost.emitters import emitters
from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.upstreams import LOOPBACK, networks_with
from wagtail_multihost.emitters.systemd.overrides import writable_elsewhere
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import path_problem
from wagtail_multihost.spec.platform import PRODUCTION
from wagtail_multihost.spec.site import SiteSpec

#: How many worker processes a target gives a site, and the option that says so.
WORKERS: dict[str, tuple[str, Callable[[Plan, SiteSpec], int]]] = {
    "uwsgi": ("uwsgi.processes", lambda plan, site: plan.uwsgi_of(site).processes),
    "systemd": ("systemd.workers", lambda plan, site: gunicorn_workers(plan, site)),
}
#: What a site's own code must have for its processes to start, below the value of each option.
NEEDED = {"directory": "", "virtualenv": "/bin/python3"}


def cautions(plan: Plan, targets: Collection[str]) -> Iterator[str]:
    """Yield a sentence for everything in ``plan`` that its ``targets`` can do, and that is seldom meant."""
    running = [target for target in dict.fromkeys(targets) if emitters()[target].runs_sites]
    for target in running:
        yield from caches_apart(plan, target)
    if "nginx" in targets and plan.platform.environment == PRODUCTION:
        yield from open_logs(plan)
        yield from believed_sites(plan)
    if running:
        yield from one_account(plan)
        yield from code_not_found(plan)
    if "systemd" in running:
        yield from folders_on_a_foreign_way(plan)
    if "uwsgi" in running and plan.platform.runner != "uwsgi":
        yield (
            f"platform.runner: It is {plan.platform.runner}, and the target uwsgi makes uWSGI run the sites too, at "
            "the same sockets. Start one of the two."
        )
    if "uwsgi" in running:
        yield from detached_sockets(plan)
        yield from shown_nevertheless(plan)
    if "uwsgi" in running and plan.node and plan.uwsgi.http:
        yield (
            f"platform.uwsgi.http: On the node {plan.node} uWSGI serves the sites at {plan.uwsgi.http} too, past the "
            "front server and what it keeps out."
        )


def open_logs(plan: Plan) -> Iterator[str]:
    """Yield the folder of nginx's logs where everybody enters it: nginx makes new logs 0644, always."""
    folder = plan.nginx.logs
    try:
        is_open = folder.stat().st_mode & 0o001
    except OSError:
        return
    if is_open:
        yield (
            f"platform.nginx.logs: Every account can enter {shown(str(folder))}, and nginx makes new logs readable for "
            "all, with the addresses that visitors of all sites ask for. Close it: "
            f"install -d -o root -g {plan.nginx.user} -m 0750 {folder}."
        )


def folders_on_a_foreign_way(plan: Plan) -> Iterator[str]:
    """Yield the folders that systemd, which is root, binds into a site's unit, where another account can move them."""
    for site in plan.chosen:
        for folder in writable_elsewhere(plan, site):
            if problem := path_problem(folder.parent):
                yield (
                    f"sites.{site.id}: systemd shows the site its folder {shown(str(folder))}, and follows a link that "
                    f"another account puts in its place. {problem}"
                )


def believed_sites(plan: Plan) -> Iterator[str]:
    """Yield the networks of proxies that sites connect from, where they are on the machine of nginx."""
    for network, whose in networks_with(plan.nginx.proxies, LOOPBACK) if not plan.platform.nodes else ():
        yield (
            f"platform.nginx.proxies: {network} has the address of {whose}, so the code of every site can pass for a "
            "proxy, and state the visitor's address, by which health_from, purgers and limits go."
        )


def caches_apart(plan: Plan, target: str) -> Iterator[str]:
    """Yield the sites whose workers have a cache each, where ``target`` is known to give them more than one."""
    option, workers_of = WORKERS.get(target, ("", lambda plan, site: 1))
    found = [site for site in plan.chosen if site.cache.backend == "locmem" and workers_of(plan, site) > 1]
    if found:
        yield (
            f"The cache of {listed(found)} is in local memory, and {option} is more than 1: each worker process has a "
            f"cache of its own, and goes on with what another one has changed. Give the sites Redis, or one worker."
        )


def detached_sockets(plan: Plan) -> Iterator[str]:
    """Yield the sites that share a socket with an emperor which is root."""
    found = [site for site in plan.chosen if plan.uwsgi_of(site).on_demand] if "{site}" in plan.platform.user else []
    if found:
        yield (
            f"uwsgi.on_demand: The emperor shares its socket with {listed(found)}. Code that outlives such a site can "
            "disturb the emperor through it. Let sites that you do not trust run always, or by systemd's sockets."
        )


def shown_nevertheless(plan: Plan) -> Iterator[str]:
    """Yield the sites that uWSGI shows although they are in maintenance or suspended: nginx alone knows of it."""
    closed = [site for site in plan.sites if site.state != "active"] if plan.uwsgi.http else []
    if closed:
        yield (
            f"platform.uwsgi.http: uWSGI goes on showing {listed(closed)} at {plan.uwsgi.http}, whatever the state: "
            "nginx alone shows a page in the place of a site."
        )


def gunicorn_workers(plan: Plan, site: SiteSpec) -> int:
    """Return how many workers of gunicorn the units start; none where they start another runner."""
    return plan.systemd_of(site).workers if plan.platform.runner == "gunicorn" else 0


def one_account(plan: Plan) -> Iterator[str]:
    """Yield what sites that have one account do to each other, unless the platform says that they may."""
    platform = plan.platform
    has_own = "{site}" in platform.user or len(plan.sites) < 2 or platform.shares_registry
    if has_own or not (platform.user or platform.environment == PRODUCTION):
        return
    account = f"the account {platform.user}" if platform.user else "the account of their server"
    yield (
        f"platform.user: All {len(plan.sites)} sites run under {account}, so the code of each can read, change and "
        "stop the others. Give each its own, such as site-{site}."
    )


def code_not_found(plan: Plan) -> Iterator[str]:
    """Yield the folders of sites' own code that this machine does not have."""
    for site in plan.chosen:
        for name, value in site.code:
            if name in NEEDED and not os.path.exists(f"{value}{NEEDED[name]}"):
                path = shown(f"{value}{NEEDED[name]}")
                yield f"{site.sources.get('code', f'sites.{site.id}.code')}: {name}: This machine has no {path}."


def listed(sites: Iterable[SiteSpec]) -> str:
    """Return the ids of the first sites, and how many more there are."""
    ids = [site.id for site in sites]
    if len(ids) > 3:
        return f"the sites {', '.join(ids[:3])} and {len(ids) - 3} more"
    return f"the site {ids[0]}" if len(ids) == 1 else f"the sites {', '.join(ids[:-1])} and {ids[-1]}"

"""Cautions: sentences about what is possible in a plan, and seldom intended."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from wagtail_multihost.emitters import emitters
from wagtail_multihost.emitters.addresses import address_cautions
from wagtail_multihost.emitters.files import Plan, listed
from wagtail_multihost.spec.cookies import is_bound_to_host, own_cookies
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.origins import hosts_without_login, misread_origin
from wagtail_multihost.spec.platform import PRODUCTION
from wagtail_multihost.spec.runner import RUNNERS, Runner

#: What must exist below the value of each option for a site's own code to start.
NEEDED = {"directory": "", "virtualenv": "/bin/python3"}


def cautions(plan: Plan, targets: Collection[str]) -> Iterator[str]:
    """Yield a sentence for everything in ``plan`` that its ``targets`` allow, and that is seldom intended."""
    chosen = [emitters()[target] for target in dict.fromkeys(targets)]
    running = [emitter.name for emitter in chosen if emitter.runs_sites]
    for target in running:
        yield from caches_apart(plan, target)
    yield from links_of_wagtail(plan)
    yield from logins_over_http(plan)
    yield from cookies_to_plant(plan)
    if running:
        yield from one_account(plan)
        yield from code_not_found(plan)
    yield from address_cautions(plan)
    for emitter in chosen:
        yield from emitter.cautions(plan)


def caches_apart(plan: Plan, target: str) -> Iterator[str]:
    """Yield a caution about sites whose workers have separate caches, if ``target`` starts more than one worker."""
    for runner in started_by(plan, target):
        cached = [site for site in plan.chosen if site.cache.backend == "locmem"]
        found = [site for site in cached if runner.workers_of(plan.options(runner.options, site)) > 1]
        if found:
            yield (
                f"The cache of {listed(found)} is in local memory, and {target}.{runner.workers} is more than 1: each "
                "worker process has its own cache, and does not see what another one has changed. Give the sites "
                "Redis, or one worker."
            )


def started_by(plan: Plan, target: str) -> Iterator[Runner]:
    """Yield the runner that a target starts: with systemd units, only the platform's."""
    for runner in RUNNERS.values():
        if runner.options.target == target and (runner is plan.runner or not runner.has_units):
            yield runner


def one_account(plan: Plan) -> Iterator[str]:
    """Yield a caution if all sites have one account, unless the platform says that they trust each other."""
    platform = plan.platform
    has_own = "{site}" in platform.user or len(plan.sites) < 2 or platform.shares_registry
    if has_own or not (platform.user or platform.environment == PRODUCTION):
        return
    account = f"the account {platform.user}" if platform.user else "the account of their server"
    yield (
        f"platform.user: All {len(plan.sites)} sites run under {account}, so the code of each can read, change and "
        "stop the others. Give each site its own account, such as site-{site}."
    )


def code_not_found(plan: Plan) -> Iterator[str]:
    """Yield a caution about each folder of sites' own code that this machine does not have."""
    for site in plan.chosen:
        for name, value in site.code:
            if name in NEEDED and not os.path.exists(f"{value}{NEEDED[name]}"):
                path = shown(f"{value}{NEEDED[name]}")
                yield f"{site.sources.get('code', f'sites.{site.id}.code')}: {name}: This machine has no {path}."


def links_of_wagtail(plan: Plan) -> Iterator[str]:
    """Yield the sites whose links Wagtail writes with another scheme than visitors use."""
    found = [site for site in plan.chosen if misread_origin(plan.platform, site)]
    if found and (pair := misread_origin(plan.platform, found[0])):
        origin, written = pair
        yield (
            f"platform.origin: Visitors of {listed(found)} use {origin}, but Wagtail takes port 443 alone for https: "
            f'sitemaps, canonical URLs and "View live" lead to {written}. Let visitors use port 443 for https, or '
            "port 80 for http: a front server can listen there and pass requests on."
        )


def logins_over_http(plan: Plan) -> Iterator[str]:
    """Yield the hostnames without a certificate of sites whose cookies are for https."""
    for site in plan.chosen:
        if hosts := hosts_without_login(plan.platform, site):
            key = site.sources.get("tls", f"sites.{site.id}.tls")
            yield (
                f"{key}: Nobody can log in or send a form at {', '.join(hosts)}: without a certificate it is served "
                "over http, where browsers do not keep the site's cookies, which are for https. Get a certificate, or "
                "use the name only for pages without forms."
            )


def cookies_to_plant(plan: Plan) -> Iterator[str]:
    """Yield the sites that keep names of cookies which their neighbours can plant."""
    for site in plan.chosen:
        found = [(key, name) for key, name in own_cookies(site) if not is_bound_to_host(name)]
        if found:
            keys, names = (", ".join(words) for words in zip(*found, strict=True))
            yield (
                f"{site.sources.get('id', f'sites.{site.id}')}: {keys}: Every other name of the domain can plant the "
                f"cookies {names}, because they do not begin with __Host-. Take the keys out when the cookies from "
                "before have expired: those of sessions after two weeks, unless the project has a SESSION_COOKIE_AGE."
            )

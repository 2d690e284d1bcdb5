"""What uWSGI can do, and is seldom meant to."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.emitters.files import Plan, listed
from wagtail_multihost.emitters.uwsgi.accounts import has_accounts
from wagtail_multihost.spec.uwsgi import UwsgiOptions


def cautions(plan: Plan) -> Iterator[str]:
    """Yield a sentence for everything in ``plan`` that is seldom meant."""
    http = plan.options(UwsgiOptions).http
    if plan.runner.options is not UwsgiOptions:
        yield (
            f"platform.runner: It is {plan.runner.name}, and the target uwsgi makes uWSGI run the sites too, at "
            "the same sockets. Start one of the two."
        )
    yield from detached_sockets(plan)
    yield from shown_nevertheless(plan, http)
    if plan.node and http:
        yield (
            f"platform.uwsgi.http: On the node {plan.node} uWSGI serves the sites at {http} too, past the front server "
            "and what it keeps out."
        )


def detached_sockets(plan: Plan) -> Iterator[str]:
    """Yield the sites that share a socket with an emperor which is root."""
    found = [site for site in plan.chosen if has_accounts(plan) and plan.options(UwsgiOptions, site).on_demand]
    if found:
        yield (
            f"uwsgi.on_demand: The emperor shares its socket with {listed(found)}. Code that outlives such a site can "
            "disturb the emperor through it. Let sites that you do not trust run always, or by systemd's sockets."
        )


def shown_nevertheless(plan: Plan, http: str) -> Iterator[str]:
    """Yield the sites that uWSGI shows although they are in maintenance or suspended: nginx alone knows of it."""
    closed = [site for site in plan.sites if site.state != "active"] if http else []
    if closed:
        yield (
            f"platform.uwsgi.http: uWSGI goes on showing {listed(closed)} at {http}, whatever the state: "
            "nginx alone shows a page in the place of a site."
        )

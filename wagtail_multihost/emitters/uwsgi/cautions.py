"""What uWSGI can be configured to do, and is seldom intended."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.emitters.files import Plan, listed
from wagtail_multihost.emitters.uwsgi.accounts import has_accounts
from wagtail_multihost.spec.uwsgi import UwsgiOptions


def cautions(plan: Plan) -> Iterator[str]:
    """Yield a sentence for everything in ``plan`` that is seldom intended."""
    http = plan.options(UwsgiOptions).http
    if plan.runner.options is not UwsgiOptions:
        yield (
            f"platform.runner: It is {plan.runner.name}, but the target uwsgi makes uWSGI run the sites too, on the "
            "same sockets. Start only one of the two."
        )
    yield from detached_sockets(plan)
    yield from shown_nevertheless(plan, http)
    if plan.node and http:
        yield (
            f"platform.uwsgi.http: On the node {plan.node} uWSGI also serves the sites at {http}, which bypasses the "
            "front server and its protections."
        )


def detached_sockets(plan: Plan) -> Iterator[str]:
    """Yield a caution about sites that share a socket with an emperor that is root."""
    found = [site for site in plan.chosen if has_accounts(plan) and plan.options(UwsgiOptions, site).on_demand]
    if found:
        yield (
            f"uwsgi.on_demand: The emperor shares its socket with {listed(found)}. Code that outlives such a site can "
            "disturb the emperor through it. Let sites that you do not trust run always, or use systemd's sockets."
        )


def shown_nevertheless(plan: Plan, http: str) -> Iterator[str]:
    """Yield a caution about sites that uWSGI shows although they are in maintenance or suspended."""
    closed = [site for site in plan.sites if site.state != "active"] if http else []
    if closed:
        yield (
            f"platform.uwsgi.http: uWSGI keeps showing {listed(closed)} at {http}, whatever the state: only nginx "
            "replaces a site with a page."
        )

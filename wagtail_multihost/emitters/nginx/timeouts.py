"""How long nginx waits for applications."""

from __future__ import annotations

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.spec.site import SiteSpec

READ_MARGIN = 5  # seconds


def read_timeout(plan: Plan, site: SiteSpec | None = None) -> int:
    """Return after how many silent seconds nginx gives up: stated, or a little after the application's server does."""
    options = plan.nginx_of(site) if site else plan.nginx
    if plan.platform.runner == "gunicorn":
        longest = (plan.systemd_of(site) if site else plan.systemd).timeout
    else:
        longest = (plan.uwsgi_of(site) if site else plan.uwsgi).harakiri
    return options.timeout or longest + READ_MARGIN


def http_timeout(plan: Plan, site: SiteSpec | None = None) -> int:
    """Return the same for what is asked by HTTP: the front server gives up a little after the node's nginx does."""
    asks_nodes = bool(plan.platform.nodes) and not plan.node
    return read_timeout(plan, site) + (READ_MARGIN if asks_nodes else 0)

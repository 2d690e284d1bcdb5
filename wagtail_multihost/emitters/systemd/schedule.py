"""Timers for single sites."""

from __future__ import annotations

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.systemd import SystemdOptions

HOUR = 60


def is_published(plan: Plan, site: SiteSpec) -> bool:
    """Return whether this machine publishes the site's pages: the first of the nodes that serve it does."""
    nodes = site.nodes or [name for name, _ in plan.platform.nodes]
    return plan.options(SystemdOptions, site).publish > 0 and (not plan.node or plan.node == nodes[0])


def timer_values(plan: Plan) -> dict[str, object]:
    minutes = plan.options(SystemdOptions).publish or HOUR
    return {"calendar": calendar_event(minutes), "delay": random_delay(minutes)}


def calendar_event(minutes: int) -> str:
    """Return a calendar event every ``minutes`` minutes, in systemd's notation (systemd.time(7))."""
    return "hourly" if minutes == HOUR else f"*:0/{minutes}"


def random_delay(minutes: int) -> str:
    return f"{minutes}min"

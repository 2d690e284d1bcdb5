"""How systemd runs the sites, with gunicorn: options of its emitter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wagtail_multihost.spec.kinds import SWITCH, Kind, integer
from wagtail_multihost.spec.options import NETWORKS, OPTIONAL_SIZE, USER, Options, option

HOUR = 60


def check_minutes(value: int) -> int:
    """Return minutes that divide an hour: with others a timer would not run at even intervals."""
    if value and (value < 0 or HOUR % value):
        raise ValueError(f"The number {value} is not accepted: it must be 0, or minutes that divide an hour.")
    return value


MINUTES = Kind("0, or minutes that divide an hour", int, check_minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemdOptions(Options):
    """The options of systemd's units and of gunicorn, the runner whose processes they start."""

    target: ClassVar[str] = "systemd"

    user: str = option("multihost", USER, "The account of all sites, if the platform's `user` states none.")
    workers: int = option(2, integer(1, 256), "Workers of each site.", per_site=True)
    threads: int = option(1, integer(1, 256), "Threads of each worker.", per_site=True)
    timeout: int = option(
        60, integer(1, 86_400), "How long, in seconds, a request may take.", per_site=True, front=True
    )
    max_requests: int = option(
        5000, integer(0, 10_000_000), "After how many requests a worker is replaced; 0: never.", per_site=True
    )
    on_demand: bool = option(
        True, SWITCH, "Whether the site starts with its first request, or with the machine.", per_site=True
    )
    memory: str = option("", OPTIONAL_SIZE, "How much memory the site's processes may have together.", per_site=True)
    cpu_weight: int = option(
        100, integer(1, 10_000), "The site's share of the processors when they are busy.", per_site=True
    )
    tasks: int = option(256, integer(8, 1_000_000), "How many processes and threads the site may have.", per_site=True)
    publish: int = option(
        60,
        MINUTES,
        "How often, in minutes, pages that are due are published and expired (`publish_scheduled`); 0: no timer.",
        per_site=True,
    )
    egress: tuple[str, ...] = option(
        (), NETWORKS, "The networks that the site may connect to, besides this machine; none: all.", per_site=True
    )

    @property
    def account(self) -> str:
        return self.user

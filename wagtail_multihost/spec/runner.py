"""The servers that run sites' processes, as values: no other module depends on the name of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from wagtail_multihost.spec.options import Options
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions


class Runner(NamedTuple):
    """
    A server that runs sites' processes: its ``name``, the ``protocol`` that it speaks, and the ``options`` that say how
    it runs them. ``request_seconds`` names the option of how long a request may take, and ``workers`` that of how many
    processes a site has. ``has_units`` says that each site is a unit of systemd; otherwise there is one unit for all.
    """

    name: str
    protocol: Literal["uwsgi", "http"]
    options: type[Options]
    request_seconds: str
    workers: str
    has_units: bool

    def request_seconds_of(self, options: Options) -> int:
        """Return how long a request may take."""
        return int(getattr(options, self.request_seconds))

    def workers_of(self, options: Options) -> int:
        """Return how many processes a site has."""
        return int(getattr(options, self.workers))


#: What ``platform.runner`` may name.
RUNNERS: Mapping[str, Runner] = {
    runner.name: runner
    for runner in (
        Runner("uwsgi", "uwsgi", UwsgiOptions, "harakiri", "processes", has_units=False),
        Runner("gunicorn", "http", SystemdOptions, "timeout", "workers", has_units=True),
    )
}

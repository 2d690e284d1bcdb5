"""
The sampler: a thread that runs probes again and again, and publishes a report that requests only read.

Every probe runs in a daemon thread of its own, which nobody waits for: one that hangs is shown as ``stuck``, and is
not started again before it has ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from wagtail_multihost.health.change_notifier import OnChange
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.report import ProbeEntry, Report
from wagtail_multihost.health.schedule import Schedule
from wagtail_multihost.health.server import log_missing_threads

POLL = 0.005


class Sampler:
    """
    Samples ``entries`` for ``sites`` once somebody asks, in each process that is asked: what was started before a fork
    is not the child's. ``changed`` is called, in a thread of its own, with the report that was told of last (None the
    first time) and a newer one whose statuses are others.
    """

    def __init__(
        self,
        entries: Iterable[ProbeEntry],
        sites: Iterable[str],
        options: HealthOptions,
        changed: OnChange | None = None,
    ) -> None:
        self.entries = tuple(entries)
        self.sites = tuple(sites)
        self.options = options
        self.changed = changed
        # By process id: a lock that a thread of the parent had at the fork would stay locked in the child, and hooks
        # do not run after the forks of uWSGI (its option py-call-osafterfork is off by default).
        self._schedules: dict[int, Schedule] = {}

    @property
    def report(self) -> Report | None:
        """The last report of this process; None before the first."""
        own = self._schedules.get(os.getpid())
        return own.report if own else None

    def ask(self) -> Report | None:
        """Return the last report, and see to it that there will be a next one. Never waits."""
        return (self._schedules.get(os.getpid()) or self._own()).ask()

    def is_awaited(self) -> bool:
        """Return whether a newer report is worth waiting for: the first since the start, or since a delay."""
        own = self._schedules.get(os.getpid()) or self._own()
        own.ask()
        return own.is_awaited()

    def wait(self, seconds: float) -> Report | None:
        """
        Return the last report; where it is the first, or the first after a long time, wait for it for at most
        ``seconds``. All questions together wait no longer than ``BUDGET``.
        """
        return (self._schedules.get(os.getpid()) or self._own()).wait(seconds)

    def stop(self) -> None:
        """End the sampler's thread; a later question starts another."""
        own = self._schedules.get(os.getpid())
        if own:
            own.stop()

    def _own(self) -> Schedule:
        """Return the schedule of this process, however many threads ask at once, and forget its parent's."""
        pid = os.getpid()
        fresh = Schedule(self.entries, self.sites, self.options, self.changed)
        own = self._schedules.setdefault(pid, fresh)
        if own is fresh:
            for other in [known for known in list(self._schedules) if known != pid]:
                self._schedules.pop(other, None)
            log_missing_threads()
        return own


def run_once(entries: Sequence[ProbeEntry], sites: Iterable[str], options: HealthOptions) -> Report:
    """
    Return the report of one run of every probe, each held to its timeout: for commands. Raises RuntimeError when no
    thread can be started.
    """
    patient = Schedule(entries, sites, options, patience=float("inf"))
    patient.begin()
    while any(task.result is None for task in patient.tasks):
        patient.ask()
        time.sleep(POLL)
    patient.stop()
    return patient.make_report()

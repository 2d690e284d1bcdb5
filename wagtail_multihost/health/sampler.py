"""
The sampler: a thread that runs probes repeatedly, and publishes a report that requests only read.

Every probe runs in a daemon thread of its own, and nothing waits for it: a probe that hangs is reported as ``stuck``,
and is not started again until it has ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence

from wagtail_multihost.health.change_notifier import OnChange
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.report import ProbeEntry, Report
from wagtail_multihost.health.schedule import Schedule
from wagtail_multihost.health.server import log_missing_threads

POLL = 0.005


class Sampler:
    """
    Samples ``entries`` for ``sites`` in each process as soon as a request asks for a report there: a child does not use
    what its parent started. ``changed`` is called, in a thread of its own, with the report that was announced last
    (None the first time) and a newer one whose statuses differ. ``began`` is called once in each process.
    """

    def __init__(
        self,
        entries: Iterable[ProbeEntry],
        sites: Iterable[str],
        options: HealthOptions,
        changed: OnChange | None = None,
        began: Callable[[], None] | None = None,
    ) -> None:
        self.entries = tuple(entries)
        self.sites = tuple(sites)
        self.options = options
        self.changed = changed
        self.began = began
        # By process id: a lock that a thread of the parent held at the fork would stay locked in the child, and hooks
        # do not run after the forks of uWSGI (its option py-call-uwsgi-fork-hooks is off by default).
        self._schedules: dict[int, Schedule] = {}

    @property
    def report(self) -> Report | None:
        """The last report of this process; None before the first."""
        own = self._schedules.get(os.getpid())
        return own.report if own else None

    def ask(self) -> Report | None:
        """Return the last report, and keep the sampler running. Never waits."""
        return (self._schedules.get(os.getpid()) or self._own()).ask()

    def is_awaited(self) -> bool:
        """Return whether a newer report is worth waiting for: the first one since the start, or since a delay."""
        own = self._schedules.get(os.getpid()) or self._own()
        own.ask()
        return own.is_awaited()

    def wait(self, seconds: float) -> Report | None:
        """
        Return the last report; wait at most ``seconds`` for the first one, or the first after a long pause. All
        requests together wait no longer than ``BUDGET``.
        """
        return (self._schedules.get(os.getpid()) or self._own()).wait(seconds)

    def stop(self) -> None:
        """End the sampler's thread; a later request starts another."""
        own = self._schedules.get(os.getpid())
        if own:
            own.stop()

    def _own(self) -> Schedule:
        """Return the one schedule of this process, and forget that of its parent; safe in several threads."""
        pid = os.getpid()
        fresh = Schedule(self.entries, self.sites, self.options, self.changed)
        own = self._schedules.setdefault(pid, fresh)
        if own is fresh:
            for other in [known for known in list(self._schedules) if known != pid]:
                self._schedules.pop(other, None)
            log_missing_threads()
            if self.began is not None:
                self.began()
        return own


def run_once(entries: Sequence[ProbeEntry], sites: Iterable[str], options: HealthOptions) -> Report:
    """
    Run every probe once, each until its timeout, and return the report: for commands. Raises RuntimeError if no thread
    can be started.
    """
    patient = Schedule(entries, sites, options, patience=float("inf"))
    patient.begin()
    while any(task.result is None for task in patient.tasks):
        patient.ask()
        time.sleep(POLL)
    patient.stop()
    return patient.make_report()

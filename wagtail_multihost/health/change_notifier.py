"""Announcing reports whose statuses have changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from wagtail_multihost.health.report import Report

OnChange = Callable[[Report | None, Report], None]

logger = logging.getLogger("wagtail_multihost.health")


class ChangeNotifier:
    """
    Calls ``changed`` with the report that was announced last (None the first time) and a newer one if a status differs.
    It runs in a thread of its own, one call at a time: a call that hangs or raises delays no probe, and misses only
    changes that were undone meanwhile.
    """

    def __init__(self, changed: OnChange) -> None:
        self.changed = changed
        self._notified: Report | None = None
        self._latest: Report | None = None
        self._is_notifying = False
        self._lock = threading.Lock()

    def notify(self, report: Report) -> None:
        """Announce ``report`` if it differs; only one thread may call this."""
        with self._lock:
            self._latest = report
            if self._is_notifying or has_same_statuses(self._notified, report):
                return
            self._is_notifying = True
        try:
            threading.Thread(target=self._run, name="multihost-news", daemon=True).start()
        except RuntimeError:  # the container has no more threads: the next report tries again
            self._is_notifying = False

    def _run(self) -> None:
        while news := self._next():
            try:
                self.changed(*news)
            except BaseException:  # SystemExit too: later changes must be announced
                logger.exception("A receiver of health changes failed.")

    def _next(self) -> tuple[Report | None, Report] | None:
        """Return the reports to announce; None if there are none, so that the next one starts a thread."""
        with self._lock:
            before, latest = self._notified, self._latest
            if latest is None or has_same_statuses(before, latest):
                self._is_notifying = False
                return None
            self._notified = latest
            return before, latest


def has_same_statuses(one: Report | None, other: Report) -> bool:
    return one is not None and (one.status, one.sites) == (other.status, other.sites)

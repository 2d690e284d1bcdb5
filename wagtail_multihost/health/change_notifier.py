"""Telling of reports that say something else than those before."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from wagtail_multihost.health.report import Report

OnChange = Callable[[Report | None, Report], None]

logger = logging.getLogger("wagtail_multihost.health")


class ChangeNotifier:
    """
    Calls ``changed`` with the report that was told of last (None the first time) and a newer one, when a status is
    another. It runs in a thread of its own, one call after the other: what hangs or raises there holds up no probe,
    and misses only what has passed meanwhile.
    """

    def __init__(self, changed: OnChange) -> None:
        self.changed = changed
        self._notified: Report | None = None
        self._latest: Report | None = None
        self._is_notifying = False
        self._lock = threading.Lock()

    def notify(self, report: Report) -> None:
        """Take note of ``report``; only one thread may call this."""
        with self._lock:
            self._latest = report
            if self._is_notifying or has_same_statuses(self._notified, report):
                return
            self._is_notifying = True
        try:
            threading.Thread(target=self._run, name="multihost-news", daemon=True).start()
        except RuntimeError:  # the container has no more threads: the next report is told of
            self._is_notifying = False

    def _run(self) -> None:
        while news := self._next():
            try:
                self.changed(*news)
            except BaseException:  # SystemExit too: what comes after is told of
                logger.exception("What is called when a status changes failed.")

    def _next(self) -> tuple[Report | None, Report] | None:
        """Return what is to be told of; None where there is nothing, so that the next report starts a thread."""
        with self._lock:
            before, latest = self._notified, self._latest
            if latest is None or has_same_statuses(before, latest):
                self._is_notifying = False
                return None
            self._notified = latest
            return before, latest


def has_same_statuses(one: Report | None, other: Report) -> bool:
    return one is not None and (one.status, one.sites) == (other.status, other.sites)

"""Telling of reports that say something else than those before."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from wagtail_multihost.health.report import Report

Changed = Callable[[Report | None, Report], None]

logger = logging.getLogger("wagtail_multihost.health")


class News:
    """
    Calls ``changed`` with the report that was told of last (None the first time) and a newer one, when a status is
    another. It runs in a thread of its own, one call after the other: what hangs or raises there holds up no probe,
    and misses only what has passed meanwhile.
    """

    def __init__(self, changed: Changed) -> None:
        self.changed = changed
        self._told: Report | None = None
        self._latest: Report | None = None
        self._is_telling = False

    def tell(self, report: Report) -> None:
        """Take note of ``report``; only one thread may call this."""
        self._latest = report
        if self._is_telling or says_the_same(self._told, report):
            return
        self._is_telling = True
        try:
            threading.Thread(target=self._run, name="multihost-news", daemon=True).start()
        except RuntimeError:  # the container has no more threads: the next report is told of
            self._is_telling = False

    def _run(self) -> None:
        try:
            while (latest := self._latest) is not None and not says_the_same(self._told, latest):
                before, self._told = self._told, latest
                self.changed(before, latest)
        except Exception:
            logger.exception("What is called when a status changes failed.")
        finally:
            self._is_telling = False


def says_the_same(one: Report | None, other: Report) -> bool:
    return one is not None and (one.status, one.sites) == (other.status, other.sites)

"""Taking work of several kinds, carrying out several pieces at a time, and reporting each as soon as it is done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol

from wagtail_multihost.nodeapi.connection import UnreachableError

logger = logging.getLogger(__name__)

MOST_PAUSE = 30.0


class Work(Protocol):
    """
    Work of one kind. ``take`` and ``report`` speak to the database, in one thread; ``carry_out`` speaks to the outside,
    in others, and always returns what came of it. ``most`` are carried out at a time.
    """

    most: int

    def take(self, room: int) -> Iterable[Any]: ...

    def carry_out(self, item: Any) -> Any: ...

    def report(self, item: Any, outcome: Any) -> None: ...


class Rounds:
    """
    What a courier does: up to ``workers`` pieces of ``work`` at a time, and a look for new ones each ``poll`` seconds.
    One thread speaks to the database, the others to the outside.
    """

    def __init__(self, work: Sequence[Work], *, workers: int = 8, poll: float = 2) -> None:
        self.work, self.workers, self.poll = work, workers, poll
        self.running: dict[Future[Any], tuple[Work, Any]] = {}
        self.failures = 0

    def run(self, stopping: threading.Event, *, once: bool = False) -> None:
        """
        Work until ``stopping`` is set, and report what was begun before; or, if it is ``once``, until nothing is left
        to be taken. A database that is away is waited for, unless it is ``once``.
        """
        with ThreadPoolExecutor(self.workers) as pool:
            while self.advance(pool, stopping, once=once):
                self.pause(stopping)

    def advance(self, pool: Executor, stopping: threading.Event, *, once: bool) -> bool:
        """Report what is done and take what there is room for; return whether there is more to do."""
        try:
            self.report_done()
            if not stopping.is_set():
                self.take(pool)
        except UnreachableError as error:
            if once:
                raise
            self.failures += 1
            if self.failures == 1:
                logger.warning("%s Trying again.", error)
            return not stopping.is_set()
        if self.failures:
            logger.info("The database answers again.")
        self.failures = 0
        return bool(self.running) or not (once or stopping.is_set())

    def take(self, pool: Executor) -> None:
        for work in self.work:
            room = min(
                self.workers - len(self.running), work.most - sum(one is work for one, _ in self.running.values())
            )
            for item in work.take(room) if room > 0 else ():
                self.running[pool.submit(work.carry_out, item)] = work, item

    def report_done(self) -> None:
        for future in [future for future in self.running if future.done()]:
            work, item = self.running[future]
            work.report(item, future.result())
            del self.running[future]

    def pause(self, stopping: threading.Event) -> None:
        if self.failures:
            stopping.wait(min(2.0 ** (self.failures - 1), MOST_PAUSE))
        elif self.running:
            wait(self.running, self.poll, FIRST_COMPLETED)
        else:
            stopping.wait(self.poll)

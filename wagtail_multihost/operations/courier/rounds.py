"""Taking checks, carrying out several at a time, and reporting each as soon as it is done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait

from wagtail_multihost.nodeapi.connection import UnreachableError
from wagtail_multihost.operations.courier.proofs import Check, Finding
from wagtail_multihost.operations.courier.work_list import WorkList
from wagtail_multihost.spec.printing import one_line

logger = logging.getLogger(__name__)

MOST_PAUSE = 30.0
FAILED = Finding(False, problem="The courier could not carry the check out. Its log says why.")


class Rounds:
    """
    The work of a courier: up to ``workers`` checks at a time, and a look for new ones each ``poll`` seconds. One thread
    speaks to the database, the others to the outside.
    """

    def __init__(
        self, work_list: WorkList, look: Callable[[Check], Finding], *, workers: int = 8, poll: float = 2
    ) -> None:
        self.work_list, self.look, self.workers, self.poll = work_list, look, workers, poll
        self.running: dict[Future[Finding], Check] = {}
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
        room = self.workers - len(self.running)
        for check in self.work_list.take(room) if room else ():
            self.running[pool.submit(self.carry_out, check)] = check

    def carry_out(self, check: Check) -> Finding:
        try:
            return self.look(check)
        except Exception:
            logger.exception("The check of %s failed.", one_line(check.name))
            return FAILED

    def report_done(self) -> None:
        for future in [future for future in self.running if future.done()]:
            check, finding = self.running[future], future.result()
            if self.work_list.report(check, finding):
                logger.info("%s: %s", one_line(check.name), finding.problem or f"proven ({finding.method})")
            else:
                logger.warning("%s: the check took longer than its lease.", one_line(check.name))
            del self.running[future]

    def pause(self, stopping: threading.Event) -> None:
        if self.failures:
            stopping.wait(min(2.0 ** (self.failures - 1), MOST_PAUSE))
        elif self.running:
            wait(self.running, self.poll, FIRST_COMPLETED)
        else:
            stopping.wait(self.poll)

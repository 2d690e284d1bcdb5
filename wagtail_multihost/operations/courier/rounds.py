"""Taking work of several kinds, carrying out several pieces at a time, and reporting each as soon as it is done."""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

from wagtail_multihost.nodeapi.connection import UnreachableError

logger = logging.getLogger(__name__)

MOST_PAUSE = 30.0


def can_be_read(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


class Work(Protocol):
    """
    Work of one kind. ``take`` and ``report`` speak to the database, in one thread; ``carry_out`` speaks to the outside,
    in others, and always returns what came of it. ``most`` are carried out at a time.
    """

    most: int

    def take(self, room: int) -> Iterable[Any]: ...

    def carry_out(self, item: Any) -> Any: ...

    def report(self, item: Any, outcome: Any) -> None: ...


class Bell(Protocol):
    """Waits until something new may be wanted, at most so many seconds, or until a descriptor can be read."""

    def wait(self, seconds: float, *descriptors: int) -> None: ...


class Rounds:
    """
    What a courier does: up to ``workers`` pieces of ``work`` at a time, and a look for new ones when the ``bell`` rings
    and each ``poll`` seconds. One thread speaks to the database, the others to the outside. Work that is ``apart`` has
    workers of its own, so that neither waits for the other.
    """

    def __init__(
        self,
        work: Sequence[Work],
        bell: Bell,
        *,
        workers: int = 8,
        poll: float = 10,
        apart: Sequence[Work] = (),
    ) -> None:
        self.work, self.bell, self.workers, self.poll, self.apart = work, bell, workers, poll, apart
        self.running: dict[Future[Any], tuple[Work, Any]] = {}
        self.failures = 0
        #: Can be read once a piece of work is done.
        self.done = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def run(self, stopping: int, *, once: bool = False) -> None:
        """
        Work until the descriptor ``stopping`` can be read, and report what was begun before; or, if it is ``once``,
        until nothing is left to be taken. A database that is away is waited for, unless it is ``once``.
        """
        try:
            with ThreadPoolExecutor(self.workers + sum(work.most for work in self.apart)) as pool:
                while self.advance(pool, stopping, once=once):
                    self.pause(stopping)
        finally:
            os.close(self.done)

    def advance(self, pool: Executor, stopping: int, *, once: bool) -> bool:
        """Report what is done and take what there is room for; return whether there is more to do."""
        is_stopping = can_be_read(stopping)
        try:
            self.report_done()
            if not is_stopping:
                self.take(pool)
        except UnreachableError as error:
            if once:
                raise
            self.failures += 1
            if self.failures == 1:
                logger.warning("%s Trying again.", error)
            return not is_stopping
        if self.failures:
            logger.info("The database answers again.")
        self.failures = 0
        return bool(self.running) or not (once or is_stopping)

    def take(self, pool: Executor) -> None:
        for work in (*self.apart, *self.work):
            room = self.room_for(work)
            for item in work.take(room) if room > 0 else ():
                future = pool.submit(work.carry_out, item)
                self.running[future] = work, item
                future.add_done_callback(self.note_done)

    def room_for(self, work: Work) -> int:
        """Return how many more pieces of a kind may be begun."""
        own = work.most - sum(one is work for one, _ in self.running.values())
        if work in self.apart:
            return own
        return min(own, self.workers - sum(one not in self.apart for one, _ in self.running.values()))

    def note_done(self, future: Future[Any]) -> None:
        os.eventfd_write(self.done, 1)

    def report_done(self) -> None:
        for future in [future for future in self.running if future.done()]:
            work, item = self.running[future]
            work.report(item, future.result())
            del self.running[future]

    def pause(self, stopping: int) -> None:
        """Wait until there may be something to do; what was begun before a stop is waited for."""
        is_stopping = can_be_read(stopping)
        if is_stopping and not self.running:
            return
        descriptors = [self.done] if is_stopping else [self.done, stopping]
        if self.failures:
            select.select(descriptors[1:], [], [], min(2.0 ** (self.failures - 1), MOST_PAUSE))
        else:
            self.bell.wait(self.poll, *descriptors)
        with suppress(BlockingIOError):
            os.eventfd_read(self.done)

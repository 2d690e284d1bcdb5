"""Waiting for a change, and for those that follow it, so that they are applied together."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from wagtail_multihost.node.database import NodeDatabase

logger = logging.getLogger(__name__)

#: Seconds. What changes here within the first is applied together, but nothing waits longer than the second.
QUIET, LONGEST_QUIET = 0.2, 2.0
#: After so long without a change, the next one does not wait.
CALM = 10.0


class Waiter:
    """Waits for bells. It ends at once when one of the ``descriptors`` can be read."""

    def __init__(self, database: NodeDatabase, *descriptors: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.database, self.descriptors, self.clock = database, descriptors, clock
        self.changed_at = -CALM

    def note_change(self) -> None:
        """Say that something was just applied."""
        self.changed_at = self.clock()

    def wait(self, seconds: float) -> None:
        """Wait for a bell, at most so many seconds."""
        self.database.wait(seconds, *self.descriptors)

    def settle(self, read: Callable[[], bool]) -> None:
        """
        After a change of this node, unless it was calm before, wait until there has been none for a moment. Each bell
        makes a ``read``, which returns whether that has brought one: most bells are for other nodes.
        """
        begin = last = self.clock()
        if begin - self.changed_at > CALM:
            return
        while (left := min(last + QUIET, begin + LONGEST_QUIET) - self.clock()) > 0:
            if not self.database.wait(left, *self.descriptors):
                break
            if read():
                last = self.clock()
        logger.debug("It was quiet after %.3f s.", self.clock() - begin)

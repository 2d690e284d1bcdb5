"""Waiting for a change, and for those that follow it, so that they are applied together."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from wagtail_multihost.node.database import NodeDatabase

logger = logging.getLogger(__name__)

#: Seconds. What rings within the first is applied together, but nothing waits longer than the second.
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
        """Wait for a bell and, unless it was calm before, until it has been quiet for a moment."""
        if not self.database.wait(seconds, *self.descriptors) or self.clock() - self.changed_at > CALM:
            return
        begin = self.clock()
        while self.clock() < begin + LONGEST_QUIET and self.database.wait(QUIET, *self.descriptors):
            pass
        logger.debug("It was quiet after %.3f s.", self.clock() - begin)

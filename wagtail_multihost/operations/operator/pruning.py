"""Deleting what monitors concluded long ago: a bounded part now and then, so that no round is long."""

from __future__ import annotations

import time
from collections.abc import Callable

from wagtail_multihost.nodeapi.history_v1 import MOST_ROWS, PRUNE_HISTORY
from wagtail_multihost.operations.operator.database import Ask

#: Seconds between two looks, and while there is more than one look deletes.
SECONDS, SECONDS_WHILE_MORE = 600.0, 5.0


class HistoryPruner:
    """Remembers when it has to look again; ``clock`` counts seconds."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self.ask, self.clock = ask, clock
        self.due = clock()

    def prune_when_due(self) -> int:
        """Delete some of what is old, if it is time; return how many rows that were."""
        if self.clock() < self.due:
            return 0
        count = int(self.ask(PRUNE_HISTORY, ())[0][0])
        self.due = self.clock() + (SECONDS_WHILE_MORE if count >= MOST_ROWS else SECONDS)
        return count

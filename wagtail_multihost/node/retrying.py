"""When to try again what failed: never in a loop without a wait."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds before the first attempt after a failure, doubled each time.
FIRST, LONGEST = 5.0, 300.0
#: The same while the database is away.
FIRST_AWAY, LONGEST_AWAY = 0.05, 5.0


class Retries:
    """How often something has failed in a row, and when the next attempt is due."""

    def __init__(self, first: float, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.first, self.longest, self.clock = first, longest, clock
        self.failures = 0
        self.due_at = 0.0

    def fail(self, share: float = 1.0) -> float:
        """Count a failure; return after how many seconds the next attempt is due: that ``share`` of the usual time."""
        seconds = share * min(self.first * 2.0 ** min(self.failures, 30), self.longest)
        self.failures += 1
        self.due_at = self.clock() + seconds
        return seconds

    def clear(self) -> None:
        """Count from the beginning again: it has succeeded."""
        self.failures = 0

    def hasten(self) -> None:
        """Try again now: what was in the way is gone."""
        self.due_at = self.clock()

    @property
    def is_due(self) -> bool:
        """Whether something failed, and is to be tried again now."""
        return self.failures > 0 and self.clock() >= self.due_at

    def bound(self, seconds: float) -> float:
        """Return how long to wait, at most so many ``seconds``, until the next attempt."""
        return min(seconds, max(0.0, self.due_at - self.clock())) if self.failures else seconds

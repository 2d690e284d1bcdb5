"""Keeping the agent's state: at once, but not at each of many changes that follow one another."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from wagtail_multihost.node.state_file import State, keep_state

logger = logging.getLogger(__name__)

#: Seconds between two writes.
PAUSE = 5.0


class Keeper:
    """Keeps the state of the registry at ``url`` in a ``folder``; what is ``kept`` is not written again."""

    def __init__(
        self, folder: Path, url: str, kept: State | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder, self.url, self.clock = folder, url, clock
        self.kept = kept
        self.newest = kept
        self.written_at = -PAUSE

    def keep(self, state: State) -> None:
        """Keep a state now, or soon."""
        self.newest = state
        if self.clock() - self.written_at >= PAUSE:
            self.write()

    @property
    def is_owing(self) -> bool:
        return self.newest != self.kept

    def bound(self, seconds: float) -> float:
        """Return how long to wait, at most so many ``seconds``, until something is to be written."""
        return min(seconds, max(0.0, self.written_at + PAUSE - self.clock())) if self.is_owing else seconds

    def write(self) -> None:
        """Write what was not written yet. That it cannot be is said, and changes nothing else."""
        if not self.is_owing or self.newest is None:
            return
        self.written_at = self.clock()
        try:
            keep_state(self.folder, self.url, self.newest)
        except OSError as error:
            logger.warning("What is known cannot be kept in %s: %s.", self.folder, error.strerror)
        else:
            self.kept = self.newest

"""Waiting for what was started, as long as there is reason to."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Protocol

from wagtail_multihost.exceptions import MultihostError

STEP_SECONDS = 0.5
STOPPING, LATE = "The agent stops.", "It was not done in time."


class Patience(Protocol):
    """What says how many ``seconds`` are left, and waits."""

    @property
    def seconds(self) -> float:
        """How many seconds are left."""

    def pause(self, seconds: float, *descriptors: int) -> bool:
        """Wait, at most so long, until a descriptor can be read; return whether one can. Raises to give up."""


class OwnPatience:
    """Waits so many ``seconds`` at most, and no longer than until ``is_stopping`` returns true."""

    def __init__(self, seconds: float, is_stopping: Callable[[], bool]) -> None:
        self.deadline, self.is_stopping = time.monotonic() + seconds, is_stopping

    @property
    def seconds(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def pause(self, seconds: float, *descriptors: int) -> bool:
        """Wait as above; raises MultihostError when the time is over, or the agent stops."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.is_stopping():
                raise MultihostError(STOPPING)
            if not self.seconds:
                raise MultihostError(LATE)
            if select.select(descriptors, [], [], min(left, STEP_SECONDS))[0]:
                return True
        return False

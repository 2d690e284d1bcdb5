"""What the kit tells while a person waits for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

#: Nothing is told before, and a line at most as often as the second says.
FIRST_SECONDS, EACH_SECONDS = 2, 10


class Progress:
    """Passes a line on to ``tell`` if the kit works for long: what it is doing, and for how many seconds by now."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.tell = tell
        self.clock = clock
        self.started = clock()
        self.step = ""
        self.told: tuple[str, float] | None = None

    def begin(self, step: str) -> None:
        """Note that ``step`` begins; it is told only if somebody waits for it."""
        self.step = step

    def tick(self) -> None:
        """Tell the step, if it is time for a line; called again and again while the kit waits."""
        now = self.clock()
        if now - self.started < FIRST_SECONDS:
            return
        if self.told and self.told[0] == self.step and now - self.told[1] < EACH_SECONDS:
            return
        self.told = (self.step, now)
        self.tell(f"Isolation: {self.step} ({now - self.started:.0f} s)")


def tell_on_stderr(line: str) -> None:
    """Write a line to the standard error output."""
    print(line, file=sys.stderr, flush=True)

"""
When each hostname is asked: once in a period, at a moment of its own that follows from its name, give or take a little.
So hundreds of hostnames spread over the period by themselves, however often the list changes or the monitor starts; and
what was missed while the machine slept is not made up for all at once.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Set

#: How far, as a share of the period, a probe is moved around its moment.
JITTER = 0.05
#: A hostname that is new to a monitor that runs is asked within so many seconds.
SOON = 5.0
#: A second look at a hostname that was met as bad: after so many seconds, or sooner with a short period.
SECOND_LOOK, SHARE_OF_PERIOD = 10.0, 1 / 3
SPAN = float(1 << 64)


def share_of(*words: object) -> float:
    """Return a number from 0 to 1 that follows from ``words`` alone."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / SPAN


class Schedule:
    """The moments at which hostnames are asked; ``place`` keeps the monitors of several nodes from asking in step."""

    def __init__(self, place: str, period: float) -> None:
        self.place, self.period = place, period
        self.moments: dict[str, float] = {}
        self.queue: list[tuple[float, str]] = []

    def replace(self, hostnames: Set[str], now: float, *, is_first: bool = False) -> None:
        """Ask these hostnames from now on, and no others: new ones soon, unless they are the first of all."""
        for name in self.moments.keys() - hostnames:
            del self.moments[name]
        for name in sorted(hostnames - self.moments.keys()):
            if is_first:
                self.put(name, self.next_moment(name, now))
            else:
                self.ask_soon(name, now)
        # Moments that were put off are left in the queue and passed over, but not for ever.
        if len(self.queue) > 2 * len(self.moments) + 100:
            self.queue = [(moment, name) for name, moment in self.moments.items()]
            heapq.heapify(self.queue)

    def next_moment(self, name: str, after: float) -> float:
        """Return when a hostname is asked next, after a point in time."""
        phase = self.period * share_of(self.place, name)
        number = int((after - phase) // self.period)
        while (moment := self.moment(name, phase, number)) <= after:
            number += 1
        return moment

    def moment(self, name: str, phase: float, number: int) -> float:
        """Return when a hostname is asked in the period of that number."""
        jitter = self.period * JITTER * (2 * share_of(self.place, name, number) - 1)
        return number * self.period + phase + jitter

    def put(self, name: str, moment: float) -> None:
        self.moments[name] = moment
        heapq.heappush(self.queue, (moment, name))

    def ask_soon(self, name: str, now: float) -> None:
        """Ask a hostname within seconds, and then again in its period."""
        self.put(name, now + min(SOON, self.period) * share_of(self.place, name, "soon"))

    def look_again(self, name: str, now: float) -> None:
        """Ask a hostname once more soon, and then again in its period."""
        if name in self.moments:
            wait = min(SECOND_LOOK, self.period * SHARE_OF_PERIOD)
            self.put(name, min(self.moments[name], now + wait * (0.5 + share_of(self.place, name, now) / 2)))

    def take_due(self, now: float) -> list[str]:
        """
        Return the hostnames that are to be asked now, and put them off until their next moment. One whose moment was
        missed by more than half a period waits for the next one.
        """
        due = []
        while self.queue and self.queue[0][0] <= now:
            moment, name = heapq.heappop(self.queue)
            if self.moments.get(name) != moment:
                continue
            if now - moment <= self.period / 2:
                due.append(name)
            self.put(name, self.next_moment(name, max(now, moment + self.period / 2)))
        return due

    def next_due(self, now: float) -> float:
        """Return in how many seconds something is due; a whole period where nothing is."""
        return max(0.0, self.queue[0][0] - now) if self.queue else self.period

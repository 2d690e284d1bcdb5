"""
How many probes run at a time: a number in all, and fewer of one site. Sites take turns, so that one with a thousand
hostnames that answer nothing keeps only its own waiting.
"""

from __future__ import annotations

from collections import Counter, deque


class Lanes:
    """Hostnames that wait for their probe, and those whose probe runs; one is never in here twice."""

    def __init__(self, most: int, most_of_site: int) -> None:
        self.most, self.most_of_site = most, most_of_site
        self.waiting: dict[str, deque[str]] = {}
        self.running: Counter[str] = Counter()
        self.names: set[str] = set()
        #: Sites with hostnames that wait: those whose turn comes, and those that have as many probes as they may.
        self.turns: deque[str] = deque()
        self.held: set[str] = set()

    def add(self, site: str, name: str) -> bool:
        """Let a hostname of a site wait; return False for one that waits or is being asked."""
        if name in self.names:
            return False
        self.names.add(name)
        if site not in self.waiting:
            self.waiting[site] = deque()
            self.turns.append(site)
        self.waiting[site].append(name)
        return True

    def take(self) -> list[tuple[str, str]]:
        """Return the sites and hostnames that are to be asked now."""
        taken = []
        while self.turns and self.running.total() < self.most:
            site = self.turns.popleft()
            if self.running[site] >= self.most_of_site:
                self.held.add(site)
                continue
            name = self.waiting[site].popleft()
            self.running[site] += 1
            taken.append((site, name))
            if self.waiting[site]:
                self.turns.append(site)
            else:
                del self.waiting[site]
        return taken

    def end(self, site: str, name: str) -> None:
        """Note that the probe of a hostname has ended."""
        self.names.discard(name)
        self.running[site] -= 1
        if not self.running[site]:
            del self.running[site]
        if site in self.held:
            self.held.discard(site)
            self.turns.append(site)

    @property
    def is_empty(self) -> bool:
        return not self.names

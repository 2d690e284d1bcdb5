"""
Probe keys of sites: each has one of its own, imported or not, which is made here and kept and sealed as its other
secrets are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from wagtail_multihost.nodeapi.operator_v1 import PROBE_KEY
from wagtail_multihost.operations.operator.site_keys import MOST_AT_ONCE, SiteKeys
from wagtail_multihost.spec.proofs import make_probe_key

#: A process reads its key when it starts: so many sites that run already start again in so many seconds.
MOST_RESTARTS, PAUSE = 20, 60.0
#: First those that no node serves yet: they get it together with their first keys.
WITHOUT_PROBE_KEY = f"""
SELECT uid, is_served FROM operator_v1.probe_key WHERE NOT has_probe_key ORDER BY is_served, id LIMIT {MOST_AT_ONCE}
"""  # noqa: S608  # a constant


class ProbeKeys:
    """Makes the probe keys of sites, which ``keys`` keeps; ``clock`` is one that only goes forward, in seconds."""

    def __init__(self, keys: SiteKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self.keys, self.clock = keys, clock
        self.next_restarts = float("-inf")

    def make_missing(self) -> int:
        """
        Make a probe key for each site that has none, a few at a time for those that are served already; return how
        many.
        """
        rows = self.keys.database.ask(WITHOUT_PROBE_KEY)
        new = [uid for uid, is_served in rows if not is_served]
        served = [uid for uid, is_served in rows if is_served]
        chosen = new + (served[:MOST_RESTARTS] if self.clock() >= self.next_restarts else [])
        if not chosen:
            return 0
        with self.keys.keeping():
            for uid in chosen:
                self.keys.keep(uid, PROBE_KEY, 1, make_probe_key().reveal())
        if len(chosen) > len(new):
            self.next_restarts = self.clock() + PAUSE
        return len(chosen)

    def rotate(self, sites: Collection[str]) -> int:
        """Give each site another probe key; monitors take no proof by the former one any more. Return how many."""
        count = 0
        for _, uid, _ in self.keys.find(sites):
            kept = self.keys.read(uid)
            if PROBE_KEY in kept:
                with self.keys.keeping():
                    self.keys.keep_next(uid, kept, PROBE_KEY, make_probe_key().reveal())
                count += 1
        return count

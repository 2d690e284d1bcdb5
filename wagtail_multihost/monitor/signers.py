"""
Whose proof an answer has. A site can only prove itself, but whatever answers in its place can give a proof that is
nobody's, and have the monitor try the keys of all sites: so that has a budget of processor time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from uuid import UUID

from wagtail_multihost.nodeapi.probe_files import Target
from wagtail_multihost.spec.proofs import PROOF, is_proof

#: Keys that are tried before others get their turn.
SLICE = 20
#: Seconds of processor time for trying keys: at once, and as a share of all time.
MOST_AT_ONCE, SHARE = 20.0, 0.1


class Signers:
    """The probe keys of all sites that are known, and what was found with them."""

    def __init__(self) -> None:
        self.keys: dict[UUID, bytes] = {}
        self.seen: dict[str, UUID] = {}
        self.budget, self.counted_at = MOST_AT_ONCE, time.monotonic()
        self.searching = asyncio.Lock()

    def replace(self, targets: Iterable[Target]) -> None:
        listed = tuple(targets)
        self.keys = {target.uid: target.key for target in listed if target.key}
        names = {target.hostname for target in listed}
        self.seen = {name: uid for name, uid in self.seen.items() if name in names and uid in self.keys}

    async def find(self, target: Target, proof: str, nonce: str, status: int) -> UUID | None:
        """Return the site that made a proof for this question; None for nobody, or where the budget is used up."""
        if not PROOF.fullmatch(proof):
            return None
        first = [target.uid, self.seen.get(target.hostname)]
        for uid in first:
            if uid is not None and self.is_from(uid, target, proof, nonce, status):
                return uid
        # Whoever comes while another one searches is told nothing now, and asks again with the next probe.
        if self.searching.locked() or not self.has_budget():
            return None
        async with self.searching:
            return await self.search(target, proof, nonce, status)

    async def search(self, target: Target, proof: str, nonce: str, status: int) -> UUID | None:
        uids = [*self.keys]
        for start in range(0, len(uids), SLICE):
            begun = time.thread_time()
            for uid in uids[start : start + SLICE]:
                if self.is_from(uid, target, proof, nonce, status):
                    self.seen[target.hostname] = uid
                    return uid
            self.budget -= time.thread_time() - begun
            if self.budget < 0:
                return None
            await asyncio.sleep(0)
        return None

    def is_from(self, uid: UUID, target: Target, proof: str, nonce: str, status: int) -> bool:
        key = self.keys.get(uid)
        return key is not None and is_proof(proof, key, nonce, target.hostname, uid, status)

    def has_budget(self) -> bool:
        now = time.monotonic()
        self.budget = min(MOST_AT_ONCE, self.budget + (now - self.counted_at) * SHARE)
        self.counted_at = now
        return self.budget > 0

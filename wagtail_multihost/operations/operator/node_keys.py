"""
Which nodes' keys secrets are sealed to. What the database says of that is a hint: a key counts if a token that was
minted here proves it, or a person has confirmed its fingerprint here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from wagtail_multihost.operations.operator.database import Ask
from wagtail_multihost.sealing import fingerprint_of

#: So many are listed in one answer; a fleet has fewer.
MOST_NODES = 20_000
READ = f"""
SELECT node, "group", holds, state, public_key, token, proof, seen_at FROM operator_v1.node_key
ORDER BY node LIMIT {MOST_NODES}
"""  # noqa: S608  # a constant


class NodeKey(NamedTuple):
    """A node's public key, and what the database says of who has it."""

    node: str
    group: str
    holds: str
    state: str
    public_key: bytes
    token: UUID | None
    proof: bytes | None
    seen_at: datetime | None

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.public_key)

    @property
    def standing(self) -> dict[str, str]:
        """What is remembered of it: with another key, in another group, or in one that holds more, it is unknown."""
        return {"fingerprint": self.fingerprint, "group": self.group, "holds": self.holds}


def read_node_keys(ask: Ask) -> list[NodeKey]:
    """Return the keys of all nodes; raises MultihostError."""
    return [
        NodeKey(node, group, holds, state, bytes(key), token, bytes(proof) if proof else None, seen_at)
        for node, group, holds, state, key, token, proof, seen_at in ask(READ, ())
    ]


def find_node_key(keys: Iterable[NodeKey], node: str) -> NodeKey | None:
    return next((key for key in keys if key.node == node), None)

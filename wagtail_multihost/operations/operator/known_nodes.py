"""The nodes that are known here, by the fingerprints of their keys: confirmed by a person, or proven by a token."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from wagtail_multihost.operations.operator.folder import Document, OperatorFolder
from wagtail_multihost.operations.operator.node_keys import NodeKey
from wagtail_multihost.operations.operator.tokens import TokenStore, proves

FILE_NAME = "nodes.json"
PERSON, TOKEN = "person", "token"
#: Of nodes that come and go, the oldest that are gone are dropped from so many on.
MOST_KEPT = 5000


class KnownNodes:
    """The nodes that the operator's ``folder`` knows."""

    def __init__(self, folder: OperatorFolder, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.tokens = TokenStore(folder, clock)
        self.clock = clock

    def confirm(self, key: NodeKey) -> None:
        """Remember a key whose fingerprint a person has compared with what the node itself says."""
        self.remember([(key, PERSON)], [key.node])

    def choose_known(self, keys: Iterable[NodeKey]) -> list[NodeKey]:
        """
        Return those of the ``keys`` that are known here. A proof is remembered, as the token that it is of is not kept
        for ever.
        """
        listed = list(keys)
        known = self.folder.read(FILE_NAME)
        tokens = self.tokens.read()
        remembered = [key for key in listed if is_remembered(known, key)]
        proven = [key for key in listed if not is_remembered(known, key) and proves(tokens, key)]
        if proven:
            self.remember([(key, TOKEN) for key in proven], [key.node for key in listed])
        return [*remembered, *proven]

    def remember(self, keys: Iterable[tuple[NodeKey, str]], listed: Iterable[str]) -> None:
        with self.folder.locked():
            known = self.folder.read(FILE_NAME)
            for key, by in keys:
                known[key.node] = {**key.standing, "by": by, "since": self.clock()}
            self.folder.write(FILE_NAME, without_oldest(known, frozenset(listed)))


def is_remembered(known: Document, key: NodeKey) -> bool:
    entry = known.get(key.node, {})
    return {name: entry.get(name) for name in key.standing} == key.standing


def without_oldest(known: Document, listed: frozenset[str]) -> Document:
    gone = sorted(
        (node for node, entry in known.items() if node not in listed and entry["by"] == TOKEN),
        key=lambda node: float(known[node]["since"]),
    )
    dropped = frozenset(gone[: max(0, len(known) - MOST_KEPT)])
    return {node: entry for node, entry in known.items() if node not in dropped}

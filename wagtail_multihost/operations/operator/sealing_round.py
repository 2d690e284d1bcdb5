"""One round of sealing: what is kept for recovery is opened, and sealed to each node that has the site."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from wagtail_multihost.operations.operator.database import OperatorDatabase
from wagtail_multihost.operations.operator.known_nodes import KnownNodes
from wagtail_multihost.operations.operator.node_keys import NodeKey, read_node_keys
from wagtail_multihost.operations.operator.recovery import Opens
from wagtail_multihost.sealing import SealingError, can_be_sealed_to, purpose_of, seal_text
from wagtail_multihost.spec.printing import one_line

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 500
UNSEALED = f"""
SELECT node, site, uid, field, version, sealed FROM operator_v1.unsealed WHERE node = ANY(%s)
ORDER BY node, site, field LIMIT {MOST_AT_ONCE}
"""  # noqa: S608  # a constant
SEAL = "SELECT operator_v1.seal(%s, %s, %s, %s, %s, %s)"
UNKNOWN = (
    "Nothing is sealed for the node %s: its key is not known here. Compare the fingerprint that multihost-agent "
    "--fingerprint prints there, and run: multihost-operator confirm %s FINGERPRINT"
)
UNUSABLE = "Nothing is sealed for the node %s: its key is none that an honest node makes. Find out who let it join."


class Sealer:
    """Seals what is missing; of a node that it does not know it says so once."""

    def __init__(self, database: OperatorDatabase, recovery: Opens, nodes: KnownNodes) -> None:
        self.database, self.recovery, self.nodes = database, recovery, nodes
        self.warned: frozenset[tuple[str, str]] = frozenset()
        self.broken: frozenset[tuple[str, str, int]] = frozenset()

    def seal_what_is_missing(self) -> int:
        """
        Seal each secret that a known node has not got yet; return how many. All of a site is seen together by a node.
        """
        keys = read_node_keys(self.database.ask)
        known = {key.node: key for key in self.nodes.choose_known(keys) if can_be_sealed_to(key.public_key)}
        self.warn_of_unknown(key for key in keys if key.node not in known)
        if not known:
            return 0
        rows = self.database.ask(UNSEALED, ([*known],))
        batches = [list(batch) for _, batch in groupby(rows, key=lambda row: row[:2])]
        if len(rows) == MOST_AT_ONCE and len(batches) > 1:
            batches.pop()  # not all of it may be here
        if not batches:
            return 0
        count = 0
        with self.database.transaction():
            for batch in batches:
                count += self.seal_batch(batch, known[batch[0][0]])
        return count

    def seal_batch(self, rows: Iterable[tuple[Any, ...]], key: NodeKey) -> int:
        """Seal all that is missing of one site for one node; nothing of it where a part cannot be opened."""
        made = []
        for node, site, uid, field, version, sealed in rows:
            purpose = purpose_of(str(uid), field, int(version))
            try:
                text = self.recovery.open(bytes(sealed), purpose)
            except SealingError as error:
                self.say_broken(site, field, int(version), str(error))
                return 0
            made.append((uid, field, version, node, key.fingerprint, seal_text(text, key.public_key, purpose)))
        return sum(self.database.ask(SEAL, values)[0][0] is not None for values in made)

    def say_broken(self, site: str, field: str, version: int, reason: str) -> None:
        if (site, field, version) not in self.broken:
            self.broken |= {(site, field, version)}
            logger.error("%s of the site %s cannot be sealed to nodes: %s", one_line(field), one_line(site), reason)

    def warn_of_unknown(self, keys: Iterable[NodeKey]) -> None:
        unknown = {(key.node, key.fingerprint): key for key in keys}
        for one in sorted(unknown.keys() - self.warned):
            node = one_line(one[0])
            if can_be_sealed_to(unknown[one].public_key):
                logger.warning(UNKNOWN, node, node)
            else:
                logger.warning(UNUSABLE, node)
        self.warned = frozenset(unknown)

"""One round of sealing: what is kept for recovery is opened, and sealed to each node that has the site."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wagtail_multihost.operations.operator.tokens import TokenStore
from wagtail_multihost.sealing import SealingError, fingerprint_of, open_text, purpose_of, seal_text
from wagtail_multihost.spec.printing import one_line

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

logger = logging.getLogger(__name__)

#: Asks the database: a statement and its values.
Ask = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
UNSEALED = (
    "SELECT uid, site, field, version, sealed, node, public_key, fingerprint, proof, token, confirmed_at "
    "FROM operator_v1.unsealed ORDER BY node, site, field LIMIT 500"
)
SEAL = "SELECT operator_v1.seal(%s, %s, %s, %s, %s, %s)"


def seal_what_is_missing(ask: Ask, recovery: X25519PrivateKey, tokens: TokenStore, confirmed: Mapping[str, str]) -> int:
    """
    Seal each secret that a node has not got yet; return how many. A node's key counts if its proof is of a token that
    was minted here, or its fingerprint was ``confirmed`` here by a person: what the database says of that counts nothing.
    """
    count = 0
    refused: set[str] = set()
    for uid, site, field, version, sealed, node, public_key, fingerprint, proof, token, _ in ask(UNSEALED, ()):
        key = bytes(public_key)
        is_known = confirmed.get(node) == fingerprint_of(key) or tokens.accepts(
            token, node, key, bytes(proof) if proof else None
        )
        if not is_known:
            refused.add(node)
            continue
        purpose = purpose_of(str(uid), field, int(version))
        try:
            text = open_text(bytes(sealed), recovery, purpose)
        except SealingError as error:
            logger.error("%s of the site %s: %s", one_line(field), one_line(site), error)
            continue
        ask(SEAL, (uid, field, version, node, fingerprint, seal_text(text, key, purpose)))
        count += 1
    for node in sorted(refused):
        logger.warning(
            "Nothing is sealed for the node %s: its key has no proof of a token. Compare its fingerprint, and run "
            "multihost-operator confirm %s.",
            one_line(node),
            one_line(node),
        )
    return count

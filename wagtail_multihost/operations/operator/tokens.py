"""Group tokens that were minted here: the operator keeps their secrets in its folder, so that it can check proofs."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

from wagtail_multihost.nodeapi.join_v1 import GroupToken, make_token, parse_token
from wagtail_multihost.operations.operator.folder import Document, OperatorFolder
from wagtail_multihost.operations.operator.node_keys import NodeKey

FILE_NAME = "tokens.json"
#: Seconds that a token's proofs are accepted after its end: of a node that joined in its last moment while the operator
#: process was away.
GRACE = 86_400


class TokenStore:
    """The tokens in the operator's ``folder``."""

    def __init__(self, folder: OperatorFolder, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.clock = clock

    def mint(self, group: str, holds: str, seconds: float) -> GroupToken:
        """Return a new token that lets nodes join a group for so many seconds, once it is kept."""
        token = make_token()
        with self.folder.locked():
            kept = self.read()
            kept[str(token.id)] = {
                "token": token.text,
                "group": group,
                "holds": holds,
                "until": self.clock() + seconds,
            }
            self.folder.write(FILE_NAME, kept)
        return token

    def read(self) -> Document:
        """Return those whose proofs are still accepted."""
        now = self.clock()
        return {name: entry for name, entry in self.folder.read(FILE_NAME).items() if entry["until"] + GRACE > now}


def proves(tokens: Document, key: NodeKey) -> bool:
    """Return whether a node has proven that it has a token of its group, which holds what it did then."""
    entry = tokens.get(str(key.token))
    if entry is None or key.proof is None or (entry["group"], entry["holds"]) != (key.group, key.holds):
        return False
    return hmac.compare_digest(parse_token(str(entry["token"])).prove(key.node, key.public_key), key.proof)

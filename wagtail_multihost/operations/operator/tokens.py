"""Group tokens that were minted here: their secrets stay in a folder of the operator's, so that proofs can be checked."""

from __future__ import annotations

import hmac
import json
import time
from pathlib import Path
from uuid import UUID

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.nodeapi.join_v1 import GroupToken, make_token, parse_token
from wagtail_multihost.spec.permissions import OWNER_ALONE, access_problem, own_accounts

FILE_NAME = "tokens.json"
#: Seconds that a token's secret is kept after its end: a node that joined in its last moment is sealed to afterwards.
GRACE = 86_400


class TokenStore:
    """The tokens in a ``folder`` that nobody else can read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def mint(self, seconds: float) -> GroupToken:
        """Return a new token that is good for so many seconds, once it is kept; raises OSError."""
        token = make_token()
        known = self.read()
        now = time.time()
        kept = {name: entry for name, entry in known.items() if entry["until"] + GRACE > now}
        kept[str(token.id)] = {"token": token.text, "until": now + seconds}
        write_files([NewFile(str(self.path), f"{json.dumps(kept, indent=1)}\n".encode())])
        return token

    def read(self) -> dict[str, dict[str, str | float]]:
        """Return what is kept; raises MultihostError for a file that is not to be trusted."""
        try:
            data, status = read_no_follow(self.path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise MultihostError(f"{self.path}: It cannot be read: {error.strerror}.") from None
        if problem := access_problem(status, OWNER_ALONE, own_accounts()):
            raise MultihostError(f"{self.path}: {problem}")
        try:
            return dict(json.loads(data))
        except ValueError:
            raise MultihostError(f"{self.path}: It was not written by multihost-operator.") from None

    def accepts(self, token: UUID | None, node: str, public_key: bytes, proof: bytes | None) -> bool:
        """Return whether a proof is that of a node which has the token."""
        entry = self.read().get(str(token)) if token and proof else None
        if entry is None or proof is None:
            return False
        return hmac.compare_digest(parse_token(str(entry["token"])).prove(node, public_key), proof)

"""The node's own key, which opens what is sealed for it, and never leaves this machine."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.node.reading import Table

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

KEY_FILE = "node.key"
NO_KEY = "This node has no key to open what is sealed for it: {path} is missing. Let the node join, or make one."


class Opener:
    """Opens what is sealed to the key in a ``folder``; the key is read when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / KEY_FILE
        self.key: X25519PrivateKey | None = None

    def __call__(self, uid: str, field: str, sealing: Table) -> str:
        """Return a secret of the site ``uid``; raises MultihostError."""
        from wagtail_multihost.sealing import open_text, purpose_of, read_key_file  # only where something is sealed

        try:
            self.key = self.key or read_key_file(self.path)
            sealed = base64.b64decode(str(sealing["sealed"]))
        except FileNotFoundError:
            raise MultihostError(NO_KEY.format(path=self.path)) from None
        except binascii.Error:
            raise MultihostError("What is sealed is not whole.") from None
        return open_text(sealed, self.key, purpose_of(uid, field, int(sealing["version"])))

"""
The node's own key, which opens what is sealed for it, and never leaves this machine; and how a record refers to that.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.node.reading import Table
from wagtail_multihost.nodeapi.operator_v1 import FALLBACKS
from wagtail_multihost.registry.node_keys import site_table
from wagtail_multihost.registry.record import ENVIRONMENT_REFERENCE
from wagtail_multihost.registry.references import SEALED

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

KEY_FILE = "node.key"
NO_KEY = "This node has no key to open what is sealed for it: {path} is missing. Let the node join, or make one."


class Opener:
    """
    Opens what is sealed to the key in a ``folder`` or, as in a bundle of its group, to the one in the file
    ``group_key``; keys are read when they are first needed.
    """

    def __init__(self, folder: Path, group_key: Path | None = None) -> None:
        self.path = folder / KEY_FILE
        self.paths = (self.path, *((group_key,) if group_key else ()))
        self.keys: dict[Path, X25519PrivateKey] = {}

    def __call__(self, uid: str, field: str, sealing: Table) -> str:
        """Return a secret of the site ``uid``; raises MultihostError."""
        from wagtail_multihost.sealing import SealingError, open_text, purpose_of  # only where something is sealed

        try:
            sealed = base64.b64decode(str(sealing["sealed"]))
        except binascii.Error:
            raise MultihostError("What is sealed is not whole.") from None
        problem = MultihostError(NO_KEY.format(path=self.path))
        for path in self.paths:
            try:
                return open_text(sealed, self.read_key(path), purpose_of(uid, field, int(sealing["version"])))
            except FileNotFoundError:
                continue
            except SealingError as error:
                problem = error
        raise problem

    def read_key(self, path: Path) -> X25519PrivateKey:
        from wagtail_multihost.sealing import read_key_file

        if path not in self.keys:
            self.keys[path] = read_key_file(path)
        return self.keys[path]


def is_secret(field: str) -> bool:
    """
    Return whether a path in a site's record is that of a secret. Nothing else may be sealed: the keys of nodes are
    public, and what is opened is laid over the node file.
    """
    *tables, name = field.split(".")
    known = site_table()
    for table in tables:
        known = known[table].inner if table in known else {}
    return name in known and known[name].is_secret and not known[name].inner


def value_of(field: str, text: str) -> str | list[str]:
    """Return what was sealed under the path of a key, as a record has it; raises MultihostError."""
    if field != FALLBACKS:
        found: Any = text
    else:
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise MultihostError("What is sealed is no list.")
    for value in found if isinstance(found, list) else [found]:
        if not isinstance(value, str) or value.startswith((ENVIRONMENT_REFERENCE, SEALED)):
            raise MultihostError("What is sealed is no secret: it would be taken for a reference to one.")
    return list(found) if isinstance(found, list) else str(found)


def sealed_paths(record: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the paths of the keys of a record that refer to what is sealed."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from sealed_paths(value, f"{path}{name}.")
        elif value == SEALED:
            yield f"{path}{name}"


def without_references(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without what refers to sealed secrets, which are laid over it."""
    return {
        name: without_references(value) if isinstance(value, dict) else value
        for name, value in record.items()
        if value != SEALED
    }

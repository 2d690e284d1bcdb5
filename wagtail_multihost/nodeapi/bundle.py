"""
The form of a bundle, which the operator process writes and nodes read: a line with the signature, then JSON. Nothing of
it is read before the signature was found to fit.
"""

from __future__ import annotations

import base64
import json
from typing import Any

#: So that no signature made for another purpose fits.
CONTEXT = b"wagtail-multihost bundle\0"
HEAD = b"multihost-bundle 1 "
SIGNATURE_BYTES = 64
FORMAT = 1
#: Records of some ten thousand sites.
MOST_BYTES = 200_000_000
KEYS = {
    "format": int,
    "made_at": str,
    "kind": str,
    "owner": str,
    "incarnation": str,
    "revision": int,
    "node": dict,
    "platform": dict,
    "sites": dict,
    "holds": list,
}


def join_bundle(content: bytes, signature: bytes) -> bytes:
    """Return the file of a bundle."""
    return HEAD + base64.b64encode(signature) + b"\n" + content


def split_bundle(data: bytes) -> tuple[bytes, bytes]:
    """Return the content and the signature in a file; raises ValueError for anything else."""
    line, _, content = data.partition(b"\n")
    signature = base64.b64decode(line.removeprefix(HEAD), validate=True) if line.startswith(HEAD) else b""
    if len(signature) != SIGNATURE_BYTES:
        raise ValueError("It is no bundle.")
    return content, signature


def parse_content(content: bytes) -> dict[str, Any]:
    """Return what a bundle says, whose signature fits; raises ValueError."""
    document = json.loads(content)
    is_whole = isinstance(document, dict) and all(isinstance(document.get(key), kind) for key, kind in KEYS.items())
    if not is_whole or document["format"] != FORMAT:
        raise ValueError("It was written by another version.")
    return dict(document)


def file_name(kind: str, owner: str) -> str:
    """Return the name of the file of a node's or a group's bundle."""
    return f"{kind}-{owner}.bundle"

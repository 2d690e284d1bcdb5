"""
Ed25519 signatures of snapshots that travel between machines: those who verify them cannot make them.

Needs the package cryptography, the extra ``signatures``.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec.permissions import NO_FOREIGN_WRITING, ROOT, access_problem, own_accounts

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

#: So that no signature made for another purpose fits.
CONTEXT = b"wagtail-multihost snapshot\0"
MISSING = "Signatures need the package cryptography: pip install 'wagtail-multihost[signatures]'."


def is_valid_signature(signature: object, content: bytes, key: Ed25519PublicKey) -> bool:
    """Return whether ``signature`` is that of ``content`` by the key."""
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(base64.b64decode(str(signature), validate=True), CONTEXT + content)
    except (InvalidSignature, ValueError):
        return False
    return True


def signature_problem(signature: object, content: bytes, key: Ed25519PublicKey, variable: str) -> str:
    """Return why ``signature`` (None without one) is not that of ``content`` by the key; blank when it is."""
    if signature is None:
        return f"It has no signature, but {variable} requires one."
    if not is_valid_signature(signature, content, key):
        return f"Its signature was not made with the key that {variable} names, or its content was changed."
    return ""


def read_public_key(path: Path, variable: str, *, is_production: bool) -> Ed25519PublicKey:
    """Return the public key in the PEM file ``path``; raises ConfigurationError."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise ConfigurationError.because(MISSING, where=variable) from None
    try:
        with path.open("rb") as file:
            status, pem = os.fstat(file.fileno()), file.read()
        key = load_pem_public_key(pem)
    except OSError as error:
        raise ConfigurationError.because(f"{path} cannot be read: {error.strerror}.", where=variable) from None
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError.because(f"{path} is not a public Ed25519 key in PEM format.", where=variable)
    owners = (ROOT,) if is_production else own_accounts()
    problem = access_problem(status, NO_FOREIGN_WRITING, owners)
    if problem:
        raise ConfigurationError.because(f"{path} is not accepted. {problem}", where=variable)
    return key

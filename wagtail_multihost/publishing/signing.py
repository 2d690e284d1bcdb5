"""
Signing snapshots, on the machine that has the private key.

Needs the package cryptography, the extra ``signatures``.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import ConfigurationError, SecretUnreadableError
from wagtail_multihost.registry.signature import CONTEXT, MISSING
from wagtail_multihost.spec.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key in the PEM file ``path``, which only its owner may read; raises ConfigurationError."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise ConfigurationError.because(MISSING, where="--signing-key") from None
    try:
        key = load_pem_private_key(Secret.from_file(path).reveal().encode(), None)
    except SecretUnreadableError as error:
        raise ConfigurationError.because(str(error), where="--signing-key") from None
    except (TypeError, ValueError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError.because(
            f"{path} is not a private Ed25519 key in PEM format without a passphrase.", where="--signing-key"
        )
    return key


def sign_content(content: bytes, key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.sign(CONTEXT + content)).decode()

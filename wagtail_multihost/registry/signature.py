"""
Ed25519 signatures of snapshots that travel between machines: who verifies them cannot make them.

Needs the package cryptography, the extra ``signatures``.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import ConfigurationError, SecretUnreadableError
from wagtail_multihost.spec.permissions import NO_FOREIGN_WRITING, ROOT, access_problem, own_accounts
from wagtail_multihost.spec.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from wagtail_multihost.registry.snapshot import Snapshot

#: So that no signature made for another purpose fits.
CONTEXT = b"wagtail-multihost snapshot\0"
MISSING = "Signatures need the package cryptography: pip install 'wagtail-multihost[signatures]'."


def signing_key(path: Path) -> Ed25519PrivateKey:
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
            f"{path} is not a private Ed25519 key in PEM, without a passphrase.", where="--signing-key"
        )
    return key


def signature_of(content: bytes, key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.sign(CONTEXT + content)).decode()


def fits(signature: object, content: bytes, key: Ed25519PublicKey) -> bool:
    """Return whether ``signature`` is that of ``content`` by the key."""
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(base64.b64decode(str(signature), validate=True), CONTEXT + content)
    except (InvalidSignature, ValueError):
        return False
    return True


def forgery(snapshot: Snapshot, key_path: str, variable: str) -> str:
    """Return why the snapshot does not have a signature by the key at ``key_path``; blank when it has one."""
    from wagtail_multihost.registry.snapshot import content

    key = public_key(Path(key_path), variable, is_production=snapshot.is_production)
    if "signature" not in snapshot.document:
        return f"It has no signature, and {variable} asks for one."
    if not fits(snapshot.document["signature"], content(snapshot.document), key):
        return f"Its signature is not by the key that {variable} names, or its content is another."
    return ""


def public_key(path: Path, variable: str, *, is_production: bool) -> Ed25519PublicKey:
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
        raise ConfigurationError.because(f"{path} is not a public Ed25519 key in PEM.", where=variable)
    owners = (ROOT,) if is_production else own_accounts()
    problem = access_problem(status, NO_FOREIGN_WRITING, owners)
    if problem:
        raise ConfigurationError.because(f"{path} is not accepted. {problem}", where=variable)
    return key

"""
Sealing texts to a key, so that only its holder can open them: HPKE (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM,
by the package ``cryptography``. What is sealed names what it is for, and opens for nothing else.

And signing what travels over places that others can write to: Ed25519 (RFC 8032), for one context alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.spec.permissions import OWNER_ALONE, access_problem, own_accounts, path_problem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.hpke import Suite

KEY_BYTES = 32
#: The version of a secret that a person carries to the operator in a file, and the form of that file.
IN_TRANSIT = 0
SEALED_FORMAT = 1
DRIVER_MISSING = "Sealing needs the package cryptography, 47 or later: pip install 'wagtail-multihost[agent]'."


class SealingError(MultihostError):
    """Something sealed cannot be opened, or a key cannot be used."""


def seal_text(text: str, public_key: bytes, purpose: str) -> bytes:
    """
    Return a text sealed to a raw public key, for one purpose alone; raises SealingError for a key that is a point of a
    low order, with which there is no secret (https://www.rfc-editor.org/rfc/rfc7748#section-6.1).
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    suite, given = choose_suite(), text.encode()
    try:
        return suite.encrypt(given, X25519PublicKey.from_public_bytes(public_key), info=purpose.encode())
    except ValueError:
        pass
    raise SealingError("Nothing can be sealed to this key.")


@lru_cache(maxsize=20_000)
def can_be_sealed_to(public_key: bytes) -> bool:
    """Return whether a raw public key, which somebody else has stated, is one that something can be sealed to."""
    choose_suite()  # without it, that is no fault of the key's
    try:
        seal_text("", public_key, "")
    except SealingError:
        return False
    return True


def open_text(sealed: bytes, private_key: X25519PrivateKey, purpose: str) -> str:
    """Return what was sealed to the key for this purpose; raises SealingError for anything else."""
    from cryptography.exceptions import InvalidTag

    try:
        return choose_suite().decrypt(sealed, private_key, info=purpose.encode()).decode()
    except (InvalidTag, ValueError):
        pass
    raise SealingError("It was not sealed to this key, or for another purpose.")


def purpose_of(uid: str, field: str, version: int) -> str:
    """Return what a secret of a site is sealed for: one field of one site, in one version."""
    return f"multihost site {uid} {field} {version}"


def fingerprint_of(public_key: bytes) -> str:
    """Return the digest by which people compare keys."""
    return hashlib.sha256(public_key).hexdigest()


def public_bytes(private_key: X25519PrivateKey) -> bytes:
    return private_key.public_key().public_bytes_raw()


def public_text(public_key: bytes) -> str:
    """Return a public key as people copy it."""
    return base64.b64encode(public_key).decode()


def parse_public_key(text: str) -> bytes:
    """Return the public key that a text is; raises ValueError."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("It is no public key: that is a text of 44 characters, which ends in =.")
    return key


def make_key_file(path: Path) -> X25519PrivateKey:
    """Make a key, and keep it in a file of this account's alone; raises OSError."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = X25519PrivateKey.generate()
    write_key_file(path, key)
    return key


def write_key_file(path: Path, key: X25519PrivateKey | Ed25519PrivateKey) -> None:
    """Keep a private key as PEM in a file of this account's alone; raises OSError."""
    from cryptography.hazmat.primitives import serialization

    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_files([NewFile(str(path), text)])


def read_key_file(path: Path) -> X25519PrivateKey:
    """Return the key in a file that nobody else can read; raises SealingError, and FileNotFoundError."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    try:
        data, status = read_no_follow(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SealingError(f"{path}: It cannot be read: {error.strerror}.") from None
    problem = access_problem(status, OWNER_ALONE, own_accounts()) or path_problem(path)
    if problem:
        raise SealingError(f"{path}: {problem}")
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, X25519PrivateKey):
        raise SealingError(f"{path}: It is no private X25519 key in PEM.")
    return key


def sign(content: bytes, private_key: Ed25519PrivateKey, context: bytes) -> bytes:
    """Return the signature of ``content``, which is one for this context alone."""
    return private_key.sign(context + content)


def is_signed(content: bytes, signature: bytes, public_key: bytes, context: bytes) -> bool:
    """Return whether a signature of this context is that of ``content`` by the raw public key."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise SealingError(DRIVER_MISSING) from None
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, context + content)
    except (InvalidSignature, ValueError):
        return False
    return True


def choose_suite() -> Suite:
    try:
        from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
    except ImportError:
        raise SealingError(DRIVER_MISSING) from None
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

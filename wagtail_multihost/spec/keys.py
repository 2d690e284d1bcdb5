"""Keys derived from the platform's key, so that no two sites share one and none can be computed from another."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from functools import cache
from uuid import UUID

from wagtail_multihost.spec.proofs import KEY_BYTES, probe_key_text
from wagtail_multihost.spec.secret import Secret

PLATFORM_KEY_LENGTH = 32
SALT = b"wagtail-multihost/1"


def hkdf_sha512(key: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """Return ``length`` bytes (at most 16,320) derived from ``key`` by HKDF with SHA-512 (RFC 5869)."""
    pseudorandom_key = hmac.digest(salt, key, hashlib.sha512)
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(pseudorandom_key, block + info + bytes([counter]), hashlib.sha512)
        output, counter = output + block, counter + 1
    return output[:length]


def derive_secret_key(platform_key: Secret, uid: UUID, epoch: int) -> Secret:
    """Return the Django SECRET_KEY (86 characters) of the site ``uid`` in key epoch ``epoch``."""
    info = f"django/SECRET_KEY\0{uid}\0{epoch}".encode()
    derived = hkdf_sha512(platform_key.reveal().encode(), salt=SALT, info=info, length=64)
    return Secret(base64.urlsafe_b64encode(derived).decode().removesuffix("=="))


def derive_probe_key(platform_key: Secret, uid: UUID, epoch: int) -> Secret:
    """Return the probe key of the site ``uid`` in key epoch ``epoch``."""
    info = f"probe/ed25519\0{uid}\0{epoch}".encode()
    return Secret(probe_key_text(hkdf_sha512(platform_key.reveal().encode(), salt=SALT, info=info, length=KEY_BYTES)))


@cache
def fingerprint_key() -> bytes:
    return os.urandom(32)


def key_fingerprint(secret: Secret) -> str:
    """
    Return 16 hex digits that are the same for equal secrets, in this process only: they depend on a random key, so
    that a reader of a report cannot check guesses against them.
    """
    return hmac.new(fingerprint_key(), secret.reveal().encode(), hashlib.sha256).hexdigest()[:16]

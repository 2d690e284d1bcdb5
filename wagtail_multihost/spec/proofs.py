"""
Proofs by which a monitor knows which site has answered it: the site signs what it was asked, by its probe key, which is
an Ed25519 key (RFC 8032) that signs nothing else. Its public part can check proofs, and make none.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from typing import TYPE_CHECKING
from uuid import UUID

from wagtail_multihost.spec.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NONCE_HEADER, PROOF_HEADER = "Multihost-Nonce", "Multihost-Proof"
KEY_BYTES = 32
NONCE_BYTES = 16
#: What is signed begins so: no signature of another protocol is one of this, and no other way round.
CONTEXT = b"multihost-proof-v1"
SEPARATOR = b"\0"
PREFIX = "v1="
#: None of these has the separator, so that no two questions are signed alike.
KEY = re.compile(r"[A-Za-z0-9_-]{43}")
NONCE = re.compile(r"[A-Za-z0-9_-]{22}")
HOSTNAME = re.compile(r"[a-z0-9._-]{1,253}")
PROOF = re.compile(r"v1=[A-Za-z0-9+/]{86}==")
NO_PROBE_KEY = f"It is no probe key: that has {KEY_BYTES} bytes in base64 for URLs, without padding."
LEAST_STATUS, LARGEST_STATUS = 100, 599


def make_probe_key() -> Secret:
    """Return another probe key."""
    return Secret(probe_key_text(os.urandom(KEY_BYTES)))


def probe_key_text(seed: bytes) -> str:
    """Return a key as it is kept: its 32 bytes in base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(seed).decode().rstrip("=")


def read_probe_key(key: Secret) -> Ed25519PrivateKey:
    """
    Return the key that signs. Raises ValueError for what is none, and ModuleNotFoundError without the package
    cryptography.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not is_probe_key(key.reveal()):
        raise ValueError(NO_PROBE_KEY)
    return Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(f"{key.reveal()}="))


def is_probe_key(text: str) -> bool:
    """Return whether a text is one that a probe key is kept as, in its only spelling."""
    return bool(KEY.fullmatch(text)) and probe_key_text(base64.urlsafe_b64decode(f"{text}=")) == text


def public_probe_key(key: Secret) -> bytes:
    """Return the public part of a probe key, which monitors are given; raises as ``read_probe_key`` does."""
    return read_probe_key(key).public_key().public_bytes_raw()


def make_nonce() -> str:
    """Return what a monitor asks with, once."""
    return base64.urlsafe_b64encode(os.urandom(NONCE_BYTES)).decode().rstrip("=")


def sign_proof(private_key: Ed25519PrivateKey, nonce: str, hostname: str, uid: UUID | str, status: int) -> str:
    """
    Return the proof that the site ``uid`` was asked with ``nonce`` under ``hostname``, and answered with ``status``.
    Raises ValueError for what no monitor asks.
    """
    signature = private_key.sign(proven_content(nonce, hostname, uid, status))
    return f"{PREFIX}{base64.b64encode(signature).decode()}"


def is_proof(proof: str, public_key: bytes, nonce: str, hostname: str, uid: UUID | str, status: int) -> bool:
    """
    Return whether the holder of the key made the proof for these four, whatever is in it: an answer may be anybody's.
    Raises ModuleNotFoundError without the package cryptography.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not PROOF.fullmatch(proof):
        return False
    try:
        content = proven_content(nonce, hostname, uid, status)
        signature = binascii.a2b_base64(proof.removeprefix(PREFIX), strict_mode=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def proven_content(nonce: str, hostname: str, uid: UUID | str, status: int) -> bytes:
    """Return what is signed; raises ValueError for what no monitor asks."""
    name = hostname.lower() if hostname.isascii() else ""
    if not NONCE.fullmatch(nonce) or not HOSTNAME.fullmatch(name) or not LEAST_STATUS <= status <= LARGEST_STATUS:
        raise ValueError("It is no question of a monitor: its nonce, hostname or status has another form.")
    fields = (nonce.encode(), name.encode(), str(UUID(str(uid))).encode(), str(int(status)).encode())
    return SEPARATOR.join((CONTEXT, *fields))


def hostname_of(host: str) -> str:
    """Return the hostname of a Host header in lower case, without the port; blank for anything but a name."""
    name, _, port = host.partition(":")
    is_port = not port or (port.isascii() and port.isdecimal() and len(port) <= 5)
    return name.lower() if is_port and name.isascii() and HOSTNAME.fullmatch(name.lower()) else ""

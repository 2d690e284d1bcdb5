"""
The courier's own key, by which receivers know its messages: Ed25519, in the asymmetric form of Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.sealing import write_key_file
from wagtail_multihost.spec.permissions import OWNER_ALONE, access_problem, make_trusted_folders, own_accounts

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE = "webhook.key"
FOLDER_MODE = 0o700
PUBLIC_PREFIX, SIGNATURE_PREFIX = "whpk_", "v1a,"
DRIVER_MISSING = "Signing needs the package cryptography: pip install 'wagtail-multihost[courier]'."


def read_or_make_key(folder: Path) -> Ed25519PrivateKey:
    """
    Return the key in a ``folder`` of the courier's account, which is made where there is none. Raises MultihostError
    for one that others can read.
    """
    path = folder / KEY_FILE
    try:
        return read_key(path)
    except FileNotFoundError:
        pass
    try:
        for new in make_trusted_folders(folder, FOLDER_MODE):
            new.chmod(FOLDER_MODE)
        return make_key(path)
    except OSError as error:
        raise MultihostError(f"{path}: No key can be made there: {error.strerror}.") from None


def make_key(path: Path) -> Ed25519PrivateKey:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise MultihostError(DRIVER_MISSING) from None
    key = Ed25519PrivateKey.generate()
    write_key_file(path, key)
    return key


def read_key(path: Path) -> Ed25519PrivateKey:
    """Return the key in a file; raises FileNotFoundError, and MultihostError for what is not to be trusted."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise MultihostError(DRIVER_MISSING) from None
    try:
        data, status = read_no_follow(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MultihostError(f"{path}: It cannot be read: {error.strerror}.") from None
    if problem := access_problem(status, OWNER_ALONE, own_accounts()):
        raise MultihostError(f"{path}: {problem}")
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise MultihostError(f"{path}: It is no private Ed25519 key in PEM.")
    return key


def public_text(key: Ed25519PrivateKey) -> str:
    """Return what receivers are given, to check signatures with."""
    return PUBLIC_PREFIX + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def sign(key: Ed25519PrivateKey, identifier: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header ``webhook-signature``."""
    signed = f"{identifier}.{timestamp}.".encode() + body
    return SIGNATURE_PREFIX + base64.b64encode(key.sign(signed)).decode()

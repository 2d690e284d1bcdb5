"""Keys derived from the platform's key."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from wagtail_multihost.spec.keys import derive_secret_key, fingerprint_key, hkdf_sha512, key_fingerprint
from wagtail_multihost.spec.secret import Secret

# HKDF of the cryptography package with the salt "wagtail-multihost/1" and the key, UID and epoch 1 below, in base64.
FIXED = "t99Q7_7ce-a4bPKcJx00WgIlVcvG6jQWCDZsfmqyhPaIT-dNO61T9vQCgcStQKpDsYkbG-WD_-UMzR4yeLuygQ"
PLATFORM_KEY = Secret("0123456789" * 5)
UID = UUID("6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978")
OTHER_UID = UUID("7f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978")

# The inputs of RFC 5869, appendix A.1 to A.3, with the outputs for SHA-512 that Zig's and OpenSSL's
# tests and https://www.kullo.net/blog/hkdf-sha-512-test-vectors/ have.
VECTORS = [
    (
        b"\x0b" * 22,
        bytes(range(0x0D)),
        bytes(range(0xF0, 0xFA)),
        "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb",
    ),
    (
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        "ce6c97192805b346e6161e821ed165673b84f400a2b514b2fe23d84cd189ddf1b695b48cbd1c8388441137b3ce28f16a"
        "a64ba33ba466b24df6cfcb021ecff235f6a2056ce3af1de44d572097a8505d9e7a93",
    ),
    (
        b"\x0b" * 22,
        b"",
        b"",
        "f5fa02b18298a72a8c23898a8703472c6eb179dc204c03425c970e3b164bf90fff22d04836d0e2343bac",
    ),
]


@pytest.mark.parametrize(("key", "salt", "info", "output"), VECTORS)
def test_hkdf_gives_the_known_outputs(key: bytes, salt: bytes, info: bytes, output: str) -> None:
    """The derivation is HKDF with SHA-512 as others compute it."""
    assert hkdf_sha512(key, salt=salt, info=info, length=len(output) // 2).hex() == output


@settings(max_examples=30)
@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80), st.integers(1, 300))
def test_hkdf_agrees_with_the_cryptography_package(key: bytes, salt: bytes, info: bytes, length: int) -> None:
    """For any input the output is that of cryptography's HKDF."""
    assert hkdf_sha512(key, salt=salt, info=info, length=length) == HKDF(SHA512(), length, salt, info).derive(key)


def test_secret_key_is_fixed_for_its_inputs() -> None:
    """The rule is fixed: a change would sign every visitor out."""
    key = derive_secret_key(PLATFORM_KEY, UID, 1)
    assert key.reveal() == derive_secret_key(PLATFORM_KEY, UID, 1).reveal() == FIXED
    assert str(key) == "***"


@pytest.mark.parametrize(
    ("platform_key", "uid", "epoch"),
    [(PLATFORM_KEY, OTHER_UID, 1), (PLATFORM_KEY, UID, 2), (Secret("1123456789" * 5), UID, 1)],
    ids=["uid", "epoch", "platform key"],
)
def test_secret_key_differs_for_any_other_input(platform_key: Secret, uid: UUID, epoch: int) -> None:
    """Another site, another epoch or another platform key gives another SECRET_KEY."""
    other = derive_secret_key(platform_key, uid, epoch).reveal()
    assert other != derive_secret_key(PLATFORM_KEY, UID, 1).reveal()
    assert len(other) == 86


def test_fingerprint_is_that_of_equal_secrets_only() -> None:
    """Equal secrets have one fingerprint, different ones have two, and none of it is the secret."""
    first, same, other = (key_fingerprint(Secret(value)) for value in ("hunter2", "hunter2", "hunter3"))
    assert (first == same, first == other, len(first)) == (True, False, 16)
    assert "hunter" not in first
    assert len(fingerprint_key()) == 32


def test_fingerprint_is_no_oracle() -> None:
    """Another process has other fingerprints, so that one in a report says nothing about a guess."""
    code = (
        "from wagtail_multihost.spec.keys import key_fingerprint; from wagtail_multihost.spec.secret import Secret;"
        "print(key_fingerprint(Secret('hunter2')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    plain = hashlib.sha256(b"hunter2").hexdigest()[:16]
    assert len({done.stdout.strip(), key_fingerprint(Secret("hunter2")), plain}) == 3

"""What is sealed opens for its key and its purpose alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wagtail_multihost.sealing import (
    SealingError,
    fingerprint_of,
    is_signed,
    make_key_file,
    open_text,
    public_bytes,
    purpose_of,
    read_key_file,
    seal_text,
    sign,
)

UID, OTHER = "6f1c1a52-0000-4000-8000-000000000001", "6f1c1a52-0000-4000-8000-000000000002"
PURPOSE = purpose_of(UID, "secret_key", 1)


def test_sealed_text_opens_with_the_key_that_was_kept(tmp_path: Path) -> None:
    key = make_key_file(tmp_path / "node.key")
    sealed = seal_text("a secret of the site", public_bytes(key), PURPOSE)
    assert b"a secret" not in sealed
    again = read_key_file(tmp_path / "node.key")
    assert open_text(sealed, again, PURPOSE) == "a secret of the site"
    assert (tmp_path / "node.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "purpose",
    [purpose_of(OTHER, "secret_key", 1), purpose_of(UID, "database.password", 1), purpose_of(UID, "secret_key", 2)],
)
def test_sealed_text_opens_for_nothing_else(tmp_path: Path, purpose: str) -> None:
    key = make_key_file(tmp_path / "node.key")
    sealed = seal_text("a secret of the site", public_bytes(key), PURPOSE)
    with pytest.raises(SealingError, match="not sealed to this key"):
        open_text(sealed, key, purpose)


def test_sealed_text_does_not_open_with_another_key(tmp_path: Path) -> None:
    mine, other = make_key_file(tmp_path / "node.key"), make_key_file(tmp_path / "other.key")
    sealed = seal_text("a secret of the site", public_bytes(mine), PURPOSE)
    for wrong in (sealed[:-1], sealed[:10], b"", sealed[:-1] + bytes([sealed[-1] ^ 1])):
        with pytest.raises(SealingError):
            open_text(wrong, mine, PURPOSE)
    with pytest.raises(SealingError):
        open_text(sealed, other, PURPOSE)
    assert fingerprint_of(public_bytes(mine)) != fingerprint_of(public_bytes(other))


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_file_that_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "node.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SealingError, match="no private X25519 key"):
        read_key_file(path)


def test_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    make_key_file(tmp_path / "node.key")
    (tmp_path / "node.key").chmod(0o640)
    with pytest.raises(SealingError, match="It has the mode 0640"):
        read_key_file(tmp_path / "node.key")


def test_signature_counts_for_its_content_key_and_context_alone() -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    signature = sign(b"content", key, b"bundle\0")
    assert is_signed(b"content", signature, public, b"bundle\0")
    assert not is_signed(b"Content", signature, public, b"bundle\0")
    assert not is_signed(b"content", signature, public, b"snapshot\0")
    assert not is_signed(b"content", sign(b"content", other, b"bundle\0"), public, b"bundle\0")
    assert not is_signed(b"content", b"", public, b"bundle\0")
    assert not is_signed(b"content", signature, bytes(5), b"bundle\0")

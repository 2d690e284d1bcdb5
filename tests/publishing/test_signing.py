"""The private key that signs snapshots."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.registry.test_signature import key, make_key  # noqa: F401  # key is a fixture
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.signing import read_signing_key

# Fixtures of another module are arguments here.
# ruff: noqa: F811


def test_signing_key_that_others_can_read_is_refused(key: Path) -> None:
    """The private key is a secret file."""
    key.chmod(0o644)
    with pytest.raises(ConfigurationError, match="0644"):
        read_signing_key(key)


def test_signing_key_that_is_none_is_refused(tmp_path: Path, key: Path) -> None:
    """A missing file, a public key, another algorithm and a passphrase are errors without a traceback."""
    locked = tmp_path / "locked.pem"
    words = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:hunter", "-out", str(locked)]
    subprocess.run(words, check=True, capture_output=True)
    locked.chmod(0o600)
    for path in (tmp_path / "none", key.with_suffix(".pub"), make_key(tmp_path, "rsa", "rsa"), locked):
        with pytest.raises(ConfigurationError) as refused:
            read_signing_key(path)
        assert [problem.where for problem in refused.value.problems] == ["--signing-key"]

"""Signatures of snapshots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.registry.conftest import shown_by_error_pages
from tests.registry.test_snapshot import ENVIRON, REGISTRY, Edit, edit, snap  # noqa: F401  # edit is a fixture
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.signing import read_signing_key
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.signature import read_public_key, signature_problem
from wagtail_multihost.registry.snapshot import (
    PUBLIC_KEY_VARIABLE,
    SnapshotRegistry,
    digest_of,
    folder_trust_problem,
    signed_content,
)
from wagtail_multihost.spec.permissions import own_accounts


def make_key(folder: Path, name: str, algorithm: str = "ed25519") -> Path:
    """Make a pair of keys as the guide says."""
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    previous = os.umask(0o077)
    for words in (["genpkey", "-algorithm", algorithm], ["pkey", "-pubout", "-in", private]):
        out = public if "-pubout" in words else private
        subprocess.run(["openssl", *words, "-out", out], check=True, capture_output=True)
    os.umask(previous)
    return private


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path, "signing")


@pytest.fixture
def folder(tmp_path: Path, key: Path) -> Path:
    """Signed snapshots of two sites."""
    (tmp_path / "sites.toml").write_text(REGISTRY, encoding="utf-8")
    snap(open_registry(tmp_path / "sites.toml", ENVIRON), tmp_path / "snapshots", read_signing_key(key))
    return tmp_path / "snapshots"


def opened(folder: Path, key: Path) -> SnapshotRegistry:
    return SnapshotRegistry(folder, {PUBLIC_KEY_VARIABLE: str(key.with_suffix(".pub"))})


def refusal(folder: Path, key: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        opened(folder, key).site("aurora")
    assert "hunter" not in shown_by_error_pages(refused.value)
    return str(refused.value)


def test_signed_snapshot_is_read(folder: Path, key: Path) -> None:
    """A signature by the key that is asked for is accepted, for one site and for all."""
    assert opened(folder, key).site("aurora")[1].id == "aurora"
    assert len(opened(folder, key).load().sites) == 2


def test_signature_is_ignored_where_nobody_asks(folder: Path) -> None:
    """Without the variable a signed snapshot is read as any other."""
    assert SnapshotRegistry(folder, {}).site("aurora")[1].id == "aurora"


def test_forged_snapshot_is_refused(folder: Path, key: Path, edit: Edit) -> None:  # noqa: F811
    """A changed content with a right digest has no right signature."""
    edit(lambda document: document["site"].update(hostnames=["evil.example.org"]))
    assert PUBLIC_KEY_VARIABLE in refusal(folder, key)


@pytest.mark.parametrize("signature", ["", "AAAA", "not base64!", None, 7, "A" * 86 + "=="])
def test_snapshot_with_a_broken_signature_is_refused(
    folder: Path,
    key: Path,
    edit: Edit,  # noqa: F811
    signature: object,
) -> None:
    """What is no signature fits nothing."""
    edit(lambda document: document.update(signature=signature))
    assert "signature" in refusal(folder, key)


def test_snapshot_whose_signature_was_taken_off_is_refused(folder: Path, key: Path, edit: Edit) -> None:  # noqa: F811
    """A snapshot without a signature is refused where one is asked for."""
    edit(lambda document: document.pop("signature"))
    assert "has no signature" in refusal(folder, key)


def test_snapshot_signed_by_another_key_is_refused(folder: Path, tmp_path: Path) -> None:
    """Only the key that the variable names makes signatures that count."""
    assert PUBLIC_KEY_VARIABLE in refusal(folder, make_key(tmp_path, "other"))


def test_signed_snapshot_under_another_name_is_refused(folder: Path, key: Path) -> None:
    """A signature does not make a site's snapshot another site's."""
    (folder / "aurora.json").unlink()
    (folder / "borealis.json").rename(folder / "aurora.json")
    assert "the snapshot of 'borealis'" in refusal(folder, key)


def test_signature_of_another_snapshot_does_not_fit(folder: Path, key: Path, edit: Edit) -> None:  # noqa: F811
    """A signature is good for the content that it was made of."""
    other = json.loads((folder / "borealis.json").read_text())["signature"]
    edit(lambda document: document.update(signature=other))
    assert "signature" in refusal(folder, key)


def test_signature_covers_more_than_the_digest(folder: Path, key: Path, edit: Edit) -> None:  # noqa: F811
    """A new digest on new content does not help whoever cannot sign."""

    def roll_forward(document: dict[str, object]) -> None:
        document["revision"] = 99
        document["digest"] = digest_of(document)

    edit(roll_forward)
    assert "signature" in refusal(folder, key)


@pytest.mark.parametrize("value", ["", "/nonexistent.pub", "{folder}/sites.toml", "{folder}/rsa.pub", "{folder}"])
def test_public_key_that_is_none_is_refused(folder: Path, tmp_path: Path, value: str) -> None:
    """A variable that leads to no public Ed25519 key is an error under its name, not a check that passes."""
    if "rsa" in value:
        make_key(tmp_path, "rsa", "rsa")
    registry = SnapshotRegistry(folder, {PUBLIC_KEY_VARIABLE: value.format(folder=tmp_path)})
    with pytest.raises(ConfigurationError) as refused:
        registry.site("aurora")
    assert [problem.where for problem in refused.value.problems] == [PUBLIC_KEY_VARIABLE]


def test_public_key_that_others_can_change_is_refused(folder: Path, key: Path) -> None:
    """Who may change the public key may forge."""
    key.with_suffix(".pub").chmod(0o664)
    assert "0664" in refusal(folder, key)


def test_signature_without_the_package_is_an_error(folder: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where cryptography is missing, neither side goes on unsigned."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    assert "wagtail-multihost[signatures]" in refusal(folder, key)
    with pytest.raises(ConfigurationError, match=r"wagtail-multihost\[signatures\]"):
        read_signing_key(key)


def test_snapshot_that_may_be_trusted_has_nothing_against_it(folder: Path, key: Path) -> None:
    """What speaks against a snapshot is a sentence, and blank where nothing does."""
    registry = opened(folder, key)
    snapshot = registry.snapshot("aurora")
    public = read_public_key(key.with_suffix(".pub"), "VARIABLE", is_production=False)
    signature, signed = snapshot.document["signature"], signed_content(snapshot.document)
    assert signature_problem(signature, signed, public, "VARIABLE") == ""
    assert (
        registry.content_problem(snapshot, "aurora"),
        SnapshotRegistry(folder, {}).content_problem(snapshot, "aurora"),
    ) == (
        "",
        "",
    )
    assert registry.content_problem(snapshot, "b") == "It is the snapshot of 'aurora', under the name of another site."
    assert folder_trust_problem(folder, own_accounts(), is_production=False) == ""
    told = signature_problem("AAAA", signed, public, "VARIABLE")
    assert told == "Its signature was not made with the key that VARIABLE names, or its content was changed."
    told = signature_problem(None, signed, public, "VARIABLE")
    assert told == "It has no signature, but VARIABLE requires one."

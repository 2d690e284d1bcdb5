"""Proofs of which site has answered: what is signed, and everything that is no proof."""

from __future__ import annotations

import base64
import builtins
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from wagtail_multihost.spec.proofs import (
    hostname_of,
    is_probe_key,
    is_proof,
    make_nonce,
    make_probe_key,
    probe_key_text,
    public_probe_key,
    read_probe_key,
    sign_proof,
)
from wagtail_multihost.spec.secret import Secret

SEED = bytes(range(32))
KEY = Secret(probe_key_text(SEED))
PRIVATE, PUBLIC = read_probe_key(KEY), public_probe_key(KEY)
UID, OTHER = UUID("6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"), UUID("7f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978")
NONCE = "AAECAwQFBgcICQoLDA0ODw"
HOST = "aurora.example.org"
#: What is signed, written out: it must never change for this version.
CONTENT = f"multihost-proof-v1\0{NONCE}\0{HOST}\0{UID}\x00200".encode()


def proven(**other: Any) -> bool:
    """Return whether the proof of one question is taken, also for another one."""
    question = {"nonce": NONCE, "hostname": HOST, "uid": UID, "status": 200}
    made = sign_proof(PRIVATE, **question)
    key = other.pop("public_key", PUBLIC)
    return is_proof(other.pop("proof", made), key, **{**question, **other})


def test_proof_is_the_signature_of_this_text() -> None:
    """Sites and monitors of two versions agree."""
    made = sign_proof(PRIVATE, NONCE, HOST, UID, 200)
    assert made == f"v1={base64.b64encode(Ed25519PrivateKey.from_private_bytes(SEED).sign(CONTENT)).decode()}"
    assert proven()


@pytest.mark.parametrize(
    "other",
    [
        {"nonce": "BAECAwQFBgcICQoLDA0ODw"},
        {"hostname": "borealis.example.org"},
        {"hostname": "example.org"},
        {"uid": OTHER},
        {"status": 503},
        {"public_key": public_probe_key(Secret(probe_key_text(bytes(32))))},
    ],
    ids=lambda other: next(iter(other)),
)
def test_proof_is_of_one_answer_alone(other: dict[str, Any]) -> None:
    """It is none for another nonce, hostname, site or status, and none by another key."""
    assert not proven(**other)


@pytest.mark.parametrize(
    "same", [{"hostname": "Aurora.EXAMPLE.org"}, {"uid": str(UID)}, {"uid": str(UID).upper()}, {"status": 200}]
)
def test_spelling_of_a_question_makes_no_difference(same: dict[str, Any]) -> None:
    assert proven(**same)


@pytest.mark.parametrize(
    "other",
    [
        {"nonce": ""},
        {"nonce": NONCE[:-1]},
        {"nonce": f"{NONCE}A"},
        {"nonce": f"{NONCE}\n"},
        {"nonce": f"{NONCE[:-1]}="},
        {"nonce": f"{NONCE[:-1]}\0"},
        {"hostname": ""},
        {"hostname": "a" * 254},
        {"hostname": f"{HOST}\0"},
        {"hostname": f"{HOST}:443"},
        {"hostname": f"{HOST}\n"},
        {"hostname": "äurora.example.org"},
        # Lower case makes an ASCII letter of it (the Kelvin sign).
        {"hostname": "\u212aelvin.example.org"},
        {"uid": "6f1c2b0e"},
        {"uid": ""},
        {"status": 0},
        {"status": 99},
        {"status": 600},
        {"status": -200},
    ],
    ids=repr,
)
def test_nothing_else_is_signed_or_taken(other: dict[str, Any]) -> None:
    """A text that could be read as another question is none."""
    question = {"nonce": NONCE, "hostname": HOST, "uid": UID, "status": 200, **other}
    with pytest.raises(ValueError, match=r"no question|badly formed"):
        sign_proof(PRIVATE, **question)
    assert not proven(**other)


def changed(change: Callable[[bytes], bytes]) -> str:
    signature = base64.b64decode(sign_proof(PRIVATE, NONCE, HOST, UID, 200).removeprefix("v1="))
    return f"v1={base64.b64encode(change(signature)).decode()}"


@pytest.mark.parametrize(
    "proof",
    [
        "",
        "v1=",
        "v1",
        "v1=" + "A" * 86 + "==",
        "v2=" + sign_proof(PRIVATE, NONCE, HOST, UID, 200)[3:],
        sign_proof(PRIVATE, NONCE, HOST, UID, 200)[3:],
        f" {sign_proof(PRIVATE, NONCE, HOST, UID, 200)}",
        f"{sign_proof(PRIVATE, NONCE, HOST, UID, 200)}\n",
        f"{sign_proof(PRIVATE, NONCE, HOST, UID, 200)}, v1=x",
        sign_proof(PRIVATE, NONCE, HOST, UID, 200)[:-2],
        sign_proof(PRIVATE, NONCE, HOST, UID, 200)[:-3] + "\xe9==",
        changed(lambda signature: signature[:-1]),
        changed(lambda signature: signature + b"\0"),
        changed(lambda signature: signature[:-1] + bytes([signature[-1] ^ 1])),
        changed(lambda signature: bytes([signature[0] ^ 1]) + signature[1:]),
        "v1=" + "A" * 1_000_000,
    ],
    ids=lambda proof: repr(proof[:12]),
)
def test_malformed_proof_is_none(proof: str) -> None:
    """Whatever a hostile site answers is refused, and raises nothing."""
    assert not proven(proof=proof)


@pytest.mark.parametrize("public_key", [b"", PUBLIC[:-1], PUBLIC + b"\0", bytes(32), b"\xff" * 32])
def test_nothing_is_a_proof_by_what_is_no_key(public_key: bytes) -> None:
    assert not proven(public_key=public_key)


@given(st.text(), st.binary(max_size=40), st.text(), st.text(), st.text(), st.integers())
def test_nothing_at_random_is_a_proof(proof: str, key: bytes, nonce: str, host: str, uid: str, status: int) -> None:
    """And none of it raises."""
    assert not is_proof(proof, key, nonce, host, uid, status)


def test_signature_of_anything_else_is_no_proof() -> None:
    """A key that signed something else would not have made a proof by that, and no other way round."""
    for content in (CONTENT.removeprefix(b"multihost-proof-v1\0"), CONTENT.replace(b"v1", b"v2", 1), b""):
        signature = base64.b64encode(PRIVATE.sign(content)).decode()
        assert not proven(proof=f"v1={signature}")


def test_fields_cannot_be_shifted() -> None:
    """No two questions have one text: a dot, a digit or a letter that moves to the next field changes it."""
    made = sign_proof(PRIVATE, NONCE, "a.b", UID, 200)
    assert not is_proof(made, PUBLIC, NONCE, "a", UID, 200)
    assert not is_proof(made, PUBLIC, f"{NONCE[1:]}a", ".b", UID, 200)


@pytest.mark.parametrize(
    "text",
    ["", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "B", "A" * 42 + "+", f"{KEY.reveal()}\n", "é" * 43],
    ids=repr,
)
def test_what_has_another_form_is_no_key(text: str) -> None:
    """There is one spelling of a key."""
    assert not is_probe_key(text)
    with pytest.raises(ValueError, match="no probe key") as error:
        read_probe_key(Secret(text))
    assert not text or text not in str(error.value)


def test_made_keys_and_nonces_are_new_ones() -> None:
    keys = {make_probe_key().reveal() for _ in range(5)}
    assert len(keys) == 5 and all(map(is_probe_key, keys))
    nonces = {make_nonce() for _ in range(5)}
    assert len(nonces) == 5
    assert all(proven(nonce=nonce) is False and len(nonce) == 22 for nonce in nonces)
    nonce = make_nonce()
    assert is_proof(sign_proof(PRIVATE, nonce, HOST, UID, 200), PUBLIC, nonce, HOST, UID, 200)


def test_key_does_not_print() -> None:
    """Neither a made nor a read one."""
    assert str(make_probe_key()) == "***"
    assert KEY.reveal() not in repr(PRIVATE)


@pytest.mark.parametrize(
    ("host", "hostname"),
    [
        ("aurora.example.org", "aurora.example.org"),
        ("AURORA.example.org:8443", "aurora.example.org"),
        ("aurora.example.org:", "aurora.example.org"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("under_score", "under_score"),
        ("", ""),
        (":80", ""),
        ("[::1]:80", ""),
        ("a:b", ""),
        ("a:1:2", ""),
        ("a:123456", ""),
        ("a:\u0661", ""),
        ("a b", ""),
        ("a\0b", ""),
        ("a,b", ""),
        ("a/b", ""),
        ("user@a", ""),
        ("äurora", ""),
        ("\u212a", ""),
        ("a" * 254, ""),
    ],
    ids=repr,
)
def test_hostname_of_a_request(host: str, hostname: str) -> None:
    """Without the port, in lower case; nothing that is no name."""
    assert hostname_of(host) == hostname


def test_package_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site goes on without it; a monitor cannot."""
    original = builtins.__import__

    def refuse(name: str, *words: Any) -> Any:
        if name.startswith("cryptography"):
            raise ModuleNotFoundError(name)
        return original(name, *words)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ModuleNotFoundError):
        read_probe_key(KEY)
    with pytest.raises(ModuleNotFoundError):
        is_proof("", PUBLIC, NONCE, HOST, UID, 200)

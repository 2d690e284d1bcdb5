"""What is published to prove a hostname, and how long a proof counts."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from wagtail_multihost.control.ownership import Challenge, check_is_late, new_challenge, proof_is_valid

SITE = uuid4()


def test_challenge_says_what_to_publish() -> None:
    """The record and the file of the normalised hostname, whose address says nothing of the secret."""
    challenge = new_challenge(SITE, "Aurora.Example.org")
    assert (challenge.site, challenge.name) == (SITE, "aurora.example.org")
    assert challenge.record_name == "_multihost-challenge.aurora.example.org"
    assert challenge.file_url == f"http://aurora.example.org/.well-known/multihost-challenge/{challenge.id}"


def test_secret_cannot_be_guessed() -> None:
    """It has 256 bits, fits into the table and one string of a TXT record, and needs no quoting anywhere."""
    found = {new_challenge(SITE, "aurora.example.org").secret for _ in range(100)}
    assert len(found) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", secret) for secret in found)


def test_secret_is_bound_to_the_site_and_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a machine that repeats its random numbers gives no two sites or names one secret."""
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    places = [(SITE, "a.org"), (SITE, "b.org"), (uuid4(), "a.org"), (uuid4(), "a.org")]
    assert len({new_challenge(*place).secret for place in places}) == len(places)


def test_hostname_that_is_too_long_for_a_record_is_proven_by_a_file() -> None:
    """With the label before it the name would have more than the 253 characters of DNS."""
    name = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 40, "org"])
    challenge = new_challenge(SITE, name)
    assert challenge.record_name == ""
    assert Challenge(uuid4(), SITE, name[22:], "").record_name.startswith("_multihost-challenge.")


@pytest.mark.parametrize("name", ["", "localhost", "127.0.0.1", "*.example.org", "https://example.org", "a b.org"])
def test_what_is_no_hostname_has_no_challenge(name: str) -> None:
    """The registry's own rule says why."""
    with pytest.raises(ValueError, match="is not accepted"):
        new_challenge(SITE, name, takes_reserved=True)


@pytest.mark.parametrize("name", ["dione.localhost", "dione.test", "dione.example", "dione.invalid"])
def test_name_that_nobody_can_own_has_a_challenge_in_development_alone(name: str) -> None:
    """Elsewhere only an operator gives a site such a name."""
    with pytest.raises(ValueError, match="is reserved"):
        new_challenge(SITE, name)
    assert new_challenge(SITE, name, takes_reserved=True).name == name


@pytest.mark.parametrize(
    ("age", "answer"),
    [
        (timedelta(0), True),
        (timedelta(days=6, hours=23), True),
        (timedelta(days=7), False),
        (timedelta(days=800), False),
        (None, False),
    ],
)
def test_proof_counts_for_a_week(age: timedelta | None, answer: bool) -> None:
    """An older one is asked for again, and none is none."""
    assert proof_is_valid(None if age is None else datetime.now(UTC) - age) is answer


@pytest.mark.parametrize(("minutes", "answer"), [(1, False), (3, True), (None, False)])
def test_check_that_nobody_carries_out_is_late(minutes: int | None, answer: bool) -> None:
    """So that whoever waits learns that it is not for them to wait."""
    assert check_is_late(None if minutes is None else datetime.now(UTC) - timedelta(minutes=minutes)) is answer

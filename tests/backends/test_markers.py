"""The marks that sites leave on shared servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.spec.samples import SECRETS, a_platform, a_site, redis, s3
from wagtail_multihost import running
from wagtail_multihost.backends.markers import check_mark, encode_mark, own_mark, require_site, site_mark
from wagtail_multihost.exceptions import ConfigurationError, IdentityError
from wagtail_multihost.running import Running, own_site

Become = Callable[..., None]
OTHER = UUID("00000000-0000-5000-8000-000000000001")
OWN = site_mark(a_platform(environment="production"), a_site())


@pytest.mark.parametrize("platform", ["aviary", "renamed"])
def test_mark_of_the_same_uid_and_environment_is_accepted(platform: str) -> None:
    """A site keeps its places when its platform is renamed, and whatever else the mark says."""
    found = encode_mark({**OWN, "platform": platform, "generation": "a"})
    assert check_mark(found, OWN, "the bucket a") == {**OWN, "platform": platform, "generation": "a"}


@pytest.mark.parametrize("change", [{"uid": str(OTHER)}, {"environment": "staging"}, {"uid": None}])
def test_mark_of_another_uid_or_environment_is_refused(change: dict[str, Any]) -> None:
    """The place of another site, or of the same site's staging copy, is not used; the error names both."""
    with pytest.raises(IdentityError) as caught:
        check_mark(encode_mark({**OWN, **change}), OWN, "the bucket a")
    message = str(caught.value)
    assert "the bucket a" in message and OWN["uid"] in message
    assert all(str(value) in message for value in change.values())


@pytest.mark.parametrize("found", [b"", b"{", b"[]", b"\xff", 7, None, b"[" * 200_000])
def test_mark_that_cannot_be_read_is_refused(found: Any) -> None:
    """What is no mark is not taken for one's own."""
    with pytest.raises(IdentityError):
        check_mark(found, OWN, "the bucket a")


def test_mark_with_control_characters_is_shown_without_them() -> None:
    """A mark written by somebody else cannot forge lines of a log."""
    with pytest.raises(IdentityError) as caught:
        check_mark(encode_mark({**OWN, "uid": "a\nb\x1b[31m"}), OWN, "the bucket a")
    assert str(caught.value).isprintable()


def test_mark_has_no_secret() -> None:
    """A mark says who a site is, and nothing that opens anything."""
    mark = encode_mark(site_mark(a_platform(), a_site(cache=redis(), storage=s3()))).decode()
    assert not any(secret in mark for secret in SECRETS)


def test_mark_is_none_for_a_test_run(become: Become, throw_away: object) -> None:
    """The throw-away site of a test run marks nothing; a site does."""
    become()
    assert own_mark() == OWN
    become(ephemeral=throw_away)
    assert own_mark() is None


@pytest.mark.parametrize(
    "applied",
    [
        None,
        Running(),
        Running(platform=a_platform()),
        Running(site=a_site()),
    ],
    ids=["unapplied", "build mode", "no site", "no platform"],
)
def test_mark_is_none_without_a_site(monkeypatch: pytest.MonkeyPatch, applied: Running | None) -> None:
    """In build mode, or where nothing was applied, nothing is marked."""
    monkeypatch.setattr(running, "_current", applied)
    assert own_mark() is None


def test_site_of_the_process_is_the_one_that_was_applied(
    become: Become, throw_away: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of a test run counts as well; a process of no site has none, and refuses each."""
    for ephemeral in (None, throw_away):
        become(ephemeral=ephemeral)
        assert own_site() == require_site("aurora", "storage") == a_site()
        with pytest.raises(ConfigurationError, match=r"storage of the site borealis .* the site aurora"):
            require_site("borealis", "storage")
    for applied in (None, Running()):
        monkeypatch.setattr(running, "_current", applied)
        assert own_site() is None
        with pytest.raises(ConfigurationError, match="no site"):
            require_site("aurora", "storage")


def test_refusal_of_a_mark_says_whose_both_are() -> None:
    """Each part of a mark is told of both sides, by its name; what a mark lacks is blank."""
    with pytest.raises(IdentityError) as caught:
        check_mark(b'{"uid": "other"}', OWN, "the bucket a")
    message = str(caught.value)
    assert "belongs to: platform '', environment '', uid 'other'." in message
    assert f"is: platform 'aviary', environment 'production', uid {OWN['uid']!r}." in message

"""The check of mail."""

from __future__ import annotations

import django
import pytest

from tests.checks.conftest import Serve, ids_of
from wagtail_multihost.checks import mail
from wagtail_multihost.spec.site import SiteSpec


class Stated:
    """Settings of which some were stated."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def is_overridden(self, name: str) -> bool:
        return name in self.names


@pytest.mark.parametrize(
    ("version", "stated", "found"),
    [
        ((6, 1, 0, "final", 0), ["MAILERS", "EMAIL_HOST"], ["E013"]),
        ((6, 1, 0, "final", 0), ["MAILERS"], []),
        ((6, 1), ["MAILERS"], []),
        ((6, 1, 0, "final", 0), ["EMAIL_HOST"], []),
        ((5, 2, 0, "final", 0), ["MAILERS", "EMAIL_HOST"], ["E013"]),
        ((5, 2, 0, "final", 0), ["MAILERS"], ["E013"]),
        ((5, 2, 0, "final", 0), ["EMAIL_HOST"], []),
    ],
)
def test_mail_that_is_described_twice_is_e013(
    aurora: SiteSpec,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[object, ...],
    stated: list[str],
    found: list[str],
) -> None:
    """MAILERS beside the settings that it replaces, or where Django does not read it, is an error."""
    monkeypatch.setattr(django, "VERSION", version)
    monkeypatch.setattr(mail, "settings", Stated(*stated))
    assert ids_of(mail.check_mail(None)) == found


def test_mail_that_is_described_twice_names_both(aurora: SiteSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the settings that stand beside MAILERS, or the version that brought it where none does."""
    monkeypatch.setattr(django, "VERSION", (5, 2, 0, "final", 0))
    monkeypatch.setattr(mail, "settings", Stated("MAILERS", "EMAIL_HOST", "EMAIL_PORT"))
    (message,) = mail.check_mail(None)
    assert "EMAIL_HOST, EMAIL_PORT" in message.msg and "6.1" not in message.msg
    monkeypatch.setattr(mail, "settings", Stated("MAILERS"))
    assert "6.1" in mail.check_mail(None)[0].msg


def test_mail_of_no_site_is_quiet(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """In build mode no mail is sent."""
    serve(None)
    monkeypatch.setattr(mail, "settings", Stated("MAILERS", "EMAIL_HOST"))
    assert mail.check_mail(None) == []

"""MAILERS and the settings that it replaces."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from django import VERSION

from tests.resolver.conftest import values_of
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.resolver import mail as module
from wagtail_multihost.resolver.content import content_settings
from wagtail_multihost.resolver.mail import REPLACED, mail_settings
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.setting import ABSENT
from wagtail_multihost.spec.mail import MailSpec
from wagtail_multihost.spec.secret import Secret

PASSWORD = "mail-password-hunter6"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
FILES = "django.core.mail.backends.filebased.EmailBackend"
SHARED = {
    "EMAIL_BACKEND": "anymail.backends.mailgun.EmailBackend",
    "EMAIL_HOST": "shared",
    "EMAIL_HOST_USER": "shared",
    "EMAIL_HOST_PASSWORD": "shared",
    "EMAIL_SSL_CERTFILE": "shared",
    "EMAIL_SSL_KEYFILE": "shared",
    "EMAIL_FILE_PATH": "shared",
    "EMAIL_USE_SSL": True,
}


def own_mail(**changes: Any) -> MailSpec:
    values = {"host": "mail.internal", "port": 2525, "username": "aurora", "password": Secret(PASSWORD), **changes}
    return MailSpec(**values)


@pytest.fixture
def django_61(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "django", SimpleNamespace(VERSION=(6, 1, 3, "final", 0)))


@pytest.fixture
def django_60(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "django", SimpleNamespace(VERSION=(6, 0, 4, "final", 0)))


@pytest.mark.usefixtures("django_61")
def test_mail_of_the_site_is_mailers_and_nothing_beside() -> None:
    """Every alias leads to the site's server, and settings that Django refuses beside MAILERS are taken away."""
    project = {**SHARED, "MAILERS": {"newsletter": {"OPTIONS": {"host": "shared"}}}}
    values = values_of(mail_settings(a_platform(), a_site(mail=own_mail()), project))
    own = {
        "BACKEND": SMTP,
        "OPTIONS": {
            "host": "mail.internal",
            "port": 2525,
            "use_tls": True,
            "use_ssl": False,
            "timeout": 10,
            "username": "aurora",
            "password": PASSWORD,
        },
    }
    assert values.pop("MAILERS") == {"default": own, "newsletter": own}
    assert values == dict.fromkeys(SHARED, ABSENT)


@pytest.mark.usefixtures("django_60")
def test_mail_of_the_site_below_mailers_leaves_nothing_of_the_projects() -> None:
    """Before Django 6.1 every part of the project's mail account is replaced."""
    values = values_of(mail_settings(a_platform(), a_site(mail=own_mail(security="tls")), dict(SHARED)))
    assert values == {
        "EMAIL_BACKEND": SMTP,
        "EMAIL_HOST": "mail.internal",
        "EMAIL_PORT": 2525,
        "EMAIL_HOST_USER": "aurora",
        "EMAIL_HOST_PASSWORD": PASSWORD,
        "EMAIL_USE_TLS": False,
        "EMAIL_USE_SSL": True,
        "EMAIL_TIMEOUT": 10,
        "EMAIL_SSL_CERTFILE": None,
        "EMAIL_SSL_KEYFILE": None,
    }


@pytest.mark.usefixtures("django_61")
def test_mail_to_the_console_takes_no_options() -> None:
    """Printed mail has no account."""
    values = values_of(mail_settings(a_platform(), a_site(mail=MailSpec(backend="console")), {}))
    assert values == {"MAILERS": {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}}


def test_mail_without_a_server_of_the_site_stays_the_projects() -> None:
    """A project's account stays as it is, but that its server may not be silent for ever."""
    assert values_of(mail_settings(a_platform(), a_site(), {"EMAIL_HOST": "shared", "EMAIL_HOST_USER": "all"})) == {}
    own = {
        "default": {"OPTIONS": {"host": "a"}},
        "own": {"BACKEND": "project.Mail"},
        "quick": {"OPTIONS": {"timeout": 2}},
    }
    assert values_of(mail_settings(a_platform(), a_site(), {"MAILERS": own}))["MAILERS"] == {
        **own,
        "default": {"OPTIONS": {"host": "a", "timeout": 10}},
    }
    patient: dict[str, object] = {"MAILERS": {"default": {"BACKEND": SMTP, "OPTIONS": {"timeout": 30}}}}
    assert values_of(mail_settings(a_platform(), a_site(), patient)) == {}


@pytest.mark.usefixtures("django_61")
def test_timeout_of_the_project_is_kept_where_the_site_states_none() -> None:
    """How long a server may take is the project's to say; the site's own number comes first."""
    project: dict[str, object] = {"MAILERS": {"newsletter": {"OPTIONS": {"timeout": 3, "host": "shared"}}}}
    for stated, expected in ((None, {"default": 10, "newsletter": 3}), (7, {"default": 7, "newsletter": 7})):
        values = values_of(mail_settings(a_platform(), a_site(mail=own_mail(timeout=stated)), project))
        assert {alias: mailer["OPTIONS"]["timeout"] for alias, mailer in values["MAILERS"].items()} == expected  # type: ignore[attr-defined]


@pytest.mark.parametrize(("stated", "expected"), [(None, 3), (7, 7)])
@pytest.mark.usefixtures("django_60")
def test_timeout_of_the_project_is_kept_before_mailers(stated: int | None, expected: int) -> None:
    """The same by the settings of before Django 6.1."""
    values = values_of(mail_settings(a_platform(), a_site(mail=own_mail(timeout=stated)), {"EMAIL_TIMEOUT": 3}))
    assert values["EMAIL_TIMEOUT"] == expected


@pytest.mark.parametrize(
    ("version", "project", "expected"),
    [
        ((6, 0), {}, 10),
        ((6, 0), {"EMAIL_HOST": "shared"}, 10),
        ((6, 0), {"EMAIL_TIMEOUT": None}, 10),
        ((6, 0), {"EMAIL_TIMEOUT": 3}, None),
        ((6, 1), {}, None),
        ((6, 1), {"EMAIL_USE_LOCALTIME": True, "EMAIL_SUBJECT_PREFIX": "x"}, None),
        ((6, 1), {"EMAIL_HOST": "shared"}, 10),
        ((6, 1), {"MAILERS": {}}, None),
    ],
)
def test_mail_server_of_the_project_may_not_be_silent_for_ever(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], project: dict[str, object], expected: int | None
) -> None:
    """Django sets no limit itself; where it would warn of the setting, and the project has none, it is not set."""
    monkeypatch.setitem(sys.modules, "django", SimpleNamespace(VERSION=(*version, 0, "final", 0)))
    assert values_of(content_settings(a_site(), project)).get("EMAIL_TIMEOUT") == expected
    assert "EMAIL_TIMEOUT" not in values_of(content_settings(a_site(mail=own_mail()), project))


def test_mail_in_files_is_in_a_folder_of_the_site() -> None:
    """Two sites never write mail to one folder."""
    folder = "/srv/data/sites/aurora/mail"
    legacy = values_of(mail_settings(a_platform(), a_site(), {"EMAIL_BACKEND": FILES, "EMAIL_FILE_PATH": "/tmp/mail"}))
    assert legacy == {"EMAIL_FILE_PATH": folder}
    other = {"BACKEND": SMTP, "OPTIONS": {"host": "a", "timeout": 30}}
    project: dict[str, object] = {
        "MAILERS": {
            "default": {"BACKEND": FILES, "OPTIONS": {"file_path": "/tmp/mail"}},
            "own": {"BACKEND": "project.Files", "OPTIONS": {"file_path": "/tmp/mail", "x": 1}},
            "other": other,
        }
    }
    assert values_of(mail_settings(a_platform(), a_site(), project))["MAILERS"] == {
        "default": {"BACKEND": FILES, "OPTIONS": {"file_path": folder}},
        "own": {"BACKEND": "project.Files", "OPTIONS": {"file_path": folder, "x": 1}},
        "other": other,
    }


def test_password_is_a_secret_until_it_is_applied() -> None:
    """Settings that are shown, not applied, have no password in them."""
    settings = list(mail_settings(a_platform(), a_site(mail=own_mail()), {}))
    assert PASSWORD not in repr(settings)
    assert PASSWORD in repr(values_of(settings))


@pytest.mark.usefixtures("django_61")
def test_setting_that_is_taken_away_is_gone_from_the_namespace(tmp_path: Any) -> None:
    """Apply removes it, and nothing remembers it as a value."""
    resolved = ResolvedSettings(a_platform(data=tmp_path), a_site(mail=own_mail()))
    namespace: dict[str, object] = {"EMAIL_HOST": "shared", "other": 1}
    resolved.apply(namespace)
    assert "EMAIL_HOST" not in namespace
    assert "MAILERS" in namespace
    with pytest.raises(KeyError, match="EMAIL_HOST"):
        resolved.value("EMAIL_HOST", {"EMAIL_HOST": "shared"})


if VERSION >= (6, 1):  # MAILERS came with Django 6.1

    def test_replaced_settings_are_those_that_django_refuses_beside_mailers() -> None:
        """The list is Django's own."""
        from django.conf import DEPRECATED_EMAIL_SETTINGS

        assert set(REPLACED) == DEPRECATED_EMAIL_SETTINGS


@pytest.mark.parametrize("loaded", [True, False])
def test_version_is_that_of_the_django_there_is(loaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is right before Django is imported, and after."""
    if not loaded:
        monkeypatch.delitem(sys.modules, "django")
    assert module.django_version() == VERSION[:2]

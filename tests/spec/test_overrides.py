"""Which settings a site may state, and why others are refused."""

from __future__ import annotations

import pytest

from tests.spec.samples import a_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec.overrides import OVERRIDABLE, SAME_FOR_ALL, SWITCH_SETTINGS


def refusal(name: str, value: str | bool = "x") -> str:
    with pytest.raises(ConfigurationError) as refused:
        a_site(settings=((name, value),))
    [problem] = refused.value.problems
    assert problem.where == f"settings.{name}"
    return problem.message


@pytest.mark.parametrize(
    "name",
    [
        "INSTALLED_APPS",
        "AUTH_USER_MODEL",
        "WAGTAILIMAGES_IMAGE_MODEL",
        "WAGTAILDOCS_DOCUMENT_MODEL",
        "WAGTAIL_PAGE_MODEL",
        "DEFAULT_AUTO_FIELD",
        "MIGRATION_MODULES",
        "WAGTAIL_COMMENTS_RELATION_NAME",
        "MIDDLEWARE",
        "ROOT_URLCONF",
        "TEMPLATES",
        "PASSWORD_HASHERS",
        "LOGGING_CONFIG",
        "AUTHENTICATION_BACKENDS",
        "SESSION_ENGINE",
        "SESSION_SERIALIZER",
        "WSGI_APPLICATION",
    ],
)
def test_settings_of_the_code_are_refused_with_the_reason(name: str) -> None:
    """What changes code or migrations cannot differ between sites that share them, and the error says so."""
    assert "which all sites share" in refusal(name)
    assert name not in OVERRIDABLE


@pytest.mark.parametrize(("name", "key"), [("ALLOWED_HOSTS", "hostnames"), ("DATABASES", "database")])
def test_settings_that_are_derived_are_refused_with_the_key_they_come_from(name: str, key: str) -> None:
    """The error says which key of the site leads to the setting, and that it is what to state."""
    assert refusal(name).endswith(f"the site's key {key}: state that.")


@pytest.mark.parametrize(
    ("name", "key"), [("EMAIL_BACKEND", "mail"), ("EMAIL_HOST", "mail"), ("AWS_S3_ENDPOINT_URL", "storage")]
)
def test_settings_of_a_part_are_refused_with_its_key(name: str, key: str) -> None:
    """What they are for is a table of the site's."""
    assert refusal(name).endswith(f"is stated in the site's key {key}.")


@pytest.mark.parametrize("name", sorted(SAME_FOR_ALL))
def test_settings_that_are_the_same_for_all_are_refused_with_the_reason(name: str) -> None:
    """None of them is one that a site may state, and nothing else is suggested for it."""
    assert refusal(name) == f"The setting '{name}' cannot be set for one site. {SAME_FOR_ALL[name]}"
    assert name not in OVERRIDABLE


@pytest.mark.parametrize(
    "name", ["DATETIME_INPUT_FORMATS", "DATE_INPUT_FORMATS", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_AGE", "STRIPE_KEY"]
)
def test_nothing_is_suggested_for_another_setting(name: str) -> None:
    """One that only looks alike is not a misspelling."""
    assert "Did you mean" not in refusal(name)


@pytest.mark.parametrize(("name", "meant"), [("TIMEZONE", "TIME_ZONE"), ("time_zone", "TIME_ZONE")])
def test_misspelt_setting_gets_a_suggestion(name: str, meant: str) -> None:
    """In whatever case it was written."""
    assert refusal(name).endswith(f"Did you mean {meant}?")


@pytest.mark.parametrize(
    "url",
    [
        "http://avatars.example.org/",
        "//avatars.example.org/",
        "https://",
        "https://user:hunter2@avatars.example.org/",
        "https://avatars.example.org/?d=mm",
        "https://avatars.example.org/a b",
        "javascript:alert(1)",
    ],
)
def test_avatars_come_from_https_only(url: str) -> None:
    """The address that gets hashes of editors' mail addresses is a plain one with https."""
    assert "is not accepted" in refusal("WAGTAIL_GRAVATAR_PROVIDER_URL", url)


def test_settings_of_the_wider_list_are_accepted() -> None:
    """Avatars, formats and switches may be a site's own."""
    settings = (
        ("WAGTAIL_GRAVATAR_PROVIDER_URL", "https://avatars.example.org/avatar"),
        ("DATE_FORMAT", "j. F Y"),
        *((name, True) for name in sorted(SWITCH_SETTINGS)),
    )
    assert a_site(settings=settings).settings == settings


@pytest.mark.parametrize("character", list(" ?#\\\"'<>\u00fc\t\x7f"), ids=ascii)
def test_avatars_come_from_a_plain_address(character: str) -> None:
    """Nothing in it is a query, a fragment, a quote, a blank or another script, in the host or after it."""
    for url in (f"https://avatars.example.org/a{character}b", f"https://avatars{character}.example.org/"):
        assert "is not accepted" in refusal("WAGTAIL_GRAVATAR_PROVIDER_URL", url)


@pytest.mark.parametrize("url", ["https://a", "https://a/", "https://a:8443/b/@c"])
def test_avatars_may_come_from_any_host(url: str) -> None:
    """With a port, and with any path."""
    assert a_site(settings=(("WAGTAIL_GRAVATAR_PROVIDER_URL", url),)).settings[0][1] == url


@pytest.mark.parametrize("code", ["de", "deu", "pt-br", "zh-hans-cn", "de-1996"])
def test_language_code_is_accepted(code: str) -> None:
    """Two or three letters, and parts of at most eight."""
    assert a_site(settings=(("LANGUAGE_CODE", code),)).settings == (("LANGUAGE_CODE", code),)


@pytest.mark.parametrize(
    "code", ["", "d", "deut", "de-", "de--at", "de_at", "d\u00e9", "de-\u00e9", "de-123456789", "-de"]
)
def test_language_code_is_refused(code: str) -> None:
    """Anything else."""
    assert "is not accepted" in refusal("LANGUAGE_CODE", code)


@pytest.mark.parametrize("text", ["", " ", "\u3000", "a\nb", "\x00", "n" * 201])
def test_line_of_text_is_refused(text: str) -> None:
    """Blank, on several lines, not printable or too long."""
    assert "one line of 1 to 200 characters" in refusal("DATE_FORMAT", text)

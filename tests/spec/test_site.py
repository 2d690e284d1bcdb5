"""What a site is, and which settings it may state itself."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from tests.spec.hostile import HOSTILE_HOSTNAMES, HOSTILE_SITE_IDS
from tests.spec.samples import SECRETS, a_site, postgresql, problem_keys, redis, s3
from wagtail_multihost.exceptions import ConfigurationError


def test_site_knows_its_hosts() -> None:
    """The first hostname is canonical, and the hosts are all hostnames and aliases in order."""
    site = a_site()
    assert site.canonical == "aurora.example.org"
    assert site.hosts == ("aurora.example.org", "www.aurora.example.org", "aurora.example.net")


def test_site_cannot_be_changed() -> None:
    """A spec that exists stays as it was checked."""
    site = a_site()
    with pytest.raises(FrozenInstanceError):
        site.epoch = 2  # type: ignore[misc]
    assert not hasattr(site, "__dict__")


def test_site_does_not_print_its_secrets() -> None:
    """The representation of a site has no secret of its database, cache or storage."""
    text = repr(a_site(database=postgresql(), cache=redis(), storage=s3()))
    assert "aviary__aurora" in text
    assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("hostname", HOSTILE_HOSTNAMES, ids=ascii)
@pytest.mark.parametrize("key", ["hostnames", "aliases"])
def test_site_with_a_hostile_hostname_is_refused(key: str, hostname: str) -> None:
    """No spec of a site holds a hostile hostname."""
    with pytest.raises(ConfigurationError) as refused:
        a_site(**{key: (hostname,)})
    assert problem_keys(refused.value) == [key]


@pytest.mark.parametrize("site", HOSTILE_SITE_IDS, ids=ascii)
def test_site_with_a_hostile_id_is_refused(site: str) -> None:
    """No spec of a site has a hostile id."""
    with pytest.raises(ConfigurationError) as refused:
        a_site(id=site)
    assert problem_keys(refused.value) == ["id"]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"hostnames": ()}, "hostnames"),
        ({"hostnames": ("Aurora.example",)}, "hostnames"),
        ({"hostnames": ("b\u00fccher.example",)}, "hostnames"),
        ({"hostnames": ("a.example", "a.example")}, "hostnames"),
        ({"aliases": ("aurora.example.org",)}, "hostnames"),
        ({"epoch": 0}, "epoch"),
        ({"settings": (("DEBUG", True),)}, "settings.DEBUG"),
        ({"settings": (("SECRET_KEY", "x"),)}, "settings.SECRET_KEY"),
        ({"settings": (("time_zone", "UTC"),)}, "settings.time_zone"),
        ({"settings": (("TIME_ZONE", "Europe/Nowhere"),)}, "settings.TIME_ZONE"),
        ({"settings": (("TIME_ZONE", "../../etc/passwd"),)}, "settings.TIME_ZONE"),
        ({"settings": (("TIME_ZONE", True),)}, "settings.TIME_ZONE"),
        ({"settings": (("LANGUAGE_CODE", "german"),)}, "settings.LANGUAGE_CODE"),
        ({"settings": (("LANGUAGE_CODE", "de/../x"),)}, "settings.LANGUAGE_CODE"),
        ({"settings": (("WAGTAIL_SITE_NAME", ""),)}, "settings.WAGTAIL_SITE_NAME"),
        ({"settings": (("WAGTAIL_SITE_NAME", "a\nb"),)}, "settings.WAGTAIL_SITE_NAME"),
        ({"settings": (("WAGTAIL_SITE_NAME", "n" * 201),)}, "settings.WAGTAIL_SITE_NAME"),
        ({"settings": (("WAGTAIL_I18N_ENABLED", "yes"),)}, "settings.WAGTAIL_I18N_ENABLED"),
    ],
    ids=ascii,
)
def test_site_with_one_mistake_names_its_key(changes: dict[str, Any], key: str) -> None:
    """Each mistake in a site is one problem with its key."""
    with pytest.raises(ConfigurationError) as refused:
        a_site(**changes)
    assert problem_keys(refused.value) == [key]


@pytest.mark.parametrize(
    "setting",
    [
        ("WAGTAIL_SITE_NAME", "A\u00fcrora \u2014 \u65e5\u672c"),
        ("TIME_ZONE", "Europe/Berlin"),
        ("LANGUAGE_CODE", "pt-br"),
        ("LANGUAGE_CODE", "zh-hans"),
        ("WAGTAIL_I18N_ENABLED", True),
        ("DEFAULT_FROM_EMAIL", "Aurora <post@aurora.example>"),
    ],
    ids=ascii,
)
def test_site_may_state_settings_of_the_allow_list(setting: tuple[str, str | bool]) -> None:
    """The settings that cannot leak may be the site's own."""
    assert a_site(settings=(setting,)).settings == (setting,)


def test_setting_with_a_typing_mistake_gets_a_suggestion() -> None:
    """An unknown setting that is close to a known one is answered with that one."""
    with pytest.raises(ConfigurationError, match=r"Did you mean TIME_ZONE\?"):
        a_site(settings=(("TIMEZONE", "UTC"),))

"""SECRET_KEY and its fallbacks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import PLATFORM_KEY, a_platform, a_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.secret_key import secret_key_settings
from wagtail_multihost.spec import PlatformSpec, Secret, SiteSpec


def keys_of(platform: PlatformSpec, site: SiteSpec) -> tuple[Any, Any]:
    values = values_of(secret_key_settings(platform, site))
    return values["SECRET_KEY"], values["SECRET_KEY_FALLBACKS"]


def test_secret_key_is_the_same_for_the_same_site() -> None:
    """The key of a site is the same in every process."""
    assert keys_of(a_platform(), a_site()) == keys_of(a_platform(), a_site())


@pytest.mark.parametrize(
    ("platform", "site"),
    [
        (a_platform(), a_site(uid=UUID("7f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"))),
        (a_platform(), a_site(epoch=2)),
        (a_platform(secret_key=Secret(f"{PLATFORM_KEY}x")), a_site()),
    ],
    ids=["uid", "epoch", "platform key"],
)
def test_secret_key_differs_per_site_epoch_and_platform_key(platform: PlatformSpec, site: SiteSpec) -> None:
    """Another uid, epoch or platform key gives another key."""
    assert keys_of(platform, site)[0] != keys_of(a_platform(), a_site())[0]


def test_secret_key_does_not_depend_on_the_name_of_the_site() -> None:
    """A site keeps its key when its id, its hostnames or the platform's name change."""
    renamed = a_site(id="dawn", hostnames=("dawn.example",), aliases=())
    assert keys_of(a_platform(name="menagerie"), renamed) == keys_of(a_platform(), a_site())


def test_secret_key_of_the_epoch_before_is_a_fallback() -> None:
    """After a rotation, what was signed with the epoch before is still read, and nothing older."""
    first, second = keys_of(a_platform(), a_site(epoch=1)), keys_of(a_platform(), a_site(epoch=2))
    assert first[1] == []
    assert second[1] == [first[0]]
    assert keys_of(a_platform(), a_site(epoch=3))[1] == [second[0]]


def test_secret_key_is_computed_when_it_is_revealed() -> None:
    """Where the platform's key was not read, settings can be listed, and revealing the key is an error."""
    settings = list(secret_key_settings(a_platform(secret_key=None), a_site()))
    assert [repr(setting.value) for setting in settings] == ["***", "[]"]
    with pytest.raises(ConfigurationError, match="was not read"):
        values_of(settings)


@pytest.mark.parametrize(
    ("sources", "source"),
    [
        ({"secret_key": "sites.toml: platform.secret_key"}, "sites.toml: platform.secret_key"),
        ({"secret_key_file": "sites.toml: platform.secret_key_file"}, "sites.toml: platform.secret_key_file"),
        ({}, "the key in the data folder"),
    ],
)
def test_secret_key_says_where_the_platforms_key_is(sources: dict[str, str], source: str) -> None:
    """The source of the key is the key of the registry that has the platform's."""
    assert {setting.source for setting in secret_key_settings(a_platform(sources=sources), a_site())} == {source}

"""The checks of caches."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

from tests.checks.conftest import Serve, ids_of
from wagtail_multihost.backends.cache import SiteRedisCache
from wagtail_multihost.checks.caches import check_caches
from wagtail_multihost.resolver.caches import KEY_FUNCTION
from wagtail_multihost.spec.site import SiteSpec

REDIS = "django.core.cache.backends.redis.RedisCache"
SITE_REDIS = "wagtail_multihost.backends.cache.SiteRedisCache"


class OwnLocMem(LocMemCache):
    """A project's own class in the process."""


class OwnRedis(RedisCache):
    """A project's own class on a server."""


class OwnSiteRedis(SiteRedisCache):
    """A project's own class of ours."""


@pytest.mark.parametrize(
    "options",
    [
        {"BACKEND": SITE_REDIS},
        {"BACKEND": SITE_REDIS, "KEY_PREFIX": ""},
        {"BACKEND": SITE_REDIS, "KEY_PREFIX": "aviary.borealis"},
        {"BACKEND": SITE_REDIS, "KEY_PREFIX": "aviary.aurora-b"},
        {"BACKEND": SITE_REDIS, "KEY_PREFIX": "aviary"},
        {"BACKEND": SITE_REDIS, "KEY_PREFIX": "aviary.aurora", "KEY_FUNCTION": "project.key"},
    ],
)
def test_alias_without_the_sites_prefix_is_e008(aurora: SiteSpec, settings: Any, options: dict[str, str]) -> None:
    """A prefix that is missing or another site's, and a function that may ignore it, are errors."""
    settings.CACHES = {"default": {"BACKEND": SITE_REDIS, "KEY_PREFIX": "aviary.aurora"}, "other": options}
    assert ids_of(check_caches(None)) == ["E008"]


@pytest.mark.parametrize("backend", [REDIS, f"{__name__}.OwnRedis"])
def test_alias_whose_clear_may_reach_other_sites_is_w003(aurora: SiteSpec, settings: Any, backend: str) -> None:
    """A backend that is not known to keep to its prefix is warned about."""
    settings.CACHES = {"default": {"BACKEND": backend, "KEY_PREFIX": "aviary.aurora.x"}}
    assert ids_of(check_caches(None)) == ["W003"]


@pytest.mark.parametrize(
    ("backend", "prefix"),
    [
        ("django.core.cache.backends.locmem.LocMemCache", ""),
        ("django.core.cache.backends.db.DatabaseCache", ""),
        ("django.core.cache.backends.dummy.DummyCache", ""),
        (f"{__name__}.OwnLocMem", "aviary.aurora"),
        (f"{__name__}.OwnSiteRedis", "aviary.aurora"),
        (SITE_REDIS, "aviary.aurora"),
        (SITE_REDIS, "aviary.aurora.renditions"),
        ("project.that.is.missing", "aviary.aurora"),
    ],
)
def test_alias_that_keeps_to_itself_is_quiet(aurora: SiteSpec, settings: Any, backend: str, prefix: str) -> None:
    """What is in the process, in the site's database, or of this package has no message."""
    settings.CACHES = {"default": {"BACKEND": backend, "KEY_PREFIX": prefix}}
    assert check_caches(None) == []


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("/srv/data/sites/aurora/cache/files", []),
        ("/srv/data/sites/borealis/cache/files", ["W003"]),
        ("/var/tmp/django_cache", ["W003"]),
    ],
)
def test_alias_of_files_outside_the_sites_folder_is_w003(
    aurora: SiteSpec, settings: Any, location: str, found: list[str]
) -> None:
    """Django's cache of files removes every file of its folder, whatever the prefix."""
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings.CACHES = {"default": {"BACKEND": backend, "KEY_PREFIX": "aviary.aurora", "LOCATION": location}}
    assert ids_of(check_caches(None)) == found


@pytest.mark.parametrize(
    ("engine", "alias", "options", "found"),
    [
        ("django.contrib.sessions.backends.cached_db", "visitors", {}, ["W025"]),
        ("django.contrib.sessions.backends.cache", "visitors", {}, ["W025"]),
        ("django.contrib.sessions.backends.cache", "visitors", {"KEY_FUNCTION": KEY_FUNCTION}, []),
        ("django.contrib.sessions.backends.cache", "default", {}, []),
        ("django.contrib.sessions.backends.db", "visitors", {}, []),
        ("project.that.is.missing", "visitors", {}, []),
    ],
)
def test_alias_whose_names_show_keys_of_sessions_is_w025(
    aurora: SiteSpec, settings: Any, engine: str, alias: str, options: dict[str, str], found: list[str]
) -> None:
    """An alias that keeps sessions and was set without the function is warned about, and no other."""
    settings.SESSION_ENGINE, settings.SESSION_CACHE_ALIAS = engine, alias
    named = {"BACKEND": SITE_REDIS, "KEY_PREFIX": "aviary.aurora", "KEY_FUNCTION": KEY_FUNCTION}
    settings.CACHES = {
        "default": named,
        "visitors": {"BACKEND": SITE_REDIS, "KEY_PREFIX": "aviary.aurora.visitors", **options},
    }
    assert ids_of(check_caches(None)) == found


def test_caches_of_no_site_are_quiet(serve: Serve, settings: Any) -> None:
    """In build mode there is no prefix to miss."""
    serve(None)
    settings.CACHES = {"default": {"BACKEND": REDIS}}
    assert check_caches(None) == []

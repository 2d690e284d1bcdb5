"""The checks of caches."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

from tests.checks.conftest import Serve, ids_of
from tests.spec.samples import a_site
from wagtail_multihost import running
from wagtail_multihost.backends.cache import SiteRedisCache
from wagtail_multihost.checks.caches import FILES, check_caches, is_in_folder
from wagtail_multihost.resolver.caches import KEY_FUNCTION
from wagtail_multihost.running import Running
from wagtail_multihost.spec.site import SiteSpec

REDIS = "django.core.cache.backends.redis.RedisCache"
SITE_REDIS = "wagtail_multihost.backends.cache.SiteRedisCache"


class OwnLocMem(LocMemCache):
    """A project's own class in the process."""


class OwnRedis(RedisCache):
    """A project's own class on a server."""


class OwnSiteRedis(SiteRedisCache):
    """A project's own class of ours."""


def make_cache(location: str, params: dict[str, Any]) -> RedisCache:
    """Stand in for a project's own function, which Django calls as it would call a class."""
    return OwnRedis(location, params)


@pytest.mark.parametrize(
    "options",
    [
        {"BACKEND": SITE_REDIS},
        {"BACKEND": f"{__name__}.OwnLocMem"},
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


@pytest.mark.parametrize("backend", [REDIS, f"{__name__}.OwnRedis", f"{__name__}.make_cache"])
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


@pytest.mark.parametrize("applied", [None, Running()])
def test_folder_of_a_site_is_known_where_settings_were_applied(
    monkeypatch: pytest.MonkeyPatch, applied: Running | None
) -> None:
    """Without a platform no folder is taken for a site's own."""
    monkeypatch.setattr(running, "_current", applied)
    location = {"LOCATION": "/srv/data/sites/aurora/cache/files"}
    assert is_in_folder(FILES, location, a_site()) is False


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


def test_each_alias_is_looked_at_for_each_fault(aurora: SiteSpec, settings: Any) -> None:
    """Messages name the alias that they are about; one alias may have two faults, and the sound ones have none."""
    settings.SESSION_ENGINE, settings.SESSION_CACHE_ALIAS = "django.contrib.sessions.backends.cache", "visitors"
    settings.CACHES = {
        "default": {"BACKEND": SITE_REDIS, "KEY_PREFIX": "aviary.aurora"},
        "visitors": {"BACKEND": REDIS},
        "pages": {"BACKEND": REDIS, "KEY_PREFIX": "aviary.aurora"},
        "other": {"KEY_PREFIX": "aviary.aurora"},
    }
    messages = check_caches(None)
    assert ids_of(messages) == ["W025", "E008", "W003"]
    named = ["'visitors'", "'visitors'", "'pages'"]
    assert [message.msg.partition("[")[2].partition("]")[0] for message in messages] == named
    assert repr(KEY_FUNCTION).strip("'") in str(messages[0].hint) and repr(REDIS) in messages[2].msg


def test_caches_of_no_site_are_quiet(serve: Serve, settings: Any) -> None:
    """In build mode there is no prefix to miss."""
    serve(None)
    settings.CACHES = {"default": {"BACKEND": REDIS}}
    assert check_caches(None) == []

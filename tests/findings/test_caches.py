"""Findings 4 and 5: prefixes with a colon, and clear()."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from django.core.cache import CacheHandler
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache

from tests.findings.conftest import REGISTRY, SettingsOf
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry

FILES = "django.core.cache.backends.filebased.FileBasedCache"
PIN = """
[sites.aurora.names]
key_prefix = "{}"
"""


def test_prefix_with_a_colon_is_no_namespace() -> None:
    """The prefixes "a:1" and "a" give the same keys on a stock cache."""
    one, other = (LocMemCache("findings", {"KEY_PREFIX": prefix}) for prefix in ("a:1", "a"))
    one.set("foo", "of one")
    assert other.get("foo", version="1:1") == "of one"
    one.clear()


@pytest.mark.parametrize("prefix", ["a:1", "aviary.aurora:", "a*", "a b"])
def test_prefix_with_a_colon_is_refused(prefix: str, tmp_path: Path) -> None:
    """A registry accepts no prefix with the character that separates it from the key."""
    path = tmp_path / "sites.toml"
    path.write_text(REGISTRY + PIN.format(prefix))
    with pytest.raises(ConfigurationError) as caught:
        open_registry(path, {}).load()
    assert [problem.site for problem in caught.value.problems] == ["aurora"]


def test_prefixes_of_sites_never_begin_alike(settings_of: SettingsOf) -> None:
    """No alias of a site has keys that begin like those of another, also where ids begin alike."""
    registry = REGISTRY.replace("[sites.borealis]", "[sites.aurora-1]")
    project = {"CACHES": {"renditions": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}}
    keys = []
    for site in ("aurora", "aurora-1"):
        caches = CacheHandler(settings_of(site, registry=registry, project=project)["CACHES"])
        keys += [caches[alias].make_key("") for alias in ("default", "renditions")]
    assert len(set(keys)) == 4
    assert not any(first.startswith(second) or second.startswith(first) for first, second in combinations(keys, 2))


def test_clear_of_a_file_cache_keeps_the_neighbours(settings_of: SettingsOf, tmp_path: Path) -> None:
    """A stock file cache is emptied for everyone, whatever the prefixes; each site has a folder of its own."""
    shared = str(tmp_path / "cache")
    one, other = (FileBasedCache(shared, {"KEY_PREFIX": prefix}) for prefix in ("a", "b"))
    other.set("kept", "kept")
    one.clear()
    assert other.get("kept") is None
    project = {"CACHES": {"pages": {"BACKEND": FILES, "LOCATION": shared}}}
    own, neighbour = (
        CacheHandler(settings_of(site, project=project)["CACHES"])["pages"] for site in ("aurora", "borealis")
    )
    neighbour.set("kept", "kept")
    own.set("gone", "gone")
    own.clear()
    assert (own.get("gone"), neighbour.get("kept")) == (None, "kept")

"""Links that a hostile site makes in its own folder, for root's commands to follow."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.accounts import NOBODY, needs_root
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.resolver import resolve
from wagtail_multihost.resolver.folders import prepare_folders

REGISTRY = """
[platform]
name = "aviary"
secret_key = "platform-key-0123456789-0123456789"
[sites.aurora]
hostnames = ["aurora.example.org"]
"""
PRODUCTION = 'environment = "production"'
PINS = """uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"
names.database = "a__a"
names.role = "a__a"
names.bucket = "a--a"
names.key_prefix = "a.a"
names.index_prefix = "a_a_"
names.socket = "a.sock"
"""
PROJECT: dict[str, Any] = {
    "SESSION_ENGINE": "django.contrib.sessions.backends.file",
    "LOGGING": {"version": 1, "handlers": {"file": {"class": "logging.FileHandler", "filename": "app.log"}}},
}


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    path = tmp_path / "sites.toml"
    path.write_text(REGISTRY)
    (tmp_path / "data" / "sites" / "aurora").mkdir(parents=True)
    return path


@pytest.mark.parametrize("name", ["sessions", "logs"])
def test_link_in_the_place_of_a_folder_is_refused_and_not_followed(registry: Path, name: str) -> None:
    """What a link in the site's folder leads to keeps its owner and its mode."""
    victim = registry.parent / "victim"
    victim.mkdir(mode=0o755)
    (registry.parent / "data" / "sites" / "aurora" / name).symlink_to(victim)
    before = victim.stat()
    with pytest.raises(ConfigurationError, match="cannot be created"):
        resolve(registry, environ={"MULTIHOST_SITE": "aurora"}).apply(dict(PROJECT))
    assert (victim.stat().st_mode, victim.stat().st_uid, list(victim.iterdir())) == (before.st_mode, before.st_uid, [])


def test_link_in_the_place_of_temporary_files_is_not_followed(registry: Path) -> None:
    """The system's folder is used instead, with a warning."""
    victim = registry.parent / "victim"
    victim.mkdir(mode=0o755)
    (registry.parent / "data" / "sites" / "aurora" / "tmp").symlink_to(victim)
    namespace: dict[str, Any] = {}
    resolve(registry, environ={"MULTIHOST_SITE": "aurora"}).apply(namespace)
    assert namespace["FILE_UPLOAD_TEMP_DIR"] is None
    assert stat.S_IMODE(victim.stat().st_mode) == 0o755


@needs_root
def test_root_does_not_work_in_the_folder_of_another_account(registry: Path) -> None:
    """Database and log files there may be links to whatever root may write to."""
    os.chown(registry.parent / "data" / "sites" / "aurora", NOBODY, -1)
    with pytest.raises(ConfigurationError) as refused:
        resolve(registry, environ={"MULTIHOST_SITE": "aurora"})
    assert [problem.site for problem in refused.value.problems] == ["aurora"]
    assert "uid 65534" in str(refused.value) and "user" in str(refused.value)


@needs_root
@pytest.mark.parametrize(("platform", "hint"), [('user = "games"', "multihost_as aurora"), (PRODUCTION, "State")])
def test_root_is_not_a_site_that_has_another_account_or_none(registry: Path, platform: str, hint: str) -> None:
    """Root would unpickle what the site has put into its cache; a site on S3 has no folder that tells whose it is."""
    (registry.parent / "data" / "sites" / "aurora").rmdir()
    registry.write_text(REGISTRY.replace("[sites.aurora]", f"{platform}\n[sites.aurora]\n{PINS}"))
    with pytest.raises(ConfigurationError) as refused:
        resolve(registry, environ={"MULTIHOST_SITE": "aurora"})
    assert hint in str(refused.value) and "platform.user" in str(refused.value)
    assert not (registry.parent / "data" / "sites" / "aurora").exists()


@needs_root
def test_folder_is_not_made_by_a_stranger(registry: Path) -> None:
    """The site's account could not use a folder that another account has made."""
    (registry.parent / "data" / "sites" / "aurora").rmdir()
    registry.write_text(REGISTRY.replace("[sites.aurora]", 'user = "games"\n[sites.aurora]'))
    platform, site = open_registry(registry, {}).site("aurora")
    with pytest.raises(ConfigurationError, match="must belong to games"):
        prepare_folders(platform, site)
    assert not (registry.parent / "data" / "sites" / "aurora").exists()

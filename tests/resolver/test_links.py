"""Links that a hostile site makes in its own folder, for root's commands to follow."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.accounts import NOBODY, needs_root
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.management import as_site
from wagtail_multihost.resolver import resolve

REGISTRY = """
[platform]
name = "aviary"
secret_key = "platform-key-0123456789-0123456789"
[sites.aurora]
hostnames = ["aurora.example.org"]
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
    with pytest.raises(ConfigurationError, match="cannot be made"):
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
    assert "multihost_as aurora" in str(refused.value)


def test_command_for_a_site_goes_on_as_the_owner_of_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """From root, groups, group and user change, in this order; the home is the account's. Not run for real here:
    the account of a site need not be able to read the environment of the tests."""
    calls: list[tuple[str, Any]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("initgroups", "setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, lambda *arguments, name=name: calls.append((name, arguments)))
    home = as_site.become_owner(NOBODY)["HOME"]
    assert [name for name, _ in calls] == ["initgroups", "setresgid", "setresuid"]
    assert calls[-1] == ("setresuid", (NOBODY, NOBODY, NOBODY))
    assert home != "/root"
    assert as_site.become_owner(0) == as_site.become_owner(None) == {}
    assert len(calls) == 3

"""Every test of the resolver starts with nothing resolved, and leaves the run's own settings alone."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.spec.samples import ACCESS_KEY, BUCKET_KEY, CACHE_PASSWORD, DATABASE_PASSWORD, PLATFORM_KEY
from wagtail_multihost import resolver, running
from wagtail_multihost.resolver.setting import Setting, reveal_secrets

# Not by attribute: a function of the package has the module's name.
RESOLVED = importlib.import_module("wagtail_multihost.resolver.resolved")

REGISTRY = f"""
[platform]
name = "aviary"
secret_key = "{PLATFORM_KEY}"
[sites.aurora]
hostnames = ["aurora.example.org", "www.aurora.example.org"]
aliases = ["aurora.example.net"]
epoch = 2
cache = "redis://aurora:{CACHE_PASSWORD}@cache.internal:6379/0"
[sites.aurora.database]
engine = "postgresql"
host = "db.internal"
password = "{DATABASE_PASSWORD}"
[sites.aurora.storage]
backend = "s3"
access_key = "{ACCESS_KEY}"
secret_key = "{BUCKET_KEY}"
[sites.aurora.settings]
TIME_ZONE = "Europe/Berlin"
[sites.borealis]
hostnames = ["borealis.example.org"]
epoch = 2
[sites.corona]
hostnames = ["corona.example.org"]
enabled = false
"""


@pytest.fixture(autouse=True)
def nothing_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "_outcomes", {})
    monkeypatch.setattr(running, "_current", None)
    monkeypatch.setattr(running, "_resets", {})
    monkeypatch.setattr(sys, "argv", ["manage.py", "check"])


@pytest.fixture
def registry_file(tmp_path: Path) -> Path:
    """A registry of three sites: one on servers, one on local files, and one that is disabled."""
    path = tmp_path / "sites.toml"
    path.write_text(REGISTRY)
    return path


def values_of(settings: Iterable[Setting]) -> dict[str, object]:
    return {setting.name: reveal_secrets(setting.value) for setting in settings}

"""The process of a site."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.running import Running
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.names import derive_names
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

ACCESS_KEY = "own-access-key"
SECRET_KEY = "own-secret-key"


@pytest.fixture
def process_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make this the process of the site ``aurora`` with a bucket, with the storage's ``options`` on top."""

    def make(**options: object) -> None:
        platform = PlatformSpec(name="aviary", data=Path("/srv/data"))
        values = {
            "backend": "s3",
            "bucket": "aviary--aurora",
            "access_key": Secret(ACCESS_KEY),
            "secret_key": Secret(SECRET_KEY),
            "region": "eu-central-1",
        }
        site = SiteSpec(
            id="aurora",
            uid=platform.uid_of("aurora"),
            hostnames=("aurora.example.org",),
            names=derive_names("aviary", "aurora"),
            database=DatabaseSpec(engine="sqlite", path=Path("/srv/data/db.sqlite3")),
            cache=CacheSpec(backend="locmem"),
            storage=StorageSpec(**{**values, **options}),
        )
        monkeypatch.setattr(running, "_current", Running(platform=platform, site=site))

    return make


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make this the process of the site ``aurora``, or of another with the same shape."""

    def make(*, environment: str = "production", ephemeral: Any = None, **changes: Any) -> None:
        site = a_site(**changes)
        platform = a_platform(environment=environment)
        made = Running(platform=platform, site=site, ephemeral=ephemeral is not None)
        monkeypatch.setattr(running, "_current", made)

    return make


@pytest.fixture
def throw_away(tmp_path: Path) -> Iterator[TemporaryDirectory[str]]:
    """What marks the site of a test run."""
    folder = TemporaryDirectory(dir=tmp_path)
    yield folder
    folder.cleanup()

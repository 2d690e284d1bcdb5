"""The process of a site that keeps its files in a bucket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wagtail_multihost.backends import storage
from wagtail_multihost.resolver.resolved import Applied, ResolvedSettings
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
        monkeypatch.setattr(storage, "latest", lambda: Applied(ResolvedSettings(platform, site), {}, {}))

    return make

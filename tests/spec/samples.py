"""Valid specs, to be changed in one place at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec import (
    CacheSpec,
    DatabaseSpec,
    PlatformSpec,
    Secret,
    SiteSpec,
    StorageSpec,
    derive_names,
)
from wagtail_multihost.spec.codebase import Codebase

PLATFORM_KEY = "platform-key-0123456789-0123456789-0123456789"
DATABASE_PASSWORD = "database-password-hunter2"
CACHE_PASSWORD = "cache-password-hunter3"
ACCESS_KEY = "access-key-hunter4"
BUCKET_KEY = "bucket-key-hunter5"
SECRETS = (PLATFORM_KEY, DATABASE_PASSWORD, CACHE_PASSWORD, ACCESS_KEY, BUCKET_KEY)


def problem_keys(error: ConfigurationError) -> list[str]:
    return [problem.where for problem in error.problems]


def secret_file(path: Path, content: str | bytes) -> Path:
    """Write a file that only its owner can read."""
    path.touch(0o600)
    path.chmod(0o600)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def a_platform(**changes: Any) -> PlatformSpec:
    return PlatformSpec(**{"name": "aviary", "data": Path("/srv/data"), "secret_key": Secret(PLATFORM_KEY), **changes})


def sqlite(**changes: Any) -> DatabaseSpec:
    return DatabaseSpec(**{"engine": "sqlite", "path": Path("/srv/data/sites/aurora/db.sqlite3"), **changes})


def postgresql(**changes: Any) -> DatabaseSpec:
    valid = {
        "engine": "postgresql",
        "name": "aviary__aurora",
        "user": "aviary__aurora",
        "password": Secret(DATABASE_PASSWORD),
        "host": "db.internal",
    }
    return DatabaseSpec(**{**valid, **changes})


def redis(**changes: Any) -> CacheSpec:
    return CacheSpec(**{"backend": "redis", "host": "cache.internal", "password": Secret(CACHE_PASSWORD), **changes})


def files(**changes: Any) -> StorageSpec:
    return StorageSpec(**{"backend": "files", "path": Path("/srv/data/sites/aurora/media"), **changes})


def s3(**changes: Any) -> StorageSpec:
    valid = {
        "backend": "s3",
        "bucket": "aviary--aurora",
        "access_key": Secret(ACCESS_KEY),
        "secret_key": Secret(BUCKET_KEY),
    }
    return StorageSpec(**{**valid, **changes})


def a_site(**changes: Any) -> SiteSpec:
    valid = {
        "id": "aurora",
        "uid": UUID("6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"),
        "hostnames": ("aurora.example.org", "www.aurora.example.org"),
        "aliases": ("aurora.example.net",),
        "names": derive_names("aviary", "aurora"),
        "database": sqlite(),
        "cache": CacheSpec(backend="locmem"),
        "storage": files(),
    }
    return SiteSpec(**{**valid, **changes})


def a_codebase(**changes: Any) -> Codebase:
    valid = {
        "directory": Path("/srv/code"),
        "virtualenv": Path("/srv/venv"),
        "wsgi": "example.wsgi:application",
        "settings_module": "example.settings",
        "static_root": Path("/srv/static"),
    }
    return Codebase(**{**valid, **changes})

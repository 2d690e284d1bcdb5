"""Settings modules of projects that are isolated, and of those that are not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from wagtail_multihost.testing.isolation import Isolation

EXAMPLE = Path(__file__).parents[2] / "example_project"
# A project with more than one alias of everything, and a page cache.
PROJECT = """
from example.settings import *

CACHES = {
    "default": {},
    "renditions": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": SHARED},
}
STORAGES = {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "reports": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": SHARED}},
}
WAGTAILSEARCH_BACKENDS = {
    "default": {"BACKEND": "wagtail.search.backends.database"},
    "server": {"BACKEND": "tests.testing.leaks.FileSearchBackend", "LOCATION": SHARED},
}
TASKS = {"default": {"BACKEND": "tests.testing.leaks.FileQueue", "OPTIONS": {"LOCATION": SHARED}}}
LOGGING = {
    "version": 1,
    "handlers": {"file": {"class": "logging.FileHandler", "filename": f"{SHARED}/web.log"}},
    "root": {"handlers": ["file"]},
}
MIDDLEWARE = [
    "django.middleware.cache.UpdateCacheMiddleware",
    *MIDDLEWARE,
    "django.middleware.cache.FetchFromCacheMiddleware",
]
SESSION_FILE_PATH = SHARED
FILE_UPLOAD_TEMP_DIR = SHARED
MEDIA_ROOT = SHARED
resolve().apply(globals())
"""


@pytest.fixture(name="databases", scope="session")
def _databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the migrated databases of the whole run, of all workers of pytest-xdist too."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if base.name.startswith("popen-") else base) / "multihost-databases"


@pytest.fixture(name="shared")
def _shared(tmp_path: Path) -> Path:
    """Make a folder that both sites may write to."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def isolation_of(
    tmp_path: Path, shared: Path, databases: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Isolation]:
    """Make two sites of a project whose settings end with the lines ``code``; both share the folder SHARED."""
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.syspath_prepend(tmp_path)

    def make(code: str = "", **options: object) -> Isolation:
        module = f"project_{uuid4().hex}"
        (tmp_path / f"{module}.py").write_text(f"SHARED = {str(shared)!r}\n{PROJECT}{code}\n")
        return Isolation(module, databases=databases, **options)

    return make


@pytest.fixture
def shared_database(shared: Path, databases: Path, isolation_of: Callable[..., Isolation]) -> Path:
    """Make one migrated database for both sites."""
    isolation_of(canaries=()).check()
    newest = max(databases.glob("*/migrated.sqlite3"), key=lambda file: file.stat().st_mtime)
    path = shared / "db.sqlite3"
    shutil.copyfile(newest, path)
    return path

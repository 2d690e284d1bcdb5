"""Settings of processes that serve no site: build mode, and the throw-away site of a test run."""

from __future__ import annotations

import atexit
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from wagtail_multihost.resolver.databases import DATABASE_DEFAULT, ENGINES
from wagtail_multihost.resolver.setting import Project, Setting, aliases_of
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.names import derive_names
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

STORAGE_DEFAULT = "default"
IN_MEMORY = "django.core.files.storage.InMemoryStorage"
RULE = "build mode: MULTIHOST_SITE names no site"
SQLITE_ENGINES = (ENGINES["sqlite"], "django.contrib.gis.db.backends.spatialite")
UNSERVED_HOST = "build-mode.invalid"  # RFC 2606: never a real host


def build_settings(project: Project) -> Iterator[Setting]:
    """
    Yield values with which nothing can be served or reached. The database engine stays the project's:
    models may take their shape from the vendor. Without a NAME no connection can be opened.
    """
    # Every alias of the project: routers, and tests that name one, look it up.
    databases: dict[str, dict[str, object]] = {DATABASE_DEFAULT: {}, **aliases_of(project, "DATABASES")}
    yield Setting("DATABASES", {alias: without_name(options) for alias, options in databases.items()}, RULE, "")
    caches = dict.fromkeys({"default", *aliases_of(project, "CACHES")})
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    yield Setting("CACHES", {alias: dict(dummy) for alias in sorted(caches)}, RULE, "")
    storages = aliases_of(project, "STORAGES")
    if storages and STORAGE_DEFAULT not in storages:
        yield Setting("STORAGES", {**storages, STORAGE_DEFAULT: {"BACKEND": IN_MEMORY}}, RULE, "")
    yield Setting("SECRET_KEY", Secret(secrets.token_urlsafe(64)), RULE, "")
    yield Setting("SECRET_KEY_FALLBACKS", [], RULE, "")
    yield Setting("ALLOWED_HOSTS", [UNSERVED_HOST], RULE, "")
    # Checks for deployment, which run with no site too, ask for what each site has.
    yield Setting("CSRF_COOKIE_SECURE", True, RULE, "")
    yield Setting("SESSION_COOKIE_SECURE", True, RULE, "")
    yield Setting("WAGTAILADMIN_BASE_URL", f"https://{UNSERVED_HOST}", RULE, "")


def without_name(options: Mapping[str, object]) -> dict[str, object]:
    return {"ENGINE": str(options.get("ENGINE") or ENGINES["sqlite"]), "NAME": ""}


def ephemeral_site() -> tuple[PlatformSpec, SiteSpec, tempfile.TemporaryDirectory[str]]:
    """Return a site with a database in memory, a cache in the process, and files in a temporary folder."""
    folder = tempfile.TemporaryDirectory(prefix="multihost-test-")
    # Removed at exit without the ResourceWarning of an implicit clean-up.
    atexit.register(folder.cleanup)
    data = Path(folder.name)
    platform = PlatformSpec(
        name="ephemeral", data=data, origin="http://{hostname}", secret_key=Secret(secrets.token_urlsafe(48))
    )
    site = SiteSpec(
        id="test",
        uid=platform.uid_of("test"),
        hostnames=("test.localhost",),
        names=derive_names(platform.name, "test"),
        database=DatabaseSpec(engine="sqlite", path=data / "db.sqlite3"),
        cache=CacheSpec(backend="locmem"),
        storage=StorageSpec(backend="files", path=data / "media"),
    )
    return platform, site, folder


def ephemeral_database(project: Project, command: str) -> Setting:
    """
    Return DATABASES of a test run: SQLite in memory, or the project's own server with a database name
    that exists nowhere, from which Django makes a test database of its own. ``makemigrations`` compares
    the history in memory only, and reaches no server.
    """
    databases: dict[str, dict[str, object]] = {DATABASE_DEFAULT: {}, **aliases_of(project, "DATABASES")}
    value = {alias: throwaway_options(options, command) for alias, options in databases.items()}
    return Setting("DATABASES", value, "test run: in memory, or of its own on the project's server", "")


def throwaway_options(own: Mapping[str, object], command: str) -> dict[str, object]:
    engine = str(own.get("ENGINE") or ENGINES["sqlite"])
    if engine in SQLITE_ENGINES:
        return {**own, "ENGINE": engine, "NAME": ":memory:"}
    if command == "makemigrations":
        return without_name(own)
    name = f"multihost_{secrets.token_hex(8)}"
    kept = own.get("TEST")
    test = {**(kept if isinstance(kept, Mapping) else {}), "NAME": f"test_{name}"}
    return {**own, "NAME": name, "TEST": test}

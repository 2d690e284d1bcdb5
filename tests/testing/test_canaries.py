"""Each canary tells, under the setting that is behind it, when a project breaks the isolation of its sites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wagtail_multihost.testing.canaries import CANARIES
from wagtail_multihost.testing.isolation import Isolation

pytestmark = pytest.mark.projects

DEFAULT_DATABASE = 'DATABASES["default"]'
DEFAULT_CACHE = 'CACHES["default"]'
NO_FUSE = 'INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "wagtail_multihost"]'
ONE_DATABASE = 'DATABASES["default"]["NAME"] = f"{SHARED}/db.sqlite3"'
FILE_CACHE = '{"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": f"{SHARED}/cache"}'

# What projects do after resolve().apply(globals()), several at a time, for each run has to start two sites: the canary
# that must tell, the setting that it must name, and the code. A name that no canary has says who tells with it.
BREAKS: dict[str, list[tuple[str, str, str]]] = {
    "one way each": [
        ("cache", 'CACHES["renditions"]', f'CACHES["renditions"] = {FILE_CACHE}'),
        ("signing", "SECRET_KEY_FALLBACKS", 'SECRET_KEY_FALLBACKS = ["one key " * 9]'),
        ("hosts", "ALLOWED_HOSTS", 'ALLOWED_HOSTS = ["*"]'),
        ("cookies", "SESSION_COOKIE_DOMAIN", 'SESSION_COOKIE_DOMAIN = "isolation.test"'),
        (
            "sessions",
            "SESSION_FILE_PATH",
            'SESSION_ENGINE = "django.contrib.sessions.backends.file"\n'
            'SESSION_FILE_PATH, SESSION_COOKIE_NAME = SHARED, "sessionid"',
        ),
        ("storage", 'STORAGES["reports"]', 'STORAGES["reports"]["OPTIONS"]["location"] = SHARED'),
        ("uploads", "FILE_UPLOAD_TEMP_DIR", "FILE_UPLOAD_TEMP_DIR = SHARED"),
        ("search", 'WAGTAILSEARCH_BACKENDS["server"]', 'WAGTAILSEARCH_BACKENDS["server"]["INDEX_PREFIX"] = ""'),
        ("content-types", "ContentType.objects", 'INSTALLED_APPS += ["tests.testing.remembering.RememberingConfig"]'),
        ("tasks", 'TASKS["default"]', 'TASKS["default"]["BACKEND"] = "tests.testing.leaks.FileQueue"'),
        (
            "logs",
            "LOGGING",
            'LOGGING = {"version": 1, "root": {"handlers": ["file"]}, "handlers": {"file": '
            '{"class": "logging.FileHandler", "filename": f"{SHARED}/web.log"}}}',
        ),
    ],
    "another way each": [
        (
            "database",
            'DATABASES["reports"]',
            'DATABASES["reports"] = {**DATABASES["default"], "NAME": f"{SHARED}/reports"}',
        ),
        ("cache", DEFAULT_CACHE, f"CACHES['default'] = {FILE_CACHE}"),
        ("wagtail-sites", DEFAULT_CACHE, ""),
        ("pages", "MIDDLEWARE", 'MIDDLEWARE = ["tests.testing.leaks.PathPageCache"]'),
        ("signing", "SECRET_KEY", 'SECRET_KEY = "one key " * 9'),
        ("sessions", "SECRET_KEY", 'SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"'),
        ("hosts", "CSRF_TRUSTED_ORIGINS", 'CSRF_TRUSTED_ORIGINS = ["https://*.isolation.test"]'),
        ("hosts", "WAGTAILADMIN_BASE_URL", 'WAGTAILADMIN_BASE_URL = "https://isolation.test"'),
        ("storage", "MEDIA_ROOT", "MEDIA_ROOT = SHARED"),
        ("content-types", "ContentType.objects", 'INSTALLED_APPS += ["tests.testing.remembering.LeftoversConfig"]'),
    ],
    "in threads": [
        (
            "threads",
            DEFAULT_CACHE,
            'CACHES["default"].update(BACKEND="tests.testing.leaks.ThreadLocalPrefixCache", LOCATION=SHARED)',
        ),
        (
            "sessions",
            'CACHES["renditions"]',
            'SESSION_ENGINE, SESSION_CACHE_ALIAS = "django.contrib.sessions.backends.cache", "renditions"',
        ),
        ("cache", 'CACHES["renditions"]', f'CACHES["renditions"] = {FILE_CACHE}'),
    ],
    "in coroutines": [
        # The keys have prefixes; clear() takes the whole folder.
        ("cache", 'CACHES["renditions"]', 'CACHES["renditions"]["LOCATION"] = f"{SHARED}/cache"'),
        (
            "async",
            DEFAULT_CACHE,
            'CACHES["default"].update(BACKEND="tests.testing.leaks.AsyncWithoutPrefixCache", LOCATION=SHARED)',
        ),
    ],
}


def told(isolation: Isolation) -> set[tuple[str, str]]:
    """Return who tells of which setting; fails where a canary could not tell."""
    findings = isolation.findings()
    assert [finding for finding in findings if not finding.setting] == []
    return {(finding.canary, finding.setting) for finding in findings}


def test_nothing_crosses_in_a_project_that_is_isolated(isolation_of: Callable[..., Isolation]) -> None:
    """A project with several aliases of everything passes with every canary."""
    assert isolation_of().findings() == ()
    assert len(CANARIES) == len(set(CANARIES)) > 10


def test_page_cache_answers_no_canary(isolation_of: Callable[..., Isolation]) -> None:
    """
    In a project whose page cache keeps every answer, under the path alone, canaries that make requests reach their
    views, and nothing that it keeps counts as a crossing or hides one.
    """
    code = 'MIDDLEWARE = ["tests.testing.leaks.PathPageCache"]\nPAGES = f"{SHARED}/{os.environ[\'MULTIHOST_SITE\']}"'
    canaries = [path for path in CANARIES if ".concurrency." in path or ".pages." in path]
    assert isolation_of(f"import os\n{code}", canaries=canaries).findings() == ()


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
def test_broken_isolation_is_told(breaks: list[tuple[str, str, str]], isolation_of: Callable[..., Isolation]) -> None:
    """What both sites share after apply is told by its own canary under its own setting, and nothing else is told."""
    code = "\n".join(code for _, _, code in breaks)
    assert told(isolation_of(code)) == {(canary, setting) for canary, setting, _ in breaks}


def test_one_database_is_told_by_the_fuse(shared_database: Path, isolation_of: Callable[..., Isolation]) -> None:
    """Where both sites' settings lead to one database, the identity fuse refuses, and the kit says so."""
    isolation = isolation_of(ONE_DATABASE)
    assert told(isolation) == {("database", DEFAULT_DATABASE)}
    assert "identity" in isolation.findings()[0].evidence


def test_one_database_without_the_fuse_is_told(shared_database: Path, isolation_of: Callable[..., Isolation]) -> None:
    """Without the app there is no fuse; then every canary that lives in the database names it, and nothing else."""
    canaries = {"database", "sessions", "search", "content-types", "wagtail-sites"}
    found = told(isolation_of(f"{NO_FUSE}\n{ONE_DATABASE}"))
    assert found == {(canary, DEFAULT_DATABASE) for canary in canaries}


def test_one_log_file_whose_lines_say_the_site_is_accepted(isolation_of: Callable[..., Isolation]) -> None:
    """Sites may write to one file when each line has the site's id."""
    code = 'LOGGING["handlers"]["file"]["filename"] = f"{SHARED}/web.log"'
    logs = [path for path in CANARIES if ".logs." in path]
    assert isolation_of(code, canaries=logs).findings() == ()

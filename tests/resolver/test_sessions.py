"""Sessions, messages, the page cache and temporary files."""

from __future__ import annotations

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import a_platform, a_site, redis
from wagtail_multihost.resolver.sessions import session_settings
from wagtail_multihost.resolver.uploads import upload_settings

SESSION = "django.contrib.messages.storage.session.SessionStorage"


def sessions(**project: object) -> dict[str, object]:
    return values_of(session_settings(a_platform(), a_site(), project))


@pytest.mark.parametrize(
    "project",
    [
        {"SESSION_ENGINE": "django.contrib.sessions.backends.file"},
        {"SESSION_ENGINE": "project.sessions", "SESSION_FILE_PATH": "/tmp/sessions"},
    ],
)
def test_sessions_in_files_are_in_a_folder_of_the_site(project: dict[str, object]) -> None:
    """Django would keep every site's sessions in the system's folder of temporary files."""
    assert sessions(**project)["SESSION_FILE_PATH"] == "/srv/data/sites/aurora/sessions"


@pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "signed_cookies"])
def test_sessions_elsewhere_need_no_folder(engine: str) -> None:
    """Database, caches and signatures are the site's already."""
    assert "SESSION_FILE_PATH" not in sessions(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({}, SESSION),
        ({"MESSAGE_STORAGE": "django.contrib.messages.storage.cookie.CookieStorage"}, SESSION),
        ({"MESSAGE_STORAGE": "django.contrib.messages.storage.fallback.FallbackStorage"}, SESSION),
        ({"MESSAGE_STORAGE": "project.messages.Storage"}, None),
    ],
)
def test_messages_are_in_no_cookie_that_sites_share(stated: dict[str, object], expected: str | None) -> None:
    """Django's message cookie has one name on every site; a storage of the project's own stays."""
    assert sessions(**stated).get("MESSAGE_STORAGE") == expected


def test_page_cache_has_no_prefix_beside_the_sites() -> None:
    """A prefix of the project says nothing that the site's prefix does not."""
    assert sessions(CACHE_MIDDLEWARE_KEY_PREFIX="shared")["CACHE_MIDDLEWARE_KEY_PREFIX"] == ""
    assert "CACHE_MIDDLEWARE_KEY_PREFIX" not in sessions()


def test_temporary_files_are_in_a_folder_of_the_site() -> None:
    """Uploads on their way, and imports between two requests, are out of other sites' reach."""
    project = {"FILE_UPLOAD_TEMP_DIR": "/tmp", "WAGTAIL_REDIRECTS_FILE_STORAGE": "tmp_file"}
    local = values_of(upload_settings(a_platform(), a_site(), project))
    assert local == {
        "FILE_UPLOAD_TEMP_DIR": "/srv/data/sites/aurora/tmp",
        "WAGTAIL_REDIRECTS_FILE_STORAGE": "tmp_file",
    }
    shared = values_of(upload_settings(a_platform(), a_site(cache=redis()), project))
    assert shared["WAGTAIL_REDIRECTS_FILE_STORAGE"] == "cache"

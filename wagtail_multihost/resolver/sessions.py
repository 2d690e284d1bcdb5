"""Sessions, messages and the page cache: what is kept between two requests of a visitor."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.resolver.setting import Project, Setting
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

FILE_ENGINE = "django.contrib.sessions.backends.file"
SESSION_MESSAGES = "django.contrib.messages.storage.session.SessionStorage"
# Their cookie is named "messages" on every site, has the path /, and cannot be renamed by a setting
# (django.contrib.messages.storage.cookie.CookieStorage.cookie_name).
COOKIE_MESSAGES = (
    "django.contrib.messages.storage.cookie.CookieStorage",
    "django.contrib.messages.storage.fallback.FallbackStorage",
)


def session_settings(platform: PlatformSpec, site: SiteSpec, project: Project) -> Iterator[Setting]:
    """
    Yield a folder for sessions in files, and messages in the session. Engines with a database, a cache or a
    signed cookie need nothing: database, keys and signature are the site's.
    """
    if project.get("SESSION_ENGINE") == FILE_ENGINE or "SESSION_FILE_PATH" in project:
        folder = str(platform.local_path(site.id, "sessions"))
        yield Setting("SESSION_FILE_PATH", folder, "a folder of the site, where sessions are files", "")
    if project.get("MESSAGE_STORAGE", COOKIE_MESSAGES[1]) in COOKIE_MESSAGES:
        yield Setting("MESSAGE_STORAGE", SESSION_MESSAGES, "in the session, not in a cookie that sites share", "")
    if "CACHE_MIDDLEWARE_KEY_PREFIX" in project:
        yield Setting("CACHE_MIDDLEWARE_KEY_PREFIX", "", "none: the cache's prefix is the site's", "")

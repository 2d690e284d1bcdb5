"""Sessions of visitors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.cache import caches
from django.db import router

from wagtail_multihost.testing.canaries.base import Canary, Crossing
from wagtail_multihost.testing.canaries.cache import cache_setting
from wagtail_multihost.testing.canaries.database import database_setting

ENGINE = "django.contrib.sessions.backends."


class SessionsCanary(Canary):
    """A session, whose cookie is used in the other site, and which is ended there."""

    name = "sessions"

    def applies(self) -> bool:
        return apps.is_installed("django.contrib.sessions")

    def plant(self, token: str) -> str:
        session = open_session(None)
        session["canary"] = token
        session.save()
        return str(session.session_key)

    def crossed(self, token: str, planted: str) -> Iterator[Crossing]:
        setting = session_setting(planted)
        if open_session(planted).get("canary") == token:
            yield Crossing(setting, "The session cookie opens the session.")
        elif open_session(planted).exists(planted):
            yield Crossing(setting, "The session exists, but cannot be read.")

    def disturb(self, token: str, planted: str) -> None:
        # Logging out does this, and so does a cookie that was signed with another key.
        with contextlib.suppress(KeyError):
            open_session(planted).delete(planted)

    def lost(self, token: str, planted: str) -> Iterator[Crossing]:
        if open_session(planted).get("canary") != token:
            yield Crossing(session_setting(planted), "The other site has ended the session.")

    def remove(self, token: str, planted: str) -> None:
        open_session(planted).delete(planted)


def open_session(key: str | None) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def session_setting(key: str) -> str:
    """Return the setting that decides where sessions are stored."""
    engine = settings.SESSION_ENGINE.removeprefix(ENGINE)
    if engine == "cache" or (engine == "cached_db" and open_session(key).cache_key in session_cache()):
        return cache_setting(settings.SESSION_CACHE_ALIAS)
    if engine in ("db", "cached_db"):
        return database_setting(router.db_for_write(open_session(key).model))
    return {"file": "SESSION_FILE_PATH", "signed_cookies": "SECRET_KEY"}.get(engine, "SESSION_ENGINE")


def session_cache() -> Any:
    return caches[settings.SESSION_CACHE_ALIAS]

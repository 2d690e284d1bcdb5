"""Settings that were set without the resolver, or after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import mail
from django.core.checks import CheckMessage, Error, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.running import current

MIDDLEWARE = "wagtail_multihost.health.middleware.HealthMiddleware"


@register(TAG)
def check_middleware(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E001: the health middleware is not the first one."""
    if list(settings.MIDDLEWARE)[:1] == [MIDDLEWARE]:
        return []
    return [
        Error(
            f"{MIDDLEWARE} is not the first entry of MIDDLEWARE.",
            hint="Put it first: probes carry hosts that ALLOWED_HOSTS refuses, and must not be redirected to https.",
            id="wagtail_multihost.E001",
        )
    ]


@register(TAG)
def check_applied(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E002 and E005: settings that were set after ``apply``, or no ``apply`` at all."""
    running = current()
    if running is None:
        return [
            Error(
                "The settings module does not call resolve().apply(globals()).",
                hint="Make it the last line of the module that DJANGO_SETTINGS_MODULE names.",
                id="wagtail_multihost.E005",
            )
        ]
    changed = [
        name for name, value in running.values.items() if not is_as_applied(getattr(settings, name, None), value)
    ]
    return [
        Error(
            f"{name} was set again after resolve().apply(globals()), so it no longer has the site's value.",
            hint="Move the line resolve().apply(globals()) to the end of the settings module that sets it.",
            id="wagtail_multihost.E002",
        )
        for name in sorted(changed)
        if not is_set_by_test_runner(name)
    ]


def is_as_applied(current: object, applied: object) -> bool:
    """
    Return whether a setting still has the value that ``apply`` gave it. Aliases may not come or go; an
    alias may have gained keys, because Django fills DATABASES with defaults in place.
    """
    if not isinstance(applied, Mapping) or not isinstance(current, Mapping):
        return current == applied
    return current.keys() == applied.keys() and all(
        includes_options(current[alias], options) for alias, options in applied.items()
    )


def includes_options(current: object, options: object) -> bool:
    if not isinstance(options, Mapping) or not isinstance(current, Mapping):
        return current == options
    return all(key in current and includes_options(current[key], value) for key, value in options.items())


def is_set_by_test_runner(name: str) -> bool:
    """
    Return whether Django's test runner sets ``name`` itself: it adds a host, renames the database and keeps
    mail in memory (django.test.utils.setup_test_environment, which also makes mail.outbox).
    """
    return name in ("ALLOWED_HOSTS", "DATABASES", "EMAIL_BACKEND", "MAILERS") and hasattr(mail, "outbox")


@register(TAG)
def check_hosts(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E003: a wildcard in a setting that lists hosts."""
    names = ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS")
    return [
        Error(
            f"{name} has the wildcard {value!r}, which allows other sites' hosts.",
            hint="List the site's own hostnames; resolve().apply(globals()) does.",
            id="wagtail_multihost.E003",
        )
        for name in names
        for value in getattr(settings, name)
        if "*" in value or value.startswith(".")
    ]


@register(TAG)
def check_postgres(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E004: PostgreSQL without django.contrib.postgres, which Wagtail's search needs there."""
    engine = str(settings.DATABASES.get("default", {}).get("ENGINE"))
    if not engine.endswith(("postgresql", "postgis")) or apps.is_installed("django.contrib.postgres"):
        return []
    return [
        Error(
            "The site's database is PostgreSQL, but django.contrib.postgres is not in INSTALLED_APPS.",
            hint="Add it: Wagtail's search on PostgreSQL uses its lookups and indexes.",
            id="wagtail_multihost.E004",
        )
    ]

"""A site's process that can read more than its own record, and a snapshot that is not renewed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.resolver.exposure import HINT, exposures
from wagtail_multihost.running import current

OLD = timedelta(days=30)


@register(TAG)
def check_exposure(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E006: in production the process can read the platform's key, the registry or a neighbour's snapshot."""
    running = current()
    if running is None or not running.serves:
        return []
    return [Error(message, hint=HINT, id="wagtail_multihost.E006") for message in exposures(running)]


@register(TAG)
def check_age(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W001: the site's snapshot is older than 30 days."""
    running = current()
    if running is None or running.site is None or running.opened is None:
        return []
    created = running.opened.written_at(running.site.id)
    if created is None or datetime.now(UTC) - created < OLD:
        return []
    return [
        Warning(
            f"The site's snapshot dates from {created.date()}; multihost_snapshot has not renewed it since.",
            hint="Run multihost_snapshot after every change of the registry, and from a timer.",
            id="wagtail_multihost.W001",
        )
    ]

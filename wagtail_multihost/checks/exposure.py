"""A site's process that can read more than its own record, and a snapshot that nobody renews."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.resolver.exposure import HINT, exposures
from wagtail_multihost.resolver.resolved import latest

#: Commands that serve, or that ask whether a site may be served; others go on, whoever runs them.
SERVING = ("check", "runserver", "testserver")
PROGRAMS = ("manage.py", "django-admin", "__main__.py")
OLD = timedelta(days=30)


@register(TAG)
def check_exposure(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E006: in production the process can read the platform's key, the registry or a neighbour's snapshot."""
    applied = latest()
    if applied is None or is_other_command(sys.argv):
        return []
    return [Error(message, hint=HINT, id="wagtail_multihost.E006") for message in exposures(applied.by)]


def is_other_command(argv: Sequence[str]) -> bool:
    """Return whether a process with this command line is a management command that serves nothing."""
    program, command = [*argv, "", ""][:2]
    return program.endswith(PROGRAMS) and command not in SERVING


@register(TAG)
def check_age(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W001: the site's snapshot is older than 30 days."""
    applied = latest()
    if applied is None or applied.by.site is None or applied.by.opened is None:
        return []
    created = applied.by.opened.created(applied.by.site.id)
    if created is None or datetime.now(UTC) - created < OLD:
        return []
    return [
        Warning(
            f"The site's snapshot is of {created.date()}, and no run of multihost_snapshot has renewed it since.",
            hint="Run multihost_snapshot after every change of the registry, and by a timer.",
            id="wagtail_multihost.W001",
        )
    ]

"""Django's entry: registers the system checks, and refuses connections in build mode."""

from __future__ import annotations

from django.apps import AppConfig


class MultihostConfig(AppConfig):
    """The app ``wagtail_multihost``."""

    name = "wagtail_multihost"
    verbose_name = "Wagtail multihost"

    def ready(self) -> None:
        from wagtail_multihost.checks import applied as applied_checks  # noqa: F401  # importing it registers them
        from wagtail_multihost.resolver.resolved import latest

        applied = latest()
        if applied and not connects(applied.values["DATABASES"]):
            from wagtail_multihost.backends.build_mode import refuse_connections

            refuse_connections()


def connects(databases: object) -> bool:
    """Return whether a connection could be opened: build mode, and makemigrations without SQLite, give no NAME."""
    return not isinstance(databases, dict) or bool(databases["default"]["NAME"])

"""Django's entry: registers the system checks, and refuses connections in build mode."""

from __future__ import annotations

from django.apps import AppConfig


class MultihostConfig(AppConfig):
    """The app ``wagtail_multihost``."""

    name = "wagtail_multihost"
    verbose_name = "Wagtail multihost"

    def ready(self) -> None:
        from wagtail_multihost import checks  # noqa: F401  # importing it registers the checks
        from wagtail_multihost.resolver.resolved import latest

        applied = latest()
        if applied and applied.by.is_build_mode:
            from wagtail_multihost.backends.build_mode import refuse_connections

            refuse_connections()

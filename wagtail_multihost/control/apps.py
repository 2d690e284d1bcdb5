"""The control app."""

from __future__ import annotations

from django.apps import AppConfig


class ControlConfig(AppConfig):
    """The registry of a fleet in PostgreSQL, for a Wagtail project that serves no site of it."""

    name = "wagtail_multihost.control"
    label = "multihost_control"
    verbose_name = "Managed fleet"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from wagtail_multihost.control import checks  # noqa: F401
        from wagtail_multihost.control.policies import register_policies

        # Before anything asks for a policy, which would get Wagtail's own for good.
        register_policies()

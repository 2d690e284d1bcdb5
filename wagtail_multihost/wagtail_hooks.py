"""What Wagtail's admin shows of this package, if the project has the admin: Wagtail imports this module by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wagtail import hooks

if TYPE_CHECKING:
    from django.contrib.auth.models import Permission
    from django.db.models import QuerySet
    from django.urls import URLPattern


@hooks.register("register_admin_urls")  # type: ignore[untyped-decorator]
def register_health_url() -> list[URLPattern]:
    """Add the page of the health report."""
    from wagtail_multihost.health.admin import health_url  # needs the admin, which asks for its URLs

    return [health_url()]


@hooks.register("register_reports_menu_item")  # type: ignore[untyped-decorator]
def register_health_menu_item() -> Any:
    """Add the health report to the menu of reports, for those who may see it."""
    from wagtail_multihost.health.admin import make_menu_item

    return make_menu_item()


@hooks.register("register_permissions")  # type: ignore[untyped-decorator]
def register_health_permission() -> QuerySet[Permission]:
    """Offer the permission where the permissions of groups are edited."""
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(content_type__app_label="wagtail_multihost", codename="view_health")

"""What the control app adds to Wagtail."""

from __future__ import annotations

from django.urls import URLResolver, include, path
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.log_actions import LogActionRegistry

from wagtail_multihost.control import audit
from wagtail_multihost.control.dashboard.bulk import SITE_ACTIONS
from wagtail_multihost.control.dashboard.home import add_panels, add_summary
from wagtail_multihost.control.dashboard.menu import fleet_menu
from wagtail_multihost.nodeapi.event_types import (
    PLATFORM_CHANGED,
    SITE_CHANGED,
    SITE_CREATED,
    SITE_DISABLED,
    SITE_ENABLED,
    SITE_MOVED,
    SITE_RETIRED,
)

#: What the audit log says of each event.
LABELS = {
    SITE_CREATED: "Create the site",
    SITE_CHANGED: "Change the site",
    SITE_ENABLED: "Enable the site",
    SITE_DISABLED: "Disable the site",
    SITE_MOVED: "Move the site",
    SITE_RETIRED: "Retire the site",
    PLATFORM_CHANGED: "Change the platform",
}


@hooks.register("register_admin_urls")  # type: ignore[untyped-decorator]
def register_pages() -> list[URLResolver]:
    """Add the control app's pages to the admin, which lets nobody in who may not enter it."""
    return [path("fleet/", include("wagtail_multihost.control.dashboard.urls"))]


@hooks.register("register_admin_menu_item")  # type: ignore[untyped-decorator]
def register_menu() -> MenuItem:
    """Add the menu of the fleet."""
    return fleet_menu()


hooks.register("construct_homepage_panels", add_panels)
hooks.register("construct_homepage_summary_items", add_summary)
for action in SITE_ACTIONS:
    hooks.register("register_bulk_action", action)


@hooks.register("register_log_actions")  # type: ignore[untyped-decorator]
def register_actions(registry: LogActionRegistry) -> None:
    """Name the entries of registration, and those of rights and people."""
    for event, label in LABELS.items():
        registry.register_action(f"multihost.{event}", label, label)
    for action, label in audit.LABELS.items():
        registry.register_action(action, label, label)

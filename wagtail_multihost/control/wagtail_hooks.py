"""What the control app adds to Wagtail."""

from __future__ import annotations

from django.urls import URLResolver, include, path
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.log_actions import LogActionRegistry

from wagtail_multihost.control import audit
from wagtail_multihost.control.changes import (
    CHANGED,
    CREATED,
    DISABLED,
    ENABLED,
    MOVED,
    PLATFORM_CHANGED,
    REFRESH,
    RETIRED,
)
from wagtail_multihost.control.dashboard.bulk import SITE_ACTIONS
from wagtail_multihost.control.dashboard.home import add_panels, add_summary
from wagtail_multihost.control.dashboard.menu import fleet_menu

#: What the audit log says of each event.
LABELS = {
    CREATED: "Create the site",
    CHANGED: "Change the site",
    ENABLED: "Enable the site",
    DISABLED: "Disable the site",
    MOVED: "Move the site",
    RETIRED: "Retire the site",
    PLATFORM_CHANGED: "Change the platform",
    REFRESH: "Ask all nodes to read everything again",
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

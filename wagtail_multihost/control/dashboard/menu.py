"""The menu "Fleet" of the admin. Each page is in it for those who may open it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from django.http import HttpRequest
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.dashboard.addresses import page_address
from wagtail_multihost.control.people import administered_groups
from wagtail_multihost.control.policies import remembered_authority


class Entry(NamedTuple):
    """A page in the menu: its words, the name of its address, its icon, and who may open it."""

    label: str
    page: str
    icon: str
    is_for: Callable[[Authority], bool]


def sees_sites(authority: Authority) -> bool:
    return authority.is_operator or bool(authority.visible)


def operates(authority: Authority) -> bool:
    return authority.may_operate


def looks_after_people(authority: Authority) -> bool:
    return operates(authority) or administered_groups(authority).exists()


ENTRIES = (
    Entry("Sites", "sites", "site", sees_sites),
    Entry("Domains", "hostnames", "globe", sees_sites),
    Entry("Availability", "availability", "time", sees_sites),
    Entry("Incidents", "incidents", "error", sees_sites),
    Entry("Findings", "findings", "warning", sees_sites),
    Entry("Jobs", "jobs", "tasks", sees_sites),
    Entry("Events", "events", "history", sees_sites),
    Entry("Nodes", "nodes", "desktop", operates),
    Entry("Waves", "waves", "order-down", operates),
    Entry("Holds", "holds", "lock", sees_sites),
    Entry("Silences", "silences", "no-view", sees_sites),
    Entry("People", "people", "group", looks_after_people),
    Entry("Recipients", "recipients", "mail", operates),
    Entry("Webhooks", "webhooks", "link-external", operates),
    Entry("Tokens", "tokens", "key", sees_sites),
    Entry("Platform", "platform", "cogs", operates),
)


class FleetMenuItem(MenuItem):  # type: ignore[misc]
    """A page of the control app."""

    def __init__(self, entry: Entry, order: int) -> None:
        self.entry = entry
        super().__init__(entry.label, page_address(entry.page), f"fleet-{entry.page}", "", entry.icon, order=order)

    def is_shown(self, request: HttpRequest) -> bool:
        return bool(self.url) and self.entry.is_for(remembered_authority(request.user))


def fleet_menu() -> SubmenuMenuItem:
    """Return the menu."""
    items = [FleetMenuItem(entry, order) for order, entry in enumerate(ENTRIES)]
    return SubmenuMenuItem("Fleet", Menu(items=items), name="fleet", icon_name="site", order=50)

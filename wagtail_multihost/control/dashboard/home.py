"""What the admin's first page says of the fleet: what is wrong, how many sites there are, and what changed last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.middleware.csrf import get_token
from wagtail.admin.site_summary import SummaryItem
from wagtail.admin.ui.components import Component

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.dashboard.addresses import page_address, site_address, sites_address
from wagtail_multihost.control.dashboard.event_words import title_of
from wagtail_multihost.control.dashboard.finding_words import words_of_counts
from wagtail_multihost.control.dashboard.holds import hold_form
from wagtail_multihost.control.dashboard.menu import sees_sites
from wagtail_multihost.control.dashboard.shown_incidents import open_incidents, show_incidents
from wagtail_multihost.control.dashboard.status import STATUSES, count_by_status
from wagtail_multihost.control.findings import count_findings, find_findings
from wagtail_multihost.control.guard import visible_events, visible_sites
from wagtail_multihost.control.holds import Target
from wagtail_multihost.control.policies import remembered_authority

LATEST = 5


class Tally(NamedTuple):
    """So many sites are in a state; ``url`` lists them."""

    label: str
    number: int
    url: str


class SitesSummaryItem(SummaryItem):  # type: ignore[misc]
    """The number of sites that the person may see."""

    order = 10
    template_name = "multihost_control/home_summary.html"

    def is_shown(self) -> bool:
        return sees_sites(remembered_authority(self.request.user))

    def get_context_data(self, parent_context: Mapping[str, Any]) -> dict[str, Any]:
        return {"count": visible_sites(remembered_authority(self.request.user)).count(), "url": page_address("sites")}


class FleetPanel(Component):  # type: ignore[misc]
    """Sites by state, and the latest changes, of what the person may see."""

    name = "fleet"
    order = 50
    template_name = "multihost_control/home_panel.html"

    class Media:
        css = {"all": ["multihost_control/lists.css"]}

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def get_context_data(self, parent_context: Mapping[str, Any]) -> dict[str, Any]:
        authority = remembered_authority(self.request.user)
        numbers = count_by_status(visible_sites(authority))
        events = list(visible_events(authority)[:LATEST])
        names = names_of_actors(authority, (event.actor for event in events))
        uids = [event.uid for event in events if event.uid]
        there = set(visible_sites(authority).filter(pk__in=uids).values_list("pk", flat=True))
        return {
            "tallies": [
                Tally(label, numbers[status], sites_address(state=status))
                for status, label in STATUSES.items()
                if numbers.get(status)
            ],
            "changes": [
                {
                    "title": title_of(event),
                    "site": event.site,
                    "url": site_address(event.uid) if event.uid in there else "",
                    "who": names[event.actor],
                    "at": event.at,
                }
                for event in events
            ],
            "findings": words_of_counts(count_findings(find_findings(authority))),
            "findings_url": page_address("findings"),
            "new_site_url": page_address("new_site") if authority.may_operate else "",
            "events_url": page_address("events"),
        }


class HoldsPanel(Component):  # type: ignore[misc]
    """The banner of holds, before all other panels; for operators with the form that holds everything."""

    name = "holds"
    order = 1
    template_name = "multihost_control/home_holds.html"

    class Media:
        css = {"all": ["multihost_control/holds.css"]}

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def get_context_data(self, parent_context: Mapping[str, Any]) -> dict[str, Any]:
        form = hold_form(remembered_authority(self.request.user), Target())
        return {"request": self.request, "csrf_token": get_token(self.request), "hold_form": form}


class IncidentsPanel(Component):  # type: ignore[misc]
    """The incidents that are not over, the latest first, of what the person may see."""

    name = "incidents"
    order = 2
    template_name = "multihost_control/home_incidents.html"

    class Media:
        css = {"all": ["multihost_control/lists.css"]}

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def get_context_data(self, parent_context: Mapping[str, Any]) -> dict[str, Any]:
        authority = remembered_authority(self.request.user)
        found = open_incidents(authority)
        return {
            "incidents": show_incidents(authority, found[:LATEST]),
            "more": max(0, len(found) - LATEST),
            "incidents_url": f"{page_address('incidents')}?state=open",
        }


def add_panels(request: HttpRequest, panels: list[Component]) -> None:
    """Add the panels for those who may see a site."""
    if sees_sites(remembered_authority(request.user)):
        panels += [HoldsPanel(request), IncidentsPanel(request), FleetPanel(request)]


def add_summary(request: HttpRequest, items: list[SummaryItem]) -> None:
    """Add the number of sites to the summary."""
    items.append(SitesSummaryItem(request))

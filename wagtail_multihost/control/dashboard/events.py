"""The list of events: every change of the fleet, the latest first."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from wagtail.admin.ui.tables import BaseColumn, Column, DateColumn, NumberColumn

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.columns import Link, LinksColumn, LongTextColumn
from wagtail_multihost.control.dashboard.event_words import keys_in_words, reason_of, title_of
from wagtail_multihost.control.dashboard.filters import EventFilterSet
from wagtail_multihost.control.dashboard.live_list import LiveRowsView, LiveWords
from wagtail_multihost.control.guard import visible_events, visible_sites
from wagtail_multihost.control.models import Event


class EventsView(LiveRowsView):
    """The changes of all sites that the person may see, and of the platform for its operators."""

    name = "events"
    model = Event
    page_title = "Events"
    header_icon = "history"
    verbose_name, verbose_name_plural = "event", "events"
    filterset_class = EventFilterSet
    default_ordering = "-revision"
    empty_message = "Nothing has changed yet."
    next_step = ("sites", "See the sites")
    export_filename = "events"
    live_words = LiveWords(
        "New events appear by themselves.", "New events do not appear by themselves.", "Let them appear"
    )

    def get_base_queryset(self) -> QuerySet[Any]:
        return visible_events(self.authority)

    def order_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.order_by(self.ordering)

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.is_searching:
            return queryset
        text = self.search_query
        return queryset.filter(Q(site__icontains=text) | Q(metadata__reason__icontains=text))

    @cached_property
    def columns(self) -> list[BaseColumn]:
        return [
            NumberColumn("revision", label="Revision", sort_key="revision"),
            DateColumn("at", label="When"),
            Column("type", label="What", accessor=title_of),
            LinksColumn("site", self.site_links, label="Site"),
            Column("actor", label="Who", accessor=lambda event: self.actors[event.actor]),
            LongTextColumn("changed", keys_in_words, label="Keys"),
            LongTextColumn("reason", reason_of, label="Reason"),
        ]

    @cached_property
    def actors(self) -> dict[str, str]:
        """What those who made the shown changes are called."""
        return names_of_actors(self.authority, (event.actor for event in self.shown))

    @cached_property
    def there(self) -> set[UUID]:
        """The sites of the shown events that are there to be opened."""
        uids = {event.uid for event in self.shown if event.uid}
        return set(visible_sites(self.authority).filter(uid__in=uids).values_list("uid", flat=True))

    def site_links(self, event: Any) -> list[Link]:
        if not event.site:
            return []
        return [Link(event.site, site_address(event.uid) if event.uid in self.there else "")]

    @cached_property
    def export_columns(self) -> dict[str, Any]:
        return {
            "revision": lambda event: event.revision,
            "at": lambda event: event.at,
            "type": lambda event: event.type,
            "site": lambda event: event.site,
            "uid": lambda event: str(event.uid or ""),
            "generation": lambda event: event.generation,
            "actor": lambda event: self.actors[event.actor],
            "request": lambda event: str(event.request),
            "keys": lambda event: ", ".join(map(str, event.metadata.get("changed", []))),
            "reason": reason_of,
        }

"""The availability of all sites, those in trouble first."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property, partial
from typing import Any
from uuid import UUID

import django_filters  # type: ignore[import-untyped]
from django import forms
from django.db.models import QuerySet
from wagtail.admin.ui.tables import BaseColumn, Column, DateColumn, TitleColumn

from wagtail_multihost.control.availability import Availability, share_in_words
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.availability_data import (
    WINDOWS,
    Seen,
    Watch,
    last_seen,
    measure_sites,
    watch_now,
    with_trouble,
)
from wagtail_multihost.control.dashboard.availability_words import STATE_LABELS
from wagtail_multihost.control.dashboard.columns import LongTextColumn
from wagtail_multihost.control.dashboard.filters import ANY, LabelFilter, LabelledFilterSet
from wagtail_multihost.control.dashboard.foreign_text import NOT_OFFERED
from wagtail_multihost.control.dashboard.live_list import LiveRowsView, LiveWords
from wagtail_multihost.control.dashboard.shown_incidents import concerned_sites
from wagtail_multihost.control.dashboard.tabs import AVAILABILITY
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.searching import search_sites

#: Down first, then what is not known, then what was down for longest.
ORDER = ("trouble", "-lost", "identifier", "pk")
COLUMN_LABELS = dict(zip(WINDOWS, ("24 hours", "7 days", "30 days"), strict=True))


class AvailabilityFilterSet(LabelledFilterSet):
    """The filters of the list."""

    state = django_filters.MultipleChoiceFilter(
        field_name="seen_state",
        label="State",
        choices=list(STATE_LABELS.items()),
        widget=forms.CheckboxSelectMultiple,
        distinct=False,
        error_messages=NOT_OFFERED,
    )
    incident = django_filters.ChoiceFilter(
        label="Incident",
        choices=[("open", "It has an open one")],
        method="filter_incident",
        empty_label=ANY,
        widget=forms.RadioSelect,
        error_messages=NOT_OFFERED,
    )
    label = LabelFilter(label="Label", empty_label=ANY, widget=forms.RadioSelect)

    def filter_incident(self, sites: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return sites.filter(concerned_sites())


class SeenColumn(Column):  # type: ignore[misc]
    """When a site was seen last, and from where."""

    cell_template_name = "multihost_control/tables/looked_cell.html"


class StateColumn(Column):  # type: ignore[misc]
    """How a site was seen last, and why it is not up."""

    cell_template_name = "multihost_control/tables/state_cell.html"


class AvailabilityView(LiveRowsView):
    """The sites that the person may see."""

    name = "availability"
    model = ManagedSite
    page_title = "Availability"
    header_icon = "time"
    verbose_name, verbose_name_plural = "site", "sites"
    filterset_class = AvailabilityFilterSet
    default_ordering = "trouble"
    empty_message = "There is no site yet."
    next_step = ("new_site", "Create the first site")
    export_filename = "availability"
    live_words = LiveWords(
        "The list is brought up to date by itself.", "The list is not brought up to date by itself.", "Let it be"
    )

    def get_base_queryset(self) -> QuerySet[Any]:
        return with_trouble(visible_sites(self.authority), self.watch).defer("record")

    def order_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().order_queryset(queryset) if self.is_explicitly_ordered else queryset.order_by(*ORDER)

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return search_sites(queryset, self.search_query) if self.is_searching else queryset

    @cached_property
    def watch(self) -> Watch:
        """Who looks at sites now."""
        return watch_now(database_time())

    @cached_property
    def seen(self) -> dict[UUID, Seen]:
        """How the shown sites were seen last."""
        return last_seen(self.shown, self.watch)

    @cached_property
    def measured(self) -> dict[UUID, dict[timedelta, Availability]]:
        """How much of each window the shown sites were up."""
        return measure_sites([site.pk for site in self.shown], self.watch.now)

    @cached_property
    def columns(self) -> list[BaseColumn]:
        return [
            TitleColumn(
                "identifier",
                label="Site",
                get_url=lambda site: site_address(site.uid, AVAILABILITY),
                sort_key="identifier",
            ),
            StateColumn("state", label="State", accessor=lambda site: self.seen[site.pk]),
            DateColumn("since", label="Since", accessor=lambda site: self.seen[site.pk].since),
            SeenColumn("seen", label="Seen", accessor=lambda site: self.seen[site.pk]),
            *(
                LongTextColumn(f"share_{window.days}", partial(self.share, window), label=label)
                for window, label in COLUMN_LABELS.items()
            ),
        ]

    def share(self, window: timedelta, site: Any) -> str:
        return share_in_words(self.measured[site.pk][window])

    def seconds(self, window: timedelta, what: str, site: Any) -> float:
        found: float = getattr(self.measured[site.pk][window], what)
        return found

    @cached_property
    def export_columns(self) -> dict[str, Any]:
        shares = {
            f"{name} {label}": partial(self.seconds, window, name)
            for window, label in COLUMN_LABELS.items()
            for name in ("up", "down", "maintenance", "unknown")
        }
        return {
            "id": lambda site: site.identifier,
            "state": lambda site: site.seen_state,
            "since": lambda site: self.seen[site.pk].since,
            "seen": lambda site: self.seen[site.pk].seen_at,
            "from": lambda site: self.seen[site.pk].places,
            **shares,
        }

"""The list of incidents, and the page of one."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import django_filters  # type: ignore[import-untyped]
from django import forms
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponseBase
from wagtail.admin.ui.tables import BaseColumn, Column, DateColumn, StatusTagColumn, TitleColumn
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.dashboard.addresses import page_address
from wagtail_multihost.control.dashboard.columns import Link, LinksColumn, LongTextColumn
from wagtail_multihost.control.dashboard.filters import ANY, FleetFilterSet
from wagtail_multihost.control.dashboard.foreign_text import NOT_OFFERED
from wagtail_multihost.control.dashboard.incident_words import KINDS, cause_in_words, title_of_kind
from wagtail_multihost.control.dashboard.job_listing import IDS
from wagtail_multihost.control.dashboard.live_list import LiveRowsView, LiveWords
from wagtail_multihost.control.dashboard.shown_holds import name_of
from wagtail_multihost.control.dashboard.shown_incidents import (
    MOST_HOSTNAMES,
    ShownIncident,
    hostnames_of,
    in_order,
    show_incidents,
)
from wagtail_multihost.control.dashboard.silences import silence_form, target_of
from wagtail_multihost.control.guard import GuardedView, visible_sites
from wagtail_multihost.control.incidents import filter_incidents, visible_incidents
from wagtail_multihost.control.models import Incident
from wagtail_multihost.nodeapi.incident_words import OF_SITE

OPEN, CLOSED = "open", "closed"
#: Of what happened in an incident so much is on its page.
MOST_LINES = 500


class IncidentFilterSet(FleetFilterSet):
    """The filters of the list of incidents."""

    state = django_filters.ChoiceFilter(
        label="State",
        choices=[(OPEN, "Open"), (CLOSED, "Over")],
        method="filter_state",
        empty_label=ANY,
        widget=forms.RadioSelect,
        error_messages=NOT_OFFERED,
    )
    kind = django_filters.ChoiceFilter(
        label="Kind",
        choices=list(KINDS.items()),
        empty_label=ANY,
        widget=forms.RadioSelect,
        error_messages=NOT_OFFERED,
    )
    site = django_filters.CharFilter(label="Site id", validators=IDS, method="filter_site")

    def filter_state(self, incidents: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return incidents.filter(till__isnull=value == OPEN)

    def filter_site(self, incidents: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        # Whether an incident that sites share concerns a foreign one must not be found out.
        site = visible_sites(self.authority).filter(identifier=value).first()
        return filter_incidents(incidents, site=site) if site is not None else incidents.none()


class IncidentsView(LiveRowsView):
    """The incidents of all sites that the person may see, and for those who see all also those of anything else."""

    name = "incidents"
    model = Incident
    page_title = "Incidents"
    header_icon = "error"
    verbose_name, verbose_name_plural = "incident", "incidents"
    filterset_class = IncidentFilterSet
    default_ordering = "-since"
    empty_message = "There was no incident yet."
    export_filename = "incidents"
    live_words = LiveWords(
        "New incidents appear by themselves.", "New incidents do not appear by themselves.", "Let them appear"
    )

    def get_base_queryset(self) -> QuerySet[Any]:
        return visible_incidents(self.authority).annotate(now=Now()).defer("site__record", "site__labels")

    def order_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().order_queryset(queryset) if self.is_explicitly_ordered else in_order(queryset)

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.is_searching:
            return queryset
        text = self.search_query
        found = Q(site__identifier__icontains=text) | Q(summary__icontains=text) | Q(subject__icontains=text)
        # What someone is not shown of those that sites share must not be found out by searching.
        own = Q(cause=OF_SITE) & found
        return queryset.filter(found if self.authority.sees_all else own)

    @cached_property
    def columns(self) -> list[BaseColumn]:
        return [
            TitleColumn(
                "kind",
                label="What",
                accessor=lambda incident: title_of_kind(incident.kind),
                get_url=lambda incident: page_address("incident", incident=incident.pk),
            ),
            LinksColumn("subject", self.subject_links, label="Of"),
            StatusTagColumn(
                "state",
                label="State",
                accessor=lambda incident: "Over" if incident.till else "Open",
                primary=lambda incident: incident.till is None,
            ),
            LongTextColumn("summary", lambda incident: self.incidents[incident.pk].summary, label="Why"),
            DateColumn("since", label="Since", sort_key="since"),
            DateColumn("till", label="Until"),
            Column("lasted", label="For", accessor=lambda incident: self.incidents[incident.pk].lasted),
        ]

    @cached_property
    def incidents(self) -> dict[Any, ShownIncident]:
        """The shown incidents."""
        return {one.incident.pk: one for one in show_incidents(self.authority, self.shown)}

    def subject_links(self, incident: Any) -> list[Link]:
        one = self.incidents[incident.pk]
        return [Link(one.subject, one.subject_url)] if one.subject else []

    @cached_property
    def export_columns(self) -> dict[str, Any]:
        return {
            "id": lambda incident: str(incident.pk),
            "kind": lambda incident: title_of_kind(incident.kind),
            "of": lambda incident: self.incidents[incident.pk].subject,
            "since": lambda incident: incident.since,
            "until": lambda incident: incident.till,
            "why": lambda incident: self.incidents[incident.pk].summary,
        }


class IncidentView(WagtailAdminTemplateMixin, GuardedView):  # type: ignore[misc]
    """One incident that may be seen, with what happened and what was done."""

    header_icon = "error"
    template_name = "multihost_control/incident.html"
    shown: ShownIncident

    def is_allowed(self, **kwargs: Any) -> bool:
        if not super().is_allowed():
            return False
        found = visible_incidents(self.authority).filter(pk=kwargs["incident"]).annotate(now=Now())
        shown = show_incidents(self.authority, found, MOST_LINES)
        if not shown:
            return False
        self.shown = shown[0]
        return True

    def get_page_title(self) -> str:
        return f"{self.shown.title}: {self.shown.subject}" if self.shown.subject else self.shown.title

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        there = [{"url": page_address("incidents"), "label": "Incidents"}, {"url": "", "label": self.get_page_title()}]
        return [*self.breadcrumbs_items, *there]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        incident, hostnames = self.shown.incident, hostnames_of(self.authority, self.shown.incident)
        folded = visible_incidents(self.authority).filter(pk__in=[incident.folded_id]).annotate(now=Now())
        target = target_of(incident)
        context = self.get_context_data(
            shown=self.shown,
            cause=cause_in_words(incident.cause),
            folded=next(iter(show_incidents(self.authority, folded)), None) if incident.folded_id else None,
            hostnames=hostnames[:MOST_HOSTNAMES],
            has_more_hostnames=len(hostnames) > MOST_HOSTNAMES,
            silence_form=silence_form(self.authority, target) if target and not incident.till else None,
            silenced=name_of(target) if target else "",
        )
        page: HttpResponseBase = self.render_to_response(context)
        return page

"""The list of domains: every name that a site answers to."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet
from wagtail.admin.ui.tables import BaseColumn, Column, DateColumn, TitleColumn

from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.columns import Link, LinksColumn, LongTextColumn
from wagtail_multihost.control.dashboard.filters import HostnameFilterSet
from wagtail_multihost.control.dashboard.listing import ListView
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.models import Hostname
from wagtail_multihost.control.searching import as_hostname


class HostnamesView(ListView):
    """The names of all sites that the person may see."""

    name = "hostnames"
    model = Hostname
    page_title = "Domains"
    header_icon = "globe"
    verbose_name, verbose_name_plural = "domain", "domains"
    filterset_class = HostnameFilterSet
    default_ordering = "name"
    empty_message = "No site has a domain yet."
    next_step = ("sites", "Choose a site to give it one")
    export_filename = "domains"

    def get_base_queryset(self) -> QuerySet[Any]:
        mine = Hostname.objects.filter(site__in=visible_sites(self.authority))
        return mine.select_related("site").defer("site__record", "site__labels")

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.is_searching:
            return queryset
        text = self.search_query
        return queryset.filter(Q(name__icontains=as_hostname(text)) | Q(site__identifier__icontains=text))

    @cached_property
    def columns(self) -> list[BaseColumn]:
        return [
            TitleColumn(
                "name",
                label="Name",
                get_url=lambda host: site_address(host.site_id, "domains"),
                sort_key="name",
            ),
            LinksColumn("site", site_links, label="Site", sort_key="site__identifier"),
            Column("role", label="Role", accessor=lambda host: host.role.capitalize(), sort_key="role"),
            VerifiedColumn("verified_at", label="Verified", sort_key="verified_at"),
            LongTextColumn("problem", lambda host: host.problem, label="Problem"),
        ]

    @cached_property
    def export_columns(self) -> dict[str, Any]:
        return {
            "name": lambda host: host.name,
            "site": lambda host: host.site.identifier,
            "role": lambda host: host.role,
            "verified": lambda host: host.verified_at,
            "problem": lambda host: host.problem,
        }


class VerifiedColumn(DateColumn):  # type: ignore[misc]
    """When it was proven that the name is the site's people's."""

    cell_template_name = "multihost_control/tables/verified_cell.html"


def site_links(host: Any) -> list[Link]:
    return [Link(host.site.identifier, site_address(host.site_id))]

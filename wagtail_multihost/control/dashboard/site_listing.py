"""Which sites a list of sites shows: for its page, and for what is done with all that are in it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from wagtail_multihost.control.dashboard.filters import SiteFilterSet
from wagtail_multihost.control.dashboard.listed_sites import listed_sites
from wagtail_multihost.control.dashboard.listing import ListView
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.searching import search_sites


class SiteListing(ListView):
    """The sites that the person may see, and that the address searches and filters."""

    name = "sites"
    model = ManagedSite
    filterset_class = SiteFilterSet
    default_ordering = "identifier"

    def get_base_queryset(self) -> QuerySet[Any]:
        return listed_sites(self.authority)

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return search_sites(queryset, self.search_query) if self.is_searching else queryset


def sites_in_list(request: HttpRequest) -> QuerySet[Any]:
    """Return all sites of the list whose search and filters are in the request's address."""
    listing = SiteListing()
    listing.setup(request)
    found: QuerySet[Any] = listing.get_queryset()
    return found

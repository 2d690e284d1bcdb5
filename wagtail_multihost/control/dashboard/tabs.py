"""The tabs of a site's pages, and what all of these pages have in common."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import UnknownSiteError
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.guard import SiteView
from wagtail_multihost.control.models import ADMIN, VIEW, ManagedSite

WEBSITE, DOMAINS, SETTINGS, DEPLOYMENT = "website", "domains", "settings", "deployment"
ACCESS, HISTORY = "access", "history"
JOBS, AVAILABILITY, VERSIONS = "jobs", "availability", "versions"
#: What each tab is called, and the action that someone must be allowed to do to see it.
TABS = {
    WEBSITE: ("Website", VIEW),
    DOMAINS: ("Domains", VIEW),
    SETTINGS: ("Settings", VIEW),
    AVAILABILITY: ("Availability", VIEW),
    DEPLOYMENT: ("Deployment", VIEW),
    VERSIONS: ("Versions", VIEW),
    ACCESS: ("Access", ADMIN),
    JOBS: ("Jobs", VIEW),
    HISTORY: ("History", VIEW),
}


class Tab(NamedTuple):
    """A tab as it is shown: its label, the address of its page, and whether that is the page that is shown."""

    label: str
    url: str
    is_current: bool


def tabs_of(site: ManagedSite, authority: Authority, current: str) -> list[Tab]:
    """Return the tabs of a site that someone may see."""
    return [
        Tab(label, site_address(site.uid, name), name == current)
        for name, (label, action) in TABS.items()
        if authority.may(action, site.uid)
    ]


class SiteTabView(WagtailAdminTemplateMixin, SiteView):  # type: ignore[misc]
    """A page of one site. ``tab`` is the one that it is in; templates extend ``multihost_control/site_base.html``."""

    tab = WEBSITE
    header_icon = "site"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            page: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        except UnknownSiteError as error:  # it was retired since it was asked for
            raise Http404 from error
        return page

    def get_page_title(self) -> str:
        return str(self.site)

    def get_page_subtitle(self) -> str:
        return TABS[self.tab][0]

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            *list_breadcrumbs(),
            {"url": "", "label": self.get_page_title(), "sublabel": self.get_page_subtitle()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        tabs = tabs_of(self.site, self.authority, self.tab)
        context = {"site": self.site, "authority": self.authority, "tabs": tabs, **kwargs}
        return dict(super().get_context_data(**context))


def list_breadcrumbs() -> list[dict[str, Any]]:
    """Return the way to the list of sites."""
    return [{"url": reverse("multihost:sites"), "label": "Sites"}]

"""A site's first tab: what it is, whether it is served, and where."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase

from wagtail_multihost.control.dashboard.tabs import WEBSITE, SiteTabView


class WebsiteView(SiteTabView):
    """What a site is, and what can be done with it as a whole."""

    tab = WEBSITE
    template_name = "multihost_control/website.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        page: HttpResponseBase = self.render_to_response(self.get_context_data())
        return page

"""The banner that says on every page of the dashboard what is held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

from wagtail_multihost.control.dashboard.menu import sees_sites
from wagtail_multihost.control.dashboard.shown_holds import holds_in_banner
from wagtail_multihost.control.policies import remembered_authority

register = template.Library()


@register.inclusion_tag("multihost_control/holds_banner.html", takes_context=True)
def holds_banner(context: Mapping[str, Any]) -> dict[str, Any]:
    """Show the holds that who reads the page may see; on the page of a site those of the site before others."""
    authority = remembered_authority(context["request"].user)
    holds, has_more = holds_in_banner(authority, context.get("site"))
    return {"holds": holds, "has_more": has_more, "has_page": sees_sites(authority)}

"""Whose settings are checked."""

from __future__ import annotations

from wagtail_multihost.resolver.resolved import latest
from wagtail_multihost.spec.site import SiteSpec


def own_site() -> SiteSpec | None:
    """Return the site of this process; None in build mode, and where nothing was applied (which E005 says)."""
    applied = latest()
    return applied.by.site if applied else None

"""Search indexes that were set without the resolver, or after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import wagtail
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.running import own_site
from wagtail_multihost.spec.identifiers import shown

# In the site's own database, or nowhere.
CONTAINED = ("wagtail.search.backends.database", "wagtail.search.backends.dummy", "modelsearch.backends.database")
IGNORED_SINCE = 8


@register(TAG)
def check_search(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E009: an index that other sites could have too."""
    site = own_site()
    if site is None:
        return []
    backends = getattr(settings, "WAGTAILSEARCH_BACKENDS", {})
    return [
        Error(
            f"WAGTAILSEARCH_BACKENDS[{shown(alias)}] {fault}.",
            hint="Set WAGTAILSEARCH_BACKENDS before resolve().apply(globals()), which gives every backend the "
            "site's INDEX_PREFIX, and leave INDEX out.",
            id="wagtail_multihost.E009",
        )
        for alias, options in backends.items()
        if (fault := index_fault(options, site.names.index_prefix))
    ]


def index_fault(options: Mapping[str, object], prefix: str) -> str:
    """Return what is wrong with the names of a backend's indexes; blank when they are the site's own."""
    if str(options.get("BACKEND")).startswith(CONTAINED):
        return ""
    if options.get("INDEX") and wagtail.VERSION[0] >= IGNORED_SINCE:
        return "has INDEX, which this version of Wagtail ignores: all sites would share the same indexes"
    # Before Wagtail 8 an index without a prefix has its own name, and an underscore, as one.
    own = options.get("INDEX_PREFIX", f"{options.get('INDEX')}_")
    if str(own).startswith(prefix):
        return ""
    return "does not have the site's INDEX_PREFIX, so other sites use the same indexes"

"""Whether a site is served, in one word."""

from __future__ import annotations

from django.db.models import Case, CharField, F, QuerySet, Value, When

from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.spec.site import STATES

DISABLED = "disabled"
STATUSES = {**{state: state.capitalize() for state in STATES}, DISABLED: "Disabled"}


def with_status(sites: QuerySet[ManagedSite]) -> QuerySet[ManagedSite]:
    """Return the sites, each with its ``status``."""
    return sites.annotate(
        status=Case(When(enabled=False, then=Value(DISABLED)), default=F("state"), output_field=CharField())
    )

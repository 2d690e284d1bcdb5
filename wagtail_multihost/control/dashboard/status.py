"""Whether a site is served, in one word."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, CharField, Count, F, QuerySet, Value, When

from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.spec.site import STATES

DISABLED = "disabled"
STATUSES = {**{state: state.capitalize() for state in STATES}, DISABLED: "Disabled"}


def with_status(sites: QuerySet[ManagedSite]) -> QuerySet[Any]:
    """Return the sites, each with its ``status``."""
    return sites.annotate(
        status=Case(When(enabled=False, then=Value(DISABLED)), default=F("state"), output_field=CharField())
    )


def count_by_status(sites: QuerySet[ManagedSite]) -> dict[str, int]:
    """Return how many of the sites have which status."""
    return dict(with_status(sites).order_by().values_list("status").annotate(number=Count("pk")))

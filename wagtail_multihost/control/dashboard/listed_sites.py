"""The sites of a list: what is shown of each, and which of them have a problem."""

from __future__ import annotations

from typing import Any

from django.db.models import DateTimeField, Exists, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.dashboard.status import with_status
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.models import Event, Hostname

HOSTNAME_PROBLEM, UNVERIFIED = "hostname", "unverified"


def listed_sites(authority: Authority) -> QuerySet[Any]:
    """
    Return the sites that may be seen, each with its ``status``, its ``canonical`` hostname as its record states it,
    when it ``changed``, and whether it has a hostname with a problem. Their records are not read.
    """
    own = Hostname.objects.filter(site=OuterRef("pk"))
    last = Event.objects.filter(uid=OuterRef("pk")).order_by("-revision")
    sites: QuerySet[Any] = (
        with_status(visible_sites(authority))
        .annotate(
            canonical=KT("record__hostnames__0"),
            # Events are pruned some day; what a site is then is as old as it.
            changed=Coalesce(Subquery(last.values("at")[:1]), "created", output_field=DateTimeField()),
            has_problem=Exists(own.exclude(problem="")),
        )
        .defer("record")
    )
    return sites


def sites_with_problem(sites: QuerySet[Any], problem: str) -> QuerySet[Any]:
    """Return the sites that have a hostname with a problem, or one that nobody has proven."""
    own = Hostname.objects.filter(site=OuterRef("pk"))
    wanted = own.exclude(problem="") if problem == HOSTNAME_PROBLEM else own.filter(verified_at=None)
    return sites.filter(Exists(wanted))

"""The API as one object of Ninja's. Its addresses are in :mod:`wagtail_multihost.control.api.urls`."""

from __future__ import annotations

from ninja import NinjaAPI

from wagtail_multihost.control.api import (
    audit,
    availability,
    batch,
    document,
    events,
    findings,
    grants,
    holds,
    hostnames,
    incidents,
    inventory,
    jobs,
    maintenance,
    metrics,
    nodes,
    notes,
    placements,
    platform,
    recipients,
    silences,
    sites,
    sync,
    usage,
    waves,
    webhooks,
)
from wagtail_multihost.control.api.authentication import TokenAuth
from wagtail_multihost.control.api.bodies import StrictParser
from wagtail_multihost.control.api.problems import add_handlers

#: Ninja's own pages of documentation would be public.
api = NinjaAPI(
    title="Control",
    version="1",
    description="The registry of a fleet of sites.",
    urls_namespace=sites.NAMESPACE,
    openapi_url=None,
    docs_url=None,
    auth=TokenAuth(),
    parser=StrictParser(),
)
add_handlers(api)
for module in (
    *(sites, batch, hostnames, platform, nodes, placements, findings, waves, sync),
    *(availability, maintenance),
    *(incidents, silences, recipients, metrics),
    *(inventory, usage, events, grants, holds, notes, jobs, webhooks, audit, document),
):
    api.add_router("", module.router)

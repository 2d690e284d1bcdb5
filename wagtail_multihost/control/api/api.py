"""The API as one object of Ninja's. Its addresses are in :mod:`wagtail_multihost.control.api.urls`."""

from __future__ import annotations

from ninja import NinjaAPI

from wagtail_multihost.control.api import (
    audit,
    batch,
    document,
    events,
    findings,
    grants,
    holds,
    hostnames,
    jobs,
    nodes,
    notes,
    placements,
    platform,
    sites,
    sync,
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
    *(events, grants, holds, notes, jobs, webhooks, audit, document),
):
    api.add_router("", module.router)

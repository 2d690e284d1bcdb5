"""Visits to the control site without a browser."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.test import Client

HOST = "control.localhost"
SITES, DOMAINS, EVENTS = "/admin/fleet/sites/", "/admin/fleet/domains/", "/admin/fleet/events/"
JOBS, FINDINGS, WEBHOOKS = "/admin/fleet/jobs/", "/admin/fleet/findings/", "/admin/fleet/webhooks/"
AVAILABILITY, INCIDENTS = "/admin/fleet/availability/", "/admin/fleet/incidents/"
SILENCES, RECIPIENTS = "/admin/fleet/silences/", "/admin/fleet/recipients/"
LISTS = (SITES, DOMAINS, EVENTS)


def signed_in(user: Any, **options: Any) -> Client:
    """Return a client that ``user`` is signed in to."""
    client = Client(headers={"host": HOST}, **options)
    client.force_login(user)
    return client


def text_of(client: Client, path: str, **query: Any) -> str:
    """Return the page at ``path``, which must be there."""
    answer = client.get(path, query)
    assert answer.status_code == 200, (path, query, answer.status_code)
    return b"".join(answer).decode()


def listed(client: Client, path: str, **query: Any) -> list[str]:
    """Return what a list shows: ids of sites, also of jobs, incidents and events, or names of domains."""
    answer = client.get(path, query)
    assert answer.status_code == 200, (path, query, answer.status_code)
    rows = answer.context["object_list"]
    if path.startswith((JOBS, INCIDENTS)):
        return [row.site.identifier if row.site else "" for row in rows]
    attribute = {SITES: "identifier", AVAILABILITY: "identifier", DOMAINS: "name", EVENTS: "site"}[
        path.removesuffix("results/")
    ]
    return [getattr(row, attribute) for row in rows]


def bulk_address(action: str, sites: Iterable[UUID | str], **query: str) -> str:
    """Return the address of a bulk action with the sites."""
    pairs = [*(("id", str(site)) for site in sites), *query.items()]
    return f"/admin/bulk/multihost_control/managedsite/{action}/?{urlencode(pairs)}"

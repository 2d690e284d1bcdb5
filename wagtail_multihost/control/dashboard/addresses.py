"""Addresses of the control app's pages, and of sites."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from wagtail_multihost.control.declared_keys import Table

#: How visitors reach a hostname where the platform does not say it.
ORIGIN = "https://{hostname}"


def page_address(name: str, **kwargs: Any) -> str:
    """Return the address of the page ``name``."""
    return reverse(f"multihost:{name}", kwargs=kwargs)


def site_address(uid: UUID, tab: str = "website") -> str:
    """Return the address of a tab of a site."""
    return page_address(f"site_{tab}", uid=uid)


def sites_address(**filters: str) -> str:
    """Return the address of the list of sites, of those that the ``filters`` let through."""
    address = page_address("sites")
    return f"{address}?{urlencode(filters)}" if filters else address


def node_address(node: str) -> str:
    """Return the address of a node's page."""
    return page_address("node", node=node)


def nodes_address(**filters: str) -> str:
    """Return the address of the list of nodes, of those that the ``filters`` let through."""
    address = page_address("nodes")
    return f"{address}?{urlencode(filters)}" if filters else address


def origin_of(platform: Table, hostname: str) -> str:
    """Return how visitors reach a hostname; blank where that is no address of the web, which no page leads to."""
    origin = str(platform.get("origin", ORIGIN)).replace("{hostname}", hostname)
    return origin if origin.startswith(("http://", "https://")) else ""

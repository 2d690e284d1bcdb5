"""Addresses of the control app's pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse


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

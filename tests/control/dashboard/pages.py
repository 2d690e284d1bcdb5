"""Asking the dashboard's pages as somebody who is signed in."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from django.http import HttpResponseBase
from django.test import Client

from wagtail_multihost.control.dashboard.tabs import WEBSITE, site_address
from wagtail_multihost.control.models import ManagedSite

HOST = "control.localhost"


class Pages:
    """What ``user`` gets of the pages of sites."""

    def __init__(self, user: Any, *, checks_csrf: bool = False) -> None:
        self.client = Client(headers={"host": HOST}, enforce_csrf_checks=checks_csrf)
        self.client.force_login(user)

    def get(self, site: ManagedSite, tab: str = WEBSITE, path: str = "", **query: Any) -> Any:
        return self.client.get(f"{site_address(site, tab)}{path}", query)

    def post(self, site: ManagedSite, tab: str = WEBSITE, path: str = "", **data: Any) -> Any:
        return self.client.post(f"{site_address(site, tab)}{path}", data)


def words(page: HttpResponseBase) -> str:
    """Return what people read of a page."""
    text = re.sub(r"(?s)<script.*?</script>|<[^>]+>", " ", page.text)  # type: ignore[attr-defined]
    return " ".join(unescape(text).split())

"""Asking the dashboard's pages as somebody who is signed in."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.test import Client

from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.tabs import WEBSITE
from wagtail_multihost.control.models import ManagedSite

HOST = "control.localhost"


class Pages:
    """What ``user`` gets of the pages of sites."""

    def __init__(self, user: Any, *, checks_csrf: bool = False) -> None:
        self.client = Client(headers={"host": HOST}, enforce_csrf_checks=checks_csrf)
        self.client.force_login(user)

    def get(self, site: ManagedSite, tab: str = WEBSITE, path: str = "", **query: Any) -> Any:
        return self.client.get(f"{site_address(site.uid, tab)}{path}", query)

    def post(self, site: ManagedSite, tab: str = WEBSITE, path: str = "", **data: Any) -> Any:
        return self.client.post(f"{site_address(site.uid, tab)}{path}", data)


class Words(HTMLParser):
    """Collects what people read of a page's main part, or of a part of a page."""

    def __init__(self, *, is_whole: bool) -> None:
        super().__init__()
        self.reads, self.is_whole = not is_whole, is_whole
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: object) -> None:
        if tag in ("main", "script"):
            self.reads = tag == "main"

    def handle_endtag(self, tag: str) -> None:
        if tag in ("main", "script"):
            self.reads = tag == "script"

    def handle_data(self, data: str) -> None:
        if self.reads:
            self.found += data.split()


def words(page: Any) -> str:
    """Return what people read of a page."""
    reader = Words(is_whole="<main" in page.text)
    reader.feed(page.text)
    return " ".join(reader.found)

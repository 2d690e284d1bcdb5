"""The site of a log record."""

from __future__ import annotations

import logging

from wagtail_multihost.running import own_id

NO_SITE = "-"


class SiteFilter(logging.Filter):
    """Give every record the site's id as ``site``, for formatters; it lets every record pass."""

    def __init__(self, site: str = "") -> None:
        super().__init__()
        self.site = site

    def filter(self, record: logging.LogRecord) -> bool:
        record.site = self.site or own_id() or NO_SITE
        return True

"""Uploads that the front server can read only through a group that can read more."""

from __future__ import annotations

import grp
from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.running import Running, current
from wagtail_multihost.spec.platform import PRODUCTION


@register(TAG, deploy=True)
def check_media_group(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W020: in production the site's uploads are in the group that reads its snapshot."""
    running = current()
    if running is None or not needs_media_group(running):
        return []
    return [
        Warning(
            "The folder of uploads has the group that reads the site's snapshot: a front server in this group "
            "can read the site's secrets too.",
            hint="State media_group, a group for uploads alone, in [platform], and put the front server's account "
            "into that group instead.",
            id="wagtail_multihost.W020",
        )
    ]


def needs_media_group(running: Running) -> bool:
    """Return whether each site has a group for its snapshot, and this one's local uploads are in it."""
    platform, site = running.platform, running.site
    if platform is None or site is None or site.storage.path is None:
        return False
    if platform.environment != PRODUCTION or platform.media_group or "{site}" not in platform.group:
        return False
    if not platform.snapshots and not reads_snapshot(running):
        return False
    try:
        return site.storage.path.stat().st_gid == grp.getgrnam(platform.group_of(site.id)).gr_gid
    except (OSError, KeyError):  # no upload yet, or a registry of another machine
        return False


def reads_snapshot(running: Running) -> bool:
    site, opened = running.site, running.opened
    return site is not None and opened is not None and opened.written_at(site.id) is not None

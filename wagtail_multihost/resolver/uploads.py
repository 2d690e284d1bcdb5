"""Temporary files."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.resolver.setting import Project, Setting
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

TEMPORARY = "tmp"


def upload_settings(platform: PlatformSpec, site: SiteSpec, project: Project) -> Iterator[Setting]:
    """Yield the folder of temporary files, and where Wagtail keeps an import of redirects between two requests."""
    folder = str(platform.local_path(site.id, TEMPORARY))
    yield Setting("FILE_UPLOAD_TEMP_DIR", folder, "a folder of the site", platform.sources.get("data", ""))
    if site.cache.backend == "locmem":
        # The next request of an import may reach another process, which has another cache.
        rule, kept = "temporary files: the site's cache is of one process", "tmp_file"
    else:
        rule, kept = "the site's cache, which every node has", "cache"
    yield Setting("WAGTAIL_REDIRECTS_FILE_STORAGE", kept, rule, site.sources.get("cache", ""))

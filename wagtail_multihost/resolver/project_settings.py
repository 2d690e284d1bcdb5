"""Settings of the project's own, which the platform declares and the site has values of."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.resolver.setting import Setting
from wagtail_multihost.spec.site import SiteSpec


def declared_settings(site: SiteSpec) -> Iterator[Setting]:
    """Yield the declared settings with the site's values; each list is a new one, as the project may change it."""
    for name, value in site.project_settings:
        stated = list(value) if isinstance(value, tuple) else value
        yield Setting(
            name, stated, "the project's own, as platform.project_settings declares it", source_of(site, name)
        )


def source_of(site: SiteSpec, name: str) -> str:
    return site.sources.get(f"project_settings.{name}", "")

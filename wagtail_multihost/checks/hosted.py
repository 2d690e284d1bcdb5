"""What is known here of the platform that is to be deployed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.resolved import latest
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec


class Hosted(NamedTuple):
    """
    The ``platform``, those of its ``sites`` that are known here, and the registry's ``files``. ``has_keys`` says
    whether the registry is where the platform's keys are stated, as a snapshot is not; ``is_of_site`` whether this is
    the process of one site.
    """

    platform: PlatformSpec
    sites: tuple[SiteSpec, ...]
    files: tuple[Path, ...]
    has_keys: bool
    is_of_site: bool


def is_served_here() -> bool:
    """Return whether settings were applied, and not for the throw-away site of a test run."""
    applied = latest()
    return applied is not None and applied.by.ephemeral is None


def hosted() -> Hosted | None:
    """Return the platform and the site of this process, or with no site named all that the registry's file has."""
    applied = latest()
    if applied is None or applied.by.ephemeral is not None:
        return None
    platform, site, opened = applied.by.platform, applied.by.site, applied.by.opened
    if platform is not None and site is not None:
        has_keys = opened is not None and opened.has_servers
        return Hosted(platform, (site,), opened.files if opened else (), has_keys, is_of_site=True)
    from wagtail_multihost.checks.registry import is_whole
    from wagtail_multihost.management.command import registry_of  # only where checks run

    try:
        registry = registry_of(None)
        contents = registry.load(requires_pins=False) if is_whole(registry) else None
    except ConfigurationError:
        return None  # E007 says it
    return Hosted(contents.platform, contents.enabled, registry.files, True, is_of_site=False) if contents else None

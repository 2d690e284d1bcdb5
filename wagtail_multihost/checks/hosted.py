"""What is known here of the platform that is to be deployed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.checks.registry import is_whole
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.running import current, registry_of
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec


class KnownDeployment(NamedTuple):
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
    running = current()
    return running is not None and not running.ephemeral


def known_deployment() -> KnownDeployment | None:
    """Return the platform and the site of this process, or, with no site named, all that the registry's file has."""
    running = current()
    if running is None or running.ephemeral:
        return None
    platform, site, opened = running.platform, running.site, running.opened
    if platform is not None and site is not None:
        has_keys = opened is not None and opened.has_servers
        return KnownDeployment(platform, (site,), opened.files if opened else (), has_keys, is_of_site=True)
    try:
        registry = registry_of(None)
        contents = registry.load(requires_pins=False) if is_whole(registry) else None
    except ConfigurationError:
        return None  # E007 reports it
    return (
        KnownDeployment(contents.platform, contents.enabled, registry.files, True, is_of_site=False)
        if contents
        else None
    )

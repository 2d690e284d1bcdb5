"""The registry as a whole, of which a site's own process sees only its record."""

from __future__ import annotations

import os
from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.project import static_files
from wagtail_multihost.registry import Registry
from wagtail_multihost.running import current, registry_of


@register(TAG)
def check_registry(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E007: the registry has a problem, such as two sites with one database."""
    running = current()
    if running is None or running.ephemeral:
        return []
    try:
        registry = registry_of(None)
        if is_whole(registry):
            registry.load(protected=static_files())
    except ConfigurationError as error:
        return [
            Error(
                str(problem),
                hint="Correct it in the registry. Until then multihost_sites reports the same, and exits with 2.",
                id="wagtail_multihost.E007",
            )
            for problem in error.problems
        ]
    return []


def is_whole(registry: Registry) -> bool:
    """
    Return whether this process can read the whole registry: not snapshots, of which its account reads one, nor a file
    that is missing, as where images are built.
    """
    from wagtail_multihost.registry.toml import TomlRegistry  # processes with a snapshot do without it

    return isinstance(registry, TomlRegistry) and os.access(registry.path, os.R_OK)

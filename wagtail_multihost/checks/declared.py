"""What the platform declares for its projects, and this process does not have as it should."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.running import Running, current, registered_site


@register(TAG)
def check_declared(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W034 and W035: settings that processes without a site do not have, and variables that this one does not."""
    running = current()
    return list(messages(running)) if running and registered_site() else []


def messages(running: Running) -> Iterator[CheckMessage]:
    site = running.site
    if site is None:
        return
    if names := [name for name, _ in site.project_settings if name not in running.project]:
        yield Warning(
            f"The settings module does not state {', '.join(names)}: processes that serve no site, such as "
            "collectstatic, do not have what platform.project_settings declares.",
            hint='State a harmless value of each, such as "", above the last line of the settings module.',
            id="wagtail_multihost.W034",
        )
    if names := [name for name, value in site.env if os.environ.get(name) != value]:
        yield Warning(
            f"This process does not have {', '.join(names)} as the site's env states: it was started by something else "
            "than emitted files or multihost_as.",
            hint="State these variables where the process is started, too.",
            id="wagtail_multihost.W035",
        )

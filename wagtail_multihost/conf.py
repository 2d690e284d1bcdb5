"""The settings of this package, typed, and read at each access so that tests can override them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings


class Settings:
    """The project's settings for this package; they are the same for all sites."""

    @property
    def MULTIHOST_HEALTH(self) -> Mapping[str, Any] | None:
        """How the process answers probes, and which probes run; None if the project does not set it."""
        return cast("Mapping[str, Any] | None", getattr(settings, "MULTIHOST_HEALTH", None))


conf = Settings()

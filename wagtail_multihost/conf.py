"""The settings of this package, typed and read anew each time, so that tests may override them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings


class Settings:
    """What the project's settings module states for this package; none of it differs between sites."""

    @property
    def MULTIHOST_HEALTH(self) -> Mapping[str, Any] | None:
        """How the process answers probes, and which run; None where the project does not say."""
        return cast("Mapping[str, Any] | None", getattr(settings, "MULTIHOST_HEALTH", None))


conf = Settings()

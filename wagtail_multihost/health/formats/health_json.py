"""application/health+json (https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06)."""

from __future__ import annotations

import json

from wagtail_multihost.health.endpoint import Health


def write(health: Health) -> tuple[bytes, str]:
    """Return the body and its content type."""
    return json.dumps({"status": health.word}).encode(), "application/health+json"

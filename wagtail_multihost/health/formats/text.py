"""Plain text: the status word in the first line, a line for each probe."""

from __future__ import annotations

from wagtail_multihost.health.endpoint import TEXT, Health


def write(health: Health) -> tuple[bytes, str]:
    """Return the body and its content type."""
    return f"{health.word}\n".encode(), TEXT

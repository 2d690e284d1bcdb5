"""Times as people read them. Programs get ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime


def shown_time(time: datetime) -> str:
    """Return a time that has a zone, as ``2026-12-01 12:50:28 UTC``."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def shown_text(text: object) -> str:
    """Return the same of a text of ISO 8601, and any other text as it is."""
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return shown_time(time) if time.tzinfo else str(text)

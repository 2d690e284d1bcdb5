"""When it is proven that a hostname belongs to the people of a site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

#: So old a proof is asked for again: the name may have another owner by now.
VALID = timedelta(days=7)


def proof_is_valid(proven_at: datetime | None) -> bool:
    """Return whether a proof of that time still counts."""
    return proven_at is not None and datetime.now(UTC) - proven_at < VALID

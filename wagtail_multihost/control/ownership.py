"""When it is proven that a hostname belongs to the people of a site."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from wagtail_multihost.control.models import Verification
from wagtail_multihost.nodeapi.challenge import is_reserved
from wagtail_multihost.spec.identifiers import parse_hostname, shown

#: So old a proof is asked for again: the name may have another owner by now.
VALID = timedelta(days=7)
SECRET_BYTES = 32


def proof_is_valid(proven_at: datetime | None) -> bool:
    """Return whether a proof of that time still counts."""
    return proven_at is not None and datetime.now(UTC) - proven_at < VALID


def new_challenge(name: str, site: UUID, user: int | None) -> Verification:
    """
    Return a challenge, not saved, that proves that the hostname ``name`` belongs to the people of a site. Raises
    ValueError for what is no hostname, or one that nobody can own.
    """
    host = parse_hostname(name)
    if is_reserved(host):
        raise ValueError(f"The hostname {shown(host)} is reserved: nobody can prove that it is theirs.")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return Verification(name=host, site_id=site, secret=secret, requested_by_id=user)

"""
When it is proven that a hostname belongs to the people of a site, and what they publish for it.

Who is no operator of the platform gets a hostname only with a proof; operators need none, as for names that nobody can
own, such as those of a developer's own machine.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from wagtail_multihost.nodeapi.challenge import file_path, is_reserved, record_name
from wagtail_multihost.spec.identifiers import HOSTNAME_LENGTH, parse_hostname, shown

#: So old a proof is asked for again: the name may have another owner by now.
VALID = timedelta(days=7)
#: So long after a check was asked for it should have been carried out.
PATIENCE = timedelta(minutes=2)
NONCE_BYTES = 32


class Challenge(NamedTuple):
    """What proves that the hostname ``name`` belongs to the people of the ``site``: the ``secret``, published."""

    id: UUID
    site: UUID
    name: str
    secret: str

    @property
    def record_name(self) -> str:
        """The name of the TXT record whose text is the secret; blank where the hostname is too long for one."""
        name = record_name(self.name)
        return name if len(name) <= HOSTNAME_LENGTH else ""

    @property
    def file_url(self) -> str:
        """Where a file can be instead, whose content is the secret."""
        return f"http://{self.name}{file_path(self.id)}"


def new_challenge(site: UUID, name: str, *, takes_reserved: bool = False) -> Challenge:
    """
    Return a new challenge for a hostname. Raises ValueError for what is no hostname, and for one that nobody can own,
    unless ``takes_reserved``: a courier on a developer's own machine can check those.
    """
    host = parse_hostname(name)
    if is_reserved(host) and not takes_reserved:
        raise ValueError(f"The hostname {shown(host)} is reserved: nobody can prove that it is theirs.")
    return Challenge(uuid4(), site, host, make_secret(site, host))


def make_secret(site: UUID, name: str) -> str:
    """
    Return a text that nobody can guess. The site and the name are in it, so that no two of them ever share one, even
    where a copied machine repeats its random numbers.
    """
    digest = hashlib.sha256(b"\0".join([secrets.token_bytes(NONCE_BYTES), site.bytes, name.encode()])).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def proof_is_valid(proven_at: datetime | None) -> bool:
    """Return whether a proof of that time still counts."""
    return proven_at is not None and datetime.now(UTC) - proven_at < VALID


def check_is_late(wanted_at: datetime | None) -> bool:
    """Return whether a check that was asked for at that time should be done by now: perhaps no courier runs."""
    return wanted_at is not None and datetime.now(UTC) - wanted_at > PATIENCE

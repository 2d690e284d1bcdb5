"""The proof that a hostname belongs to the people of a site, as the API shows it."""

from __future__ import annotations

import secrets

from django.db import transaction
from django.utils import timezone

from wagtail_multihost.control.api.schemas import Challenge
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.models import CHANGE, ManagedSite, Verification
from wagtail_multihost.nodeapi.challenge import file_path, record_name

NEEDS_CHANGE = "It needs the right to change the site."


def ask_for_proof(authority: Authority, site: ManagedSite, host: str) -> None:
    """Make a challenge for a name if there is none, and ask for a check. Raises NotAllowedError."""
    if not authority.may(CHANGE, site.uid):
        raise NotAllowedError.because(NEEDS_CHANGE, where=f"Site {site.identifier}: hostnames", site=site.identifier)
    with transaction.atomic():
        asked, _ = Verification.objects.select_for_update().get_or_create(
            site=site,
            name=host,
            defaults={"secret": secrets.token_urlsafe(24), "requested_by_id": authority.user},
        )
        if asked.wanted_at is None:
            asked.wanted_at = timezone.now()
            asked.save(update_fields=["wanted_at"])


def challenge_out(asked: Verification) -> Challenge:
    return Challenge(
        record_name=record_name(asked.name),
        record_value=asked.secret,
        file_url=f"http://{asked.name}{file_path(asked.pk)}",
        file_content=asked.secret,
        requested_at=asked.requested_at,
        wanted_at=asked.wanted_at,
        checked_at=asked.checked_at,
        proven_at=asked.proven_at,
        method=asked.method,
        problem=asked.problem,
    )

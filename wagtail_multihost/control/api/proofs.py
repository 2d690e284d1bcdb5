"""The proof that a hostname belongs to the people of a site, as the API takes and shows it."""

from __future__ import annotations

from wagtail_multihost.control.api.problems import CONFLICT, RefusedRequestError
from wagtail_multihost.control.api.schemas import ChallengeOut
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.drafts import NEEDS_CHANGE
from wagtail_multihost.control.models import CHANGE, ManagedSite, Verification
from wagtail_multihost.control.ownership import Challenge
from wagtail_multihost.control.proofs import TooManyProofsError, ask_for_check, start_proof
from wagtail_multihost.exceptions import ConfigurationError


def ask_for_proof(authority: Authority, site: ManagedSite, host: str) -> None:
    """
    Make a challenge for a name if there is none, and ask for a check. Raises NotAllowedError, ConfigurationError for a
    name that nobody can own, and RefusedRequestError if too much is asked.
    """
    where = f"Site {site.identifier}: hostnames"
    if not authority.may(CHANGE, site.uid):
        raise NotAllowedError.because(NEEDS_CHANGE, where=where, site=site.identifier)
    try:
        ask_for_check(start_proof(site, host, authority.user))
    except ValueError as error:
        raise ConfigurationError.because(str(error), where=where, site=site.identifier) from None
    except TooManyProofsError as error:
        raise RefusedRequestError(CONFLICT, str(error)) from None


def challenge_out(asked: Verification) -> ChallengeOut:
    challenge = Challenge(asked.pk, asked.site_id, asked.name, asked.secret)
    return ChallengeOut(
        record_name=challenge.record_name,
        record_value=challenge.secret,
        file_url=challenge.file_url,
        file_content=challenge.secret,
        requested_at=asked.requested_at,
        wanted_at=asked.wanted_at,
        checked_at=asked.checked_at,
        proven_at=asked.proven_at,
        method=asked.method,
        problem=asked.problem,
    )

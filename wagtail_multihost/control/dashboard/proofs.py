"""How people see the proofs of hostnames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from wagtail_multihost.control.models import ManagedSite, Verification
from wagtail_multihost.control.ownership import Challenge, check_is_late, proof_is_valid


class ShownProof(NamedTuple):
    """
    A proof as people see it: what they publish where (a ``record`` is blank where the name is too long for one), and
    how far it is.
    """

    proof: Verification
    record: str
    url: str
    is_valid: bool
    is_waiting: bool
    is_late: bool
    is_old: bool


def proofs_to_show(site: ManagedSite, names: Iterable[str]) -> list[ShownProof]:
    """Return the proofs of names that a site does not have yet."""
    found = Verification.objects.filter(site=site).exclude(name__in=list(names)).order_by("name")
    return [show_proof(proof) for proof in found]


def show_proof(proof: Verification) -> ShownProof:
    challenge = Challenge(proof.pk, proof.site_id, proof.name, proof.secret)
    is_valid = proof_is_valid(proof.proven_at)
    return ShownProof(
        proof,
        challenge.record_name,
        challenge.file_url,
        is_valid,
        is_waiting=proof.wanted_at is not None,
        is_late=check_is_late(proof.wanted_at),
        is_old=proof.proven_at is not None and not is_valid,
    )

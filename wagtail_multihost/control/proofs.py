"""Proofs that a hostname belongs to a site's people, as they ask for them: the courier looks where one is wanted."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from wagtail_multihost.control.bells import ring
from wagtail_multihost.control.models import ManagedSite, Verification
from wagtail_multihost.control.ownership import PATIENCE, VALID, new_challenge
from wagtail_multihost.exceptions import MultihostError

#: So many names of one site can wait for their proof.
MOST_OPEN = 20
#: So long after a check another one can be asked for.
PAUSE = timedelta(seconds=10)
TOO_MANY = (
    f"{MOST_OPEN} hostnames of this site wait for their proof, which is the most. Prove one of them, or give one up."
)
TOO_SOON = f"It was checked less than {PAUSE.seconds} seconds ago. Wait a little."

TOO_SOON_TO_GIVE_UP = f"It is being checked, or was less than {PAUSE.seconds} seconds ago. Wait a little."


class TooManyProofsError(MultihostError):
    """More is asked of the courier than one site may ask."""


def start_proof(site: ManagedSite, name: str, user: int | None) -> Verification:
    """
    Return the challenge of a hostname, a new one unless the site has one already. Raises ValueError for what is no
    hostname, and TooManyProofsError.
    """
    wished = new_challenge(site.uid, name)
    with transaction.atomic():
        # One after the other, so that together they are not more than the most.
        ManagedSite.objects.select_for_update().get(uid=site.uid)
        found = Verification.objects.filter(site=site, name=wished.name).first()
        if found is not None:
            return found
        if open_proofs(site).count() >= MOST_OPEN:
            raise TooManyProofsError(TOO_MANY)
        return Verification.objects.create(
            id=wished.id, site=site, name=wished.name, secret=wished.secret, requested_by_id=user
        )


def open_proofs(site: ManagedSite) -> QuerySet[Verification]:
    """Return the challenges of a site that are not proven, or not any more."""
    since = timezone.now() - VALID
    return Verification.objects.filter(Q(proven_at=None) | Q(proven_at__lte=since), site=site)


def give_up(proof: Verification) -> None:
    """
    End the wish to have a hostname. Raises TooManyProofsError soon after a check, or before the one that is asked for:
    with a new challenge each time, the courier could be sent to a stranger's servers again and again.
    """
    now = timezone.now()
    idle = Q(checked_at=None) | Q(checked_at__lte=now - PAUSE)
    waiting = Q(wanted_at__gt=now - PATIENCE)
    if not Verification.objects.filter(idle & ~waiting, pk=proof.pk).delete()[0]:
        raise TooManyProofsError(TOO_SOON_TO_GIVE_UP)


def ask_for_check(proof: Verification) -> None:
    """Ask the courier to look now. Raises TooManyProofsError if it has just looked."""
    refuse_soon(proof)
    if Verification.objects.filter(pk=proof.pk, wanted_at=None).update(wanted_at=timezone.now()):
        ring()


def refuse_soon(proof: Verification) -> None:
    """Raise TooManyProofsError if the courier has just looked."""
    if proof.checked_at is not None and timezone.now() - proof.checked_at < PAUSE:
        raise TooManyProofsError(TOO_SOON)

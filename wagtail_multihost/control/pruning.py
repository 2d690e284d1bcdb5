"""Deleting events that no node needs any more."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Max

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.models import Event, Wave
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.node_states import DONE

DAYS = 30
NOT_ALLOWED = "Only an operator of the platform can delete events."
AT_LEAST = "The number of days {days} is not accepted: it must be 1 or more."


def prune_events(authority: Authority, days: int) -> tuple[int, int]:
    """
    Delete the events that are older than ``days``; return how many, and the revision of the oldest one that is kept.

    The head says first that they are gone: who reads from before it reads everything.
    """
    if not authority.may_operate:
        raise ConfigurationError.because(NOT_ALLOWED)
    if days < 1:
        raise ConfigurationError.because(AT_LEAST.format(days=days), where="--days")
    with transaction.atomic(), connection.cursor() as cursor:
        lock = lock_head()
        old = Event.objects.filter(at__lt=lock.now - timedelta(days=days))
        last = old.aggregate(last=Max("revision"))["last"] or 0
        cursor.execute(
            "UPDATE control_head SET oldest = greatest(oldest, %s) WHERE id = 1 RETURNING oldest", [last + 1]
        )
        oldest = cursor.fetchone()[0]
        # A revision below an old one cannot be younger: time rises with the revision.
        count, _ = Event.objects.filter(revision__lt=oldest).delete()
        # Waves that are done say which nodes have to read again; who has read up to there reads everything.
        Wave.objects.filter(state=DONE, stage_revision__lt=oldest).delete()
    return count, oldest

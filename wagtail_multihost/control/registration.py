"""
The only writer of the registry: every change of a site or of the platform is made here, in one transaction.

It locks the head first, so that changes come one after the other and revisions have no gap
(https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS); a trigger refuses whoever writes without.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from django.db import connection, transaction

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import Change, Changed, Outcome
from wagtail_multihost.control.drafts import Draft, draft_changes
from wagtail_multihost.control.holds import end_holds_of_people
from wagtail_multihost.control.review import review_drafts
from wagtail_multihost.control.texts import refuse_text
from wagtail_multihost.control.wave_plans import plan_wave, write_plan
from wagtail_multihost.control.writing import Origin, write_drafts
from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.registry.watch import Watch, watch_nothing
from wagtail_multihost.spec.platform import HIGHEST_REVISION

#: So many changes must still be possible after the revision was raised.
HEADROOM = 10**12
NO_HEAD = "The control database has no head: run its migrations."


class Lock(NamedTuple):
    """The head as it is while it is locked, and the database's time."""

    incarnation: UUID
    revision: int
    now: datetime


def apply_changes(
    authority: Authority,
    changes: Sequence[Change],
    *,
    reason: str = "",
    request: UUID | None = None,
    dry_run: bool = False,
    confirmed: int | None = None,
    at_once: bool = False,
    watch: Watch = watch_nothing,
) -> Outcome:
    """
    Make all ``changes``, or none; return what came of it. A change that changes nothing makes no event.

    ``reason`` goes into the events and the audit log, ``request`` groups what belongs together. ``confirmed`` is the
    number of sites that were confirmed to stop. A change of the platform, or of many sites, goes to the nodes in a wave
    unless an operator wants it ``at_once``. ``watch`` is told of the progress.

    Raises ConfigurationError with all problems of all records, NotAllowedError, UnknownSiteError, StaleRecordError,
    UnconfirmedError and WaveRunsError; then nothing was changed.
    """
    refuse_text(reason, "Reason")
    with transaction.atomic():
        lock = lock_head()
        drafts = draft_changes(authority, changes, lock.now)
        reviewed = review_drafts(authority, drafts, confirmed, watch)
        plan = plan_wave(authority, reviewed, at_once=at_once)
        origin = Origin(authority, lock.now, reason, request or uuid4(), plan.note_of)
        written = write_drafts(origin, reviewed, lock.revision)
        write_plan(plan, written)
        if authority.may_operate and (closed := [draft.uid for _, draft in written if draft.uid and draft.closes]):
            end_holds_of_people(authority, closed)
        if dry_run:
            transaction.set_rollback(True)
    wave = plan.wave if plan.held else None
    return Outcome(lock.revision + len(written), tuple(map(describe_draft, written)), dry_run, wave)


def describe_draft(written: tuple[int, Draft]) -> Changed:
    revision, draft = written
    return Changed(draft.type, draft.uid, draft.identifier, draft.generation, revision, draft.differences)


def lock_head() -> Lock:
    """Lock the head until the transaction ends; everyone else who wants to change anything waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE control_head SET revision = revision WHERE id = 1 "
            "RETURNING incarnation, revision, clock_timestamp()"
        )
        row = cursor.fetchone()
    if row is None:
        raise MultihostError(NO_HEAD)
    return Lock(*row)


def raise_head(authority: Authority, revision: int, *, renew: bool = False) -> int:
    """
    Make the registry's revision at least ``revision``, without events, and return it. With ``renew`` it gets another
    incarnation, as a database that was restored needs.
    """
    if not authority.may_operate:
        raise ConfigurationError.because("Only an operator of the platform can raise the revision.")
    if not 0 <= revision <= HIGHEST_REVISION - HEADROOM:
        raise ConfigurationError.because(f"The revision {revision} is not accepted: no room would be left above it.")
    with transaction.atomic(), connection.cursor() as cursor:
        lock = lock_head()
        if revision <= lock.revision and not renew:
            return lock.revision
        incarnation = uuid4() if renew else lock.incarnation
        highest = max(revision, lock.revision + 1)
        cursor.execute(
            "UPDATE control_head SET revision = %s, oldest = %s, incarnation = %s WHERE id = 1",
            [highest, highest + 1, incarnation],
        )
    return highest

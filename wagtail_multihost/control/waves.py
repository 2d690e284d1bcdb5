"""
Waves as operators see them, and what they may do with one: let it go on, give it to all nodes at once, or put the
former records back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from wagtail_multihost.control import audit
from wagtail_multihost.control.audit import log_change
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import Change, EditPlatform, EditSite, NotAllowedError, NotNowError, Outcome
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.held_keys import lay_over
from wagtail_multihost.control.models import Event, Wave, WaveItem
from wagtail_multihost.control.nodes import record_event
from wagtail_multihost.control.registration import apply_changes, lock_head
from wagtail_multihost.exceptions import Problem
from wagtail_multihost.nodeapi.event_types import WAVE_ABANDONED, WAVE_FINISHED, WAVE_RESUMED
from wagtail_multihost.nodeapi.node_states import DONE, ONE, REST, STOPPED, TENTH
from wagtail_multihost.nodeapi.wave_ticks_v1 import ENTER

OPERATORS = "Only an operator of the platform may decide how a wave goes on."
NO_WAVE = "No wave runs."
OTHER_WAVE = "The wave {wave} does not run; the one that does is {running}."
NOT_STOPPED = "It has not stopped: it goes on by itself."
WAS_ABANDONED, WAS_FINISHED = "abandoned", "finished at once"
STAGES = {ONE: "one node", TENTH: "a tenth of the nodes", REST: "the rest"}


class WaveRow(NamedTuple):
    """
    A wave: whose change it is (``actor``, ``changed_at``), which ``sites`` it holds back, or did until it was done,
    whether the platform, and the nodes that have its turn. Its stage began at ``stage_at`` with ``stage_revision``, and
    bakes from ``settled_at`` on, when all of these nodes had applied it. ``reason`` says why it stopped, or how it was
    ended.
    """

    id: UUID
    revision: int
    actor: str
    changed_at: datetime | None
    state: str
    stage: int
    stage_at: datetime
    stage_revision: int
    settled_at: datetime | None
    bake_seconds: int
    reason: str
    of_platform: bool
    sites: tuple[str, ...]
    admitted: tuple[str, ...]

    @property
    def stage_in_words(self) -> str:
        return STAGES.get(self.stage, str(self.stage))


def running_waves() -> list[WaveRow]:
    """Return the waves that run or have stopped: one at most, as the next waits for it."""
    return rows_of_waves(Wave.objects.exclude(state=DONE))


def recent_waves(limit: int = 20) -> list[WaveRow]:
    """Return the last waves, the latest first."""
    return rows_of_waves(Wave.objects.all()[:limit])


def rows_of_waves(found: Iterable[Wave]) -> list[WaveRow]:
    waves = list(found)
    events = {event.revision: event for event in Event.objects.filter(revision__in=[wave.revision for wave in waves])}
    items: dict[UUID, list[str | None]] = {wave.pk: [] for wave in waves}
    held = WaveItem.objects.filter(wave__in=waves, is_current=True).order_by("site__identifier")
    for wave_id, site in held.values_list("wave_id", "site__identifier"):
        items[wave_id].append(site)
    rows = []
    for wave in waves:
        event = events.get(wave.revision)
        rows.append(
            WaveRow(
                id=wave.pk,
                revision=wave.revision,
                actor=event.actor if event else "",
                changed_at=event.at if event else None,
                state=wave.state,
                stage=wave.stage,
                stage_at=wave.stage_at,
                stage_revision=wave.stage_revision,
                settled_at=wave.settled_at,
                bake_seconds=wave.bake_seconds,
                reason=wave.reason,
                of_platform=None in items[wave.pk],
                sites=tuple(site for site in items[wave.pk] if site is not None),
                admitted=tuple(sorted(wave.admitted)),
            )
        )
    return rows


def resume_wave(authority: Authority, wave: UUID | None = None) -> int:
    """
    Let a wave that has stopped go on: what is wrong with its nodes by now stops it no more. Return the revision.
    ``wave`` None is the one that runs. Raises NotNowError, also for one that has not stopped.
    """
    with transaction.atomic():
        found = lock_wave(authority, wave)
        if found.state != STOPPED:
            raise NotNowError.because(NOT_STOPPED, where="Wave")
        revision = enter_stage(authority, found, found.stage, WAVE_RESUMED)
        log_change(authority, found, audit.WAVE_RESUMED, revision=revision)
        return revision


def finish_wave(authority: Authority, wave: UUID | None = None) -> int:
    """Give a wave's change to all nodes at once, whatever they say; return the revision. Raises NotNowError."""
    with transaction.atomic():
        found = lock_wave(authority, wave)
        revision = enter_stage(authority, found, REST, WAVE_FINISHED)
        end_wave(found, WAS_FINISHED, revision)
        log_change(authority, found, audit.WAVE_FINISHED, revision=revision)
        return revision


def abandon_wave(authority: Authority, wave: UUID | None = None, reason: str = "") -> Outcome:
    """
    Put back the records that a wave holds back, as a change of its own that goes to all nodes at once; return what
    came of it. Records that were changed since stay. Raises what
    :func:`~wagtail_multihost.control.registration.apply_changes` raises: then the wave is as it was.
    """
    with transaction.atomic():
        found = lock_wave(authority, wave)
        items = [*found.items.filter(is_current=True).order_by("site__identifier")]
        changes = [change_back(item) for item in items]
        outcome = apply_changes(authority, changes, reason=reason or f"wave {found.pk} abandoned", at_once=True)
        revision = record_event(authority, WAVE_ABANDONED, {"wave": str(found.pk)})
        end_wave(found, WAS_ABANDONED, revision)
        log_change(authority, found, audit.WAVE_ABANDONED, revision=revision, reason=reason)
    return replace(outcome, revision=revision)


def change_back(item: WaveItem) -> Change:
    of_platform, former = item.site_id is None, item.former

    def edit(before: Table) -> Table:
        return lay_over(former, before, of_platform=of_platform)

    return EditPlatform(edit) if item.site_id is None else EditSite(item.site_id, edit)


def lock_wave(authority: Authority, wave: UUID | None) -> Wave:
    """Lock the head, and return the wave that runs or has stopped."""
    if not authority.may_operate:
        raise NotAllowedError([Problem("Wave", OPERATORS)])
    lock_head()
    found = Wave.objects.exclude(state=DONE).first()
    if found is None:
        raise NotNowError.because(NO_WAVE, where="Wave")
    if wave is not None and wave != found.pk:
        raise NotNowError.because(OTHER_WAVE.format(wave=wave, running=found.pk), where="Wave")
    return found


def enter_stage(authority: Authority, wave: Wave, stage: int, kind: str) -> int:
    revision = record_event(authority, kind, {"wave": str(wave.pk), "stage": stage})
    with connection.cursor() as cursor:
        cursor.execute(ENTER, [wave.pk, stage, revision])
    return revision


def end_wave(wave: Wave, reason: str, revision: int) -> None:
    # Front servers read again: they were given the former records until now.
    Wave.objects.filter(pk=wave.pk).update(state=DONE, reason=reason, stage_revision=revision)
    # The items stay, as they say which nodes have to read again; nobody is given what they held.
    WaveItem.objects.filter(wave=wave).update(former={})

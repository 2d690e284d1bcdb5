"""Waves: for operators of the platform alone."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Path, Router

from wagtail_multihost.control.api.answers import WITH_BODY, answers
from wagtail_multihost.control.api.authentication import authority_in, refuse_unseeing
from wagtail_multihost.control.api.schemas import WaveBody, WaveChanged, WaveList, WaveOut
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.waves import (
    NO_WAVE,
    WaveRow,
    abandon_wave,
    finish_wave,
    recent_waves,
    resume_wave,
    running_waves,
)

router = Router(tags=["Waves"])
WaveId = Annotated[UUID, Path(description="The id of the wave.")]


@router.get("/waves", operation_id="list_waves", summary="List the last waves", response=answers(WaveList, 404))
def list_waves(request: HttpRequest) -> WaveList:
    """One that runs or has stopped is the first: there is one at most."""
    refuse_unseeing(authority_in(request))
    return WaveList(waves=[wave_out(row) for row in recent_waves()])


@router.post(
    "/waves/{wave}/resume",
    operation_id="resume_wave",
    summary="Let a wave that has stopped go on",
    response=answers(WaveChanged, 404, 409),
)
def resume(request: HttpRequest, wave: WaveId) -> WaveChanged:
    """What is wrong with its nodes by now does not stop it again."""
    find_running(authority_in(request), wave)
    return changed_out(resume_wave(authority_in(request), wave))


@router.post(
    "/waves/{wave}/finish",
    operation_id="finish_wave",
    summary="Give a wave's change to all nodes at once",
    response=answers(WaveChanged, 404, 409),
)
def finish(request: HttpRequest, wave: WaveId) -> WaveChanged:
    """Whatever the nodes say that have it."""
    find_running(authority_in(request), wave)
    return changed_out(finish_wave(authority_in(request), wave))


@router.post(
    "/waves/{wave}/abandon",
    operation_id="abandon_wave",
    summary="Put back the records that a wave holds back",
    response=answers(WaveChanged, 404, 409, *WITH_BODY),
)
def abandon(request: HttpRequest, wave: WaveId, body: WaveBody) -> WaveChanged:
    """It is a change of its own, which goes to all nodes at once. Records that were changed since stay."""
    find_running(authority_in(request), wave)
    return changed_out(abandon_wave(authority_in(request), wave, body.reason).revision)


def find_running(authority: Authority, wave: UUID) -> None:
    """Raise Http404 unless this is the wave that runs, and may be seen."""
    refuse_unseeing(authority)
    if not any(row.id == wave for row in running_waves()):
        raise Http404(NO_WAVE)


def changed_out(revision: int) -> WaveChanged:
    return WaveChanged(revision=revision, waves=[wave_out(row) for row in recent_waves()])


def wave_out(row: WaveRow) -> WaveOut:
    return WaveOut(
        id=row.id,
        revision=row.revision,
        actor=row.actor,
        changed_at=row.changed_at,
        state=row.state,
        stage=row.stage,
        stage_at=row.stage_at,
        bake_seconds=row.bake_seconds,
        reason=row.reason,
        platform=row.of_platform,
        sites=list(row.sites),
        admitted=list(row.admitted),
    )

"""Maintenance windows: times in which a site, or every site, need not answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Path, Router, Status

from wagtail_multihost.control.actors import shown_actor
from wagtail_multihost.control.api.answers import WITH_BODY, answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.availability_schemas import (
    MaintenanceBody,
    MaintenanceChanged,
    MaintenanceList,
    MaintenanceOut,
    MaintenancePatch,
)
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import ReasonInQuery
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.maintenance import (
    Times,
    change_maintenance,
    end_maintenance,
    plan_maintenance,
    visible_windows,
)
from wagtail_multihost.control.models import Maintenance
from wagtail_multihost.exceptions import ConfigurationError

router = Router(tags=["Maintenance"])
MaintenanceId = Annotated[UUID, Path(description="The id of the maintenance.")]
NO_ZONE = "It has no time zone. Write it as in 2026-11-28T22:04:00Z."


@router.get(
    "/maintenance",
    operation_id="list_maintenance",
    summary="List what maintenance is planned",
    response=answers(MaintenanceList),
)
def list_maintenance(request: HttpRequest) -> MaintenanceList:
    """What lasts or is planned, in the order in which it begins: of the sites that may be seen, and of all sites."""
    authority = authority_in(request)
    return MaintenanceList(maintenance=maintenance_out(authority, visible_windows(authority)))


@router.post(
    "/maintenance",
    operation_id="plan_maintenance",
    summary="Plan maintenance of a site, or of every site",
    response=answers(MaintenanceChanged, 404, 409, *WITH_BODY, status=201),
)
def add_maintenance(request: HttpRequest, body: MaintenanceBody) -> Status[MaintenanceChanged]:
    """It must not begin in the past. Of every site it is planned by operators; of one, by who may operate it."""
    authority = authority_in(request)
    site = get_site(authority, body.site) if body.site is not None else None
    refuse_no_zone(since=body.since, till=body.till)
    times = Times(body.since or database_time(), body.till)
    planned = plan_maintenance(authority, site, times, reason=body.reason)
    return Status(201, maintenance_changed(authority, planned))


@router.patch(
    "/maintenance/{maintenance_id}",
    operation_id="change_maintenance",
    summary="Change what is planned",
    response=answers(MaintenanceChanged, 404, *WITH_BODY),
)
def patch_maintenance(
    request: HttpRequest, maintenance_id: MaintenanceId, body: MaintenancePatch
) -> MaintenanceChanged:
    """What has begun keeps when it did, and what is over cannot be changed."""
    authority = authority_in(request)
    refuse_no_zone(since=body.since, till=body.till)
    changed = change_maintenance(authority, maintenance_id, since=body.since, till=body.till, reason=body.reason)
    return maintenance_changed(authority, changed)


@router.delete(
    "/maintenance/{maintenance_id}",
    operation_id="end_maintenance",
    summary="End maintenance",
    response=answers(MaintenanceChanged, 404),
)
def delete_maintenance(
    request: HttpRequest, maintenance_id: MaintenanceId, reason: ReasonInQuery = ""
) -> MaintenanceChanged:
    """It ends now; what has not begun is gone. The answer has it as it was."""
    authority = authority_in(request)
    return maintenance_changed(authority, end_maintenance(authority, maintenance_id, reason=reason))


def refuse_no_zone(**times: datetime | None) -> None:
    """Raise ConfigurationError for a point in time that could be any of a day."""
    for name, value in times.items():
        if value is not None and value.tzinfo is None:
            raise ConfigurationError.because(NO_ZONE, where=name)


def maintenance_changed(authority: Authority, window: Maintenance) -> MaintenanceChanged:
    (shown,) = maintenance_out(authority, [window])
    return MaintenanceChanged(revision=current_revision(), maintenance=shown)


def maintenance_out(authority: Authority, windows: Iterable[Maintenance]) -> list[MaintenanceOut]:
    """Return maintenance as the API shows it. Its reason is for everyone whom it concerns."""
    return [
        MaintenanceOut(
            id=one.pk,
            site=one.site.identifier if one.site else None,
            since=one.since,
            till=one.till,
            reason=one.reason,
            actor=shown_actor(authority, one.actor),
            of_record=one.of_record,
        )
        for one in windows
    ]

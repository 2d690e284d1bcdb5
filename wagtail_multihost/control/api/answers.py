"""Rows and outcomes as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wagtail_multihost.control.api.schemas import (
    Changed,
    ChangeOut,
    DifferenceOut,
    HostnameOut,
    PlatformOut,
    ProblemDetails,
    SiteOut,
    SiteSummary,
)
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import Edit, Outcome
from wagtail_multihost.control.declared_keys import Table, is_masked
from wagtail_multihost.control.differences import MASK, rows_of
from wagtail_multihost.control.edits import merge_patch
from wagtail_multihost.control.models import Head, Hostname, ManagedSite, Platform
from wagtail_multihost.registry.record import KEY_PATH

#: What every operation may answer: no token, no scope, an unreadable parameter, a defect, no database.
ALWAYS = (401, 403, 422, 500, 503)
WITH_BODY = (400, 413, 415)


def answers(model: Any, *statuses: int, status: int = 200) -> dict[int, Any]:
    """Return what an operation answers, with problem details for the ``statuses`` and for those of all."""
    return {status: model, **dict.fromkeys(sorted({*ALWAYS, *statuses}), ProblemDetails)}


def current_revision() -> int:
    """Return the registry's revision, which every answer to a change has, also of what is no part of the registry."""
    return Head.objects.get(pk=1).revision


def site_summary(site: ManagedSite) -> SiteSummary:
    return SiteSummary(**site_fields(site))


def site_out(authority: Authority, site: ManagedSite) -> SiteOut:
    return SiteOut(**site_fields(site), record=shown_record(authority, site.record))


def site_fields(site: ManagedSite) -> dict[str, Any]:
    return {
        "id": site.identifier,
        "uid": site.uid,
        "enabled": site.enabled,
        "state": site.state,
        "generation": site.generation,
        "labels": site.labels,
        "created": site.created,
        "hostnames": [hostname_out(host) for host in site.hostnames.all()],
    }


def hostname_out(host: Hostname) -> HostnameOut:
    return HostnameOut.from_orm(host)


def platform_out(platform: Platform) -> PlatformOut:
    return PlatformOut(generation=platform.generation, record=platform.record)


def shown_record(authority: Authority, record: Table) -> dict[str, Any]:
    """Return a site's record as who asks may see it: only operators see what refers to a secret."""
    return dict(record) if authority.is_operator else masked(record)


def masked(table: Table, path: KEY_PATH = ()) -> dict[str, Any]:
    return {key: masked_value(value, (*path, key)) for key, value in table.items()}


def masked_value(value: object, path: KEY_PATH) -> object:
    if isinstance(value, Mapping) and value:
        return masked(value, path)
    return MASK if is_masked(path, of_platform=False) else value


def with_masks(edit: Edit) -> Edit:
    """Return an edit after which each mask that came back from a client is what it stood for."""

    def unmasked(before: Table) -> Table:
        return restored(edit(before), before, ())

    return unmasked


def restored(table: Table, before: Table, path: KEY_PATH) -> dict[str, Any]:
    return {key: restored_value(value, before.get(key), (*path, key)) for key, value in table.items()}


def restored_value(value: object, former: object, path: KEY_PATH) -> object:
    if isinstance(value, Mapping):
        return restored(value, former if isinstance(former, Mapping) else {}, path)
    is_mask = value == MASK and former is not None and is_masked(path, of_platform=False)
    return former if is_mask else value


def patched(patch: Table) -> Edit:
    return with_masks(merge_patch(patch))


def changes_out(outcome: Outcome) -> list[ChangeOut]:
    return [
        ChangeOut(
            type=changed.type,
            id=changed.identifier,
            uid=changed.uid,
            generation=changed.generation,
            revision=changed.revision,
            differences=differences_out(rows_of(changed.differences, of_platform=changed.uid is None)),
        )
        for changed in outcome.changed
    ]


def differences_out(rows: Iterable[Mapping[str, Any]]) -> list[DifferenceOut]:
    return [DifferenceOut.model_validate(row) for row in rows]


def changed_out(outcome: Outcome) -> Changed:
    return Changed(revision=outcome.revision, dry_run=outcome.dry_run, wave=outcome.wave, changes=changes_out(outcome))

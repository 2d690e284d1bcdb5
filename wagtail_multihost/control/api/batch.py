"""Many changes at once: all of them, or none."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from wagtail_multihost.control.api.answers import WITH_BODY, answers, changed_out, patched, with_masks
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.problems import NOT_FOUND, RefusedRequestError
from wagtail_multihost.control.api.schemas import (
    BatchBody,
    Changed,
    CreateItem,
    PatchItem,
    ReplaceItem,
    RetireItem,
)
from wagtail_multihost.control.api.texts import AtOnce, DryRun
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import Change, CreateSite, EditSite, RetireSite
from wagtail_multihost.control.drafts import NO_SITE
from wagtail_multihost.control.edits import replace_record
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.exceptions import Problem

router = Router(tags=["Sites"])
Item = CreateItem | ReplaceItem | PatchItem | RetireItem


@router.post(
    "/sites:batch",
    operation_id="change_sites",
    summary="Change many sites at once",
    response=answers(Changed, 404, 409, 412, *WITH_BODY),
)
def change_sites(request: HttpRequest, body: BatchBody, dry_run: DryRun = False, at_once: AtOnce = False) -> Changed:
    """
    Everything is done in one transaction, or nothing is, and then the answer has the problems of all sites. Where so
    many sites would stop that it may be a mistake, the answer asks for their number in `confirmed`. A change of many
    sites goes to the nodes in a wave.
    """
    authority = authority_in(request)
    sites = find_sites(authority, body.changes)
    changes = [change_of(item, sites) for item in body.changes]
    outcome = apply_changes(
        authority, changes, reason=body.reason, dry_run=dry_run, confirmed=body.confirmed, at_once=at_once
    )
    return changed_out(outcome)


def find_sites(authority: Authority, items: list[Item]) -> dict[str, ManagedSite]:
    """Return the sites that are changed, by id. Raises RefusedRequestError with all that are not found."""
    wanted = dict.fromkeys(item.id for item in items if not isinstance(item, CreateItem))
    found = {site.identifier: site for site in visible_sites(authority).filter(identifier__in=wanted)}
    if missing := [identifier for identifier in wanted if identifier not in found]:
        raise RefusedRequestError(NOT_FOUND, NO_SITE, [Problem("id", NO_SITE, identifier) for identifier in missing])
    return found


def change_of(item: Item, sites: dict[str, ManagedSite]) -> Change:
    if isinstance(item, CreateItem):
        return CreateSite(item.id, item.record)
    site, expected = sites[item.id], None if item.generation == "*" else int(item.generation)
    if isinstance(item, RetireItem):
        return RetireSite(site.uid, expected)
    edit = patched(item.record) if isinstance(item, PatchItem) else with_masks(replace_record(item.record))
    return EditSite(site.uid, edit, expected)

"""What all sites share: for operators of the platform alone."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Router

from wagtail_multihost.control.api.answers import WITH_BODY, answers, changes_out, platform_out
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.conditions import IfMatch, etag_of, expectation
from wagtail_multihost.control.api.schemas import PatchBody, PlatformChanged, PlatformOut
from wagtail_multihost.control.api.texts import AtOnce, DryRun
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import EditPlatform
from wagtail_multihost.control.edits import merge_patch
from wagtail_multihost.control.models import Platform
from wagtail_multihost.control.registration import apply_changes

router = Router(tags=["Platform"])


def get_platform(authority: Authority) -> Platform:
    if not authority.sees_all:
        raise Http404
    return Platform.objects.get(pk=1)


@router.get("/platform", operation_id="get_platform", summary="Read the platform", response=answers(PlatformOut, 404))
def read_platform(request: HttpRequest, response: HttpResponse) -> PlatformOut:
    """The `ETag` is its generation, which a change states in `If-Match`."""
    platform = get_platform(authority_in(request))
    response["ETag"] = etag_of(platform.generation)
    return platform_out(platform)


@router.patch(
    "/platform",
    operation_id="patch_platform",
    summary="Change the platform",
    response=answers(PlatformChanged, 404, 409, 412, 428, *WITH_BODY),
)
def patch_platform(
    request: HttpRequest,
    response: HttpResponse,
    body: PatchBody,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
    at_once: AtOnce = False,
) -> PlatformChanged:
    """
    The `record` is a merge patch (RFC 7396). It is refused where any site would not be valid with it. It goes to the
    nodes in a wave.
    """
    authority = authority_in(request)
    platform = get_platform(authority)
    edit, expected = expectation(if_match, platform.generation, merge_patch(body.record))
    change = EditPlatform(edit, expected)
    outcome = apply_changes(authority, [change], reason=body.reason, dry_run=dry_run, at_once=at_once)
    platform = get_platform(authority)
    response["ETag"] = etag_of(platform.generation)
    return PlatformChanged(
        revision=outcome.revision,
        dry_run=outcome.dry_run,
        wave=outcome.wave,
        changes=changes_out(outcome),
        platform=platform_out(platform),
    )

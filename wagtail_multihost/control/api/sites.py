"""Sites: one, many, new, changed, retired."""

from __future__ import annotations

from typing import Annotated

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Query, Router, Status

from wagtail_multihost.control.api.answers import (
    WITH_BODY,
    answers,
    changes_out,
    patched,
    site_out,
    site_summary,
    with_masks,
)
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.conditions import (
    EXISTS,
    NONE,
    IfMatch,
    IfNoneMatch,
    etag_of,
    expectation,
    expected_generation,
    only_new,
)
from wagtail_multihost.control.api.problems import PRECONDITION_FAILED, RefusedRequestError
from wagtail_multihost.control.api.schemas import PatchBody, RecordBody, SiteChanged, SiteOut, SitePage
from wagtail_multihost.control.api.texts import NO_NUL, DryRun, Limit, ReasonInQuery, SiteId, no_site
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import (
    ClashError,
    CreateSite,
    EditSite,
    NotAllowedError,
    Outcome,
    RetireSite,
)
from wagtail_multihost.control.drafts import OPERATORS
from wagtail_multihost.control.edits import replace_record
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.control.searching import search_sites
from wagtail_multihost.spec.identifiers import SITE_ID_LENGTH, is_slug
from wagtail_multihost.spec.site import STATES

router = Router(tags=["Sites"])
SearchText = Annotated[
    str, Query(pattern=NO_NUL, max_length=253, description="A part of an id, of a hostname or of the labels.")
]
StateText = Annotated[
    str, Query(pattern=f"^({'|'.join(STATES)})?$", description="One state alone.", examples=[STATES[0]])
]
LabelText = Annotated[
    str,
    Query(
        pattern=NO_NUL, max_length=200, description="`name` or `name=value` of a label.", examples=["customer=north"]
    ),
]
AfterId = Annotated[
    str, Query(pattern=NO_NUL, max_length=SITE_ID_LENGTH, description="The id that the page before ended with.")
]
NAMESPACE = "multihost_control"


def find_site(authority: Authority, identifier: str) -> ManagedSite | None:
    """Return the site with an id, if there is one that may be seen."""
    if not is_slug(identifier):
        return None
    return visible_sites(authority).filter(identifier=identifier).prefetch_related("hostnames").first()


def get_site(authority: Authority, identifier: str) -> ManagedSite:
    """Return the same; raises Http404."""
    site = find_site(authority, identifier)
    if site is None:
        raise no_site()
    return site


@router.get("/sites", operation_id="list_sites", summary="List the sites that may be seen", response=answers(SitePage))
def list_sites(
    request: HttpRequest,
    q: SearchText = "",
    state: StateText = "",
    label: LabelText = "",
    after: AfterId = "",
    limit: Limit = 100,
) -> SitePage:
    """The sites are in the order of their ids."""
    found = filtered_sites(visible_sites(authority_in(request)), q, state, label)
    found = found.filter(identifier__gt=after).order_by("identifier").defer("record").prefetch_related("hostnames")
    page = [*found[: limit + 1]]
    last = page[limit - 1].identifier if len(page) > limit else None
    return SitePage(sites=[site_summary(site) for site in page[:limit]], next=last)


def filtered_sites(sites: QuerySet[ManagedSite], text: str, state: str, label: str) -> QuerySet[ManagedSite]:
    if text:
        sites = search_sites(sites, text)
    if state:
        sites = sites.filter(state=state)
    name, equals, value = label.partition("=")
    if equals:
        sites = sites.filter(labels__contains={name: value})
    return sites.filter(labels__has_key=name) if name and not equals else sites


@router.get("/sites/{identifier}", operation_id="get_site", summary="Read a site", response=answers(SiteOut, 404))
def read_site(request: HttpRequest, response: HttpResponse, identifier: SiteId) -> SiteOut:
    """The `ETag` is the site's generation, which a change states in `If-Match`."""
    authority = authority_in(request)
    site = get_site(authority, identifier)
    response["ETag"] = etag_of(site.generation)
    return site_out(authority, site)


@router.put(
    "/sites/{identifier}",
    operation_id="put_site",
    summary="Create a site, or replace its record",
    response={201: SiteChanged, **answers(SiteChanged, 404, 409, 412, 428, *WITH_BODY)},
)
def put_site(
    request: HttpRequest,
    response: HttpResponse,
    identifier: SiteId,
    body: RecordBody,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
    dry_run: DryRun = False,
) -> Status[SiteChanged]:
    """
    The same record again changes nothing, makes no event and needs no `If-Match`. Only an operator of the platform can
    create a site.
    """
    authority = authority_in(request)
    site = find_site(authority, identifier)
    if site is None:
        try:
            return create_site(authority, response, identifier, body, if_match, dry_run)
        except ClashError:
            # Someone else made it in the meantime.
            site = find_site(authority, identifier)
            if site is None:
                raise
    if only_new(if_none_match):
        raise RefusedRequestError(PRECONDITION_FAILED, EXISTS)
    edit, expected = expectation(if_match, site.generation, with_masks(replace_record(body.record)))
    outcome = apply_changes(authority, [EditSite(site.uid, edit, expected)], reason=body.reason, dry_run=dry_run)
    return Status(200, site_changed(authority, response, identifier, outcome))


def create_site(
    authority: Authority,
    response: HttpResponse,
    identifier: str,
    body: RecordBody,
    if_match: str | None,
    dry_run: bool,
) -> Status[SiteChanged]:
    if not authority.may_operate:
        # The same for an id that a site has and for one that is free, so that nothing is said of other people's sites.
        raise NotAllowedError.because(OPERATORS, where="Sites") if authority.visible is None else no_site()
    if if_match is not None:
        raise RefusedRequestError(PRECONDITION_FAILED, NONE)
    outcome = apply_changes(authority, [CreateSite(identifier, body.record)], reason=body.reason, dry_run=dry_run)
    if dry_run:
        return Status(200, site_changed(authority, response, identifier, outcome))
    response["Location"] = reverse(f"{NAMESPACE}:read_site", args=[identifier])
    return Status(201, site_changed(authority, response, identifier, outcome))


@router.patch(
    "/sites/{identifier}",
    operation_id="patch_site",
    summary="Change a site's record",
    response=answers(SiteChanged, 404, 409, 412, 428, *WITH_BODY),
)
def patch_site(
    request: HttpRequest,
    response: HttpResponse,
    identifier: SiteId,
    body: PatchBody,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
) -> SiteChanged:
    """
    The `record` is a merge patch (RFC 7396). What changes nothing needs no `If-Match`. The type of the body may be
    `application/merge-patch+json` too.
    """
    authority = authority_in(request)
    site = get_site(authority, identifier)
    edit, expected = expectation(if_match, site.generation, patched(body.record))
    outcome = apply_changes(authority, [EditSite(site.uid, edit, expected)], reason=body.reason, dry_run=dry_run)
    return site_changed(authority, response, identifier, outcome)


@router.delete(
    "/sites/{identifier}",
    operation_id="retire_site",
    summary="Retire a site",
    response=answers(SiteChanged, 400, 404, 412, 428),
)
def retire_site(
    request: HttpRequest,
    response: HttpResponse,
    identifier: SiteId,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
    reason: ReasonInQuery = "",
) -> SiteChanged:
    """It is found no more. Its id can be used again, by a site with another uid and other names."""
    authority = authority_in(request)
    site = get_site(authority, identifier)
    expected = expected_generation(if_match, site.generation)
    outcome = apply_changes(authority, [RetireSite(site.uid, expected)], reason=reason, dry_run=dry_run)
    return site_changed(authority, response, identifier, outcome)


def site_changed(authority: Authority, response: HttpResponse, identifier: str, outcome: Outcome) -> SiteChanged:
    """Return what came of a change of one site, with the site's ETag in the ``response``."""
    site = find_site(authority, identifier)
    if site is not None:
        response["ETag"] = etag_of(site.generation)
    shown = site_out(authority, site) if site else None
    return SiteChanged(
        revision=outcome.revision,
        dry_run=outcome.dry_run,
        wave=outcome.wave,
        changes=changes_out(outcome),
        site=shown,
    )

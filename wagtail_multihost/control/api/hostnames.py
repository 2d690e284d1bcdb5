"""The hostnames of a site, and the proof that they belong to its people."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from wagtail_multihost.control.api.answers import WITH_BODY, answers
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.conditions import IfMatch, expected_generation
from wagtail_multihost.control.api.proofs import ask_for_proof, challenge_out
from wagtail_multihost.control.api.schemas import HostnameBody, HostnameState, SiteChanged
from wagtail_multihost.control.api.sites import get_site, site_changed
from wagtail_multihost.control.api.texts import (
    DryRun,
    HostnameInPath,
    ReasonInQuery,
    SiteId,
    hostname_or_404,
    no_hostname,
)
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import Edit, EditSite
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.edits import HOSTNAMES, add_hostname, make_canonical, remove_hostname
from wagtail_multihost.control.models import CHANGE, ManagedSite, Verification
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.spec.identifiers import parse_hostname

router = Router(tags=["Hostnames"])
ADDRESS = "/sites/{identifier}/hostnames/{name}"


@router.get(
    ADDRESS, operation_id="get_hostname", summary="Read a hostname of a site", response=answers(HostnameState, 404)
)
def read_hostname(request: HttpRequest, identifier: SiteId, name: HostnameInPath) -> HostnameState:
    """A name that the site's people asked for a proof of is found too."""
    authority = authority_in(request)
    site = get_site(authority, identifier)
    state = hostname_state(authority, site, hostname_or_404(name))
    if state.role is None and state.challenge is None:
        raise no_hostname(name)
    return state


@router.put(
    ADDRESS,
    operation_id="put_hostname",
    summary="Add a hostname to a site, or give it another role",
    response=answers(SiteChanged, 404, 409, 412, *WITH_BODY),
)
def put_hostname(
    request: HttpRequest,
    response: HttpResponse,
    identifier: SiteId,
    name: HostnameInPath,
    body: HostnameBody,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
) -> SiteChanged:
    """
    Only this name is touched, so that `If-Match` is not needed; it counts where it is stated. People of a site must
    have proven that the name is theirs.
    """
    host = hostname_or_404(name)
    edit = add_hostname(host, body.role)
    if body.canonical:
        edit = both(edit, make_canonical(host))
    return change_site(request, response, identifier, edit, if_match, body.reason, dry_run)


@router.delete(
    ADDRESS,
    operation_id="delete_hostname",
    summary="Take a hostname from a site",
    response=answers(SiteChanged, 400, 404, 409, 412),
)
def delete_hostname(
    request: HttpRequest,
    response: HttpResponse,
    identifier: SiteId,
    name: HostnameInPath,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
    reason: ReasonInQuery = "",
) -> SiteChanged:
    """A name that the site does not have is no error: it is as it was asked for."""
    host = hostname_or_404(name)
    return change_site(request, response, identifier, remove_hostname(host), if_match, reason, dry_run)


@router.post(
    ADDRESS + "/verify",
    operation_id="verify_hostname",
    summary="Ask for a proof that a hostname belongs to the people of a site",
    response=answers(HostnameState, 404, 409, status=202),
)
def verify_hostname(request: HttpRequest, identifier: SiteId, name: HostnameInPath) -> Status[HostnameState]:
    """
    The first time, the answer says what must be published, and each time a check is asked for. Read the hostname to
    see what came of it.
    """
    authority = authority_in(request)
    site = get_site(authority, identifier)
    host = hostname_or_404(name)
    ask_for_proof(authority, site, host)
    return Status(202, hostname_state(authority, site, host))


def change_site(
    request: HttpRequest,
    response: HttpResponse,
    identifier: str,
    edit: Edit,
    if_match: str | None,
    reason: str,
    dry_run: bool,
) -> SiteChanged:
    authority = authority_in(request)
    site = get_site(authority, identifier)
    expected = None if if_match is None else expected_generation(if_match, site.generation)
    outcome = apply_changes(authority, [EditSite(site.uid, edit, expected)], reason=reason, dry_run=dry_run)
    return site_changed(authority, response, identifier, outcome)


def both(first: Edit, second: Edit) -> Edit:
    def edit(before: Table) -> Table:
        return second(first(before))

    return edit


def hostname_state(authority: Authority, site: ManagedSite, host: str) -> HostnameState:
    found = next((one for one in site.hostnames.all() if one.name == host), None)
    names = [parse_hostname(name) for name in site.record.get(HOSTNAMES, [])]
    asked = None
    if authority.may(CHANGE, site.uid):
        asked = Verification.objects.filter(site=site, name=host).first()
    state = {
        "name": host,
        "role": found.role if found else None,
        "canonical": names[:1] == [host],
        "verified_at": found.verified_at if found else None,
        "challenge": challenge_out(asked) if asked else None,
    }
    return HostnameState.model_validate(state)

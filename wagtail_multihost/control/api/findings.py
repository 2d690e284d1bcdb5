"""What is not as it should be."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpRequest
from ninja import Router

from wagtail_multihost.control.api.answers import answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.node_schemas import FindingList, FindingOut
from wagtail_multihost.control.findings import find_findings

router = Router(tags=["Findings"])


@router.get(
    "/findings",
    operation_id="list_findings",
    summary="List what is not as it should be",
    response=answers(FindingList),
)
def list_findings(request: HttpRequest) -> FindingList:
    """The worst come first. Everybody is told of their own sites; operators of nodes, groups, waves and plans too."""
    found = find_findings(authority_in(request))
    return FindingList(revision=current_revision(), findings=[FindingOut(**asdict(one)) for one in found])

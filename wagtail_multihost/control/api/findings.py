"""What is not as it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from wagtail_multihost.control.api.answers import answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.node_schemas import FindingOut, FindingPage
from wagtail_multihost.control.api.texts import Limit
from wagtail_multihost.control.finding_kinds import SEVERITIES, Finding
from wagtail_multihost.control.findings import find_findings

router = Router(tags=["Findings"])
#: Where a finding stands among all: its rank, and its number among those of the same rank.
Place = tuple[int, str, str, str, str, int]
PLACE = rf"^((?:{'|'.join(SEVERITIES)})(?:/[a-z0-9_-]*){{4}}/[0-9]{{1,9}})?$"
AfterFinding = Annotated[
    str, Query(pattern=PLACE, max_length=200, description="The `next` that the page before ended with.")
]


@router.get(
    "/findings",
    operation_id="list_findings",
    summary="List what is not as it should be",
    response=answers(FindingPage),
)
def list_findings(request: HttpRequest, after: AfterFinding = "", limit: Limit = 100) -> FindingPage:
    """
    The worst come first. Everybody is told of their own sites; operators of nodes, groups, waves and plans too. A page
    begins after the finding that `after` names, whether or not that is still there.
    """
    found = places(find_findings(authority_in(request)))
    start = place_in(after) if after else None
    page = [(place, one) for place, one in found if start is None or place > start][: limit + 1]
    return FindingPage(
        revision=current_revision(),
        findings=[FindingOut(**asdict(one)) for _, one in page[:limit]],
        next=text_of(page[limit - 1][0]) if len(page) > limit else None,
    )


def places(findings: Iterable[Finding]) -> Iterator[tuple[Place, Finding]]:
    """Yield findings that are in the order of their ranks, each with its place."""
    numbers: Counter[tuple[int, str, str, str, str]] = Counter()
    for one in findings:
        yield (*one.rank, numbers[one.rank]), one
        numbers[one.rank] += 1


def text_of(place: Place) -> str:
    severity, *rest = place
    return "/".join((SEVERITIES[severity], *map(str, rest)))


def place_in(text: str) -> Place:
    """Return the place that a text of the form of :data:`PLACE` names."""
    severity, subject, name, kind, node, number = text.split("/")
    return (SEVERITIES.index(severity), subject, name, kind, node, int(number))

"""Types of parameters: texts that a database can hold, and numbers that fit."""

from __future__ import annotations

from typing import Annotated

from django.http import Http404
from ninja import Path, Query
from pydantic import Field

from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.control.drafts import NO_SITE
from wagtail_multihost.spec.identifiers import SITE_ID_LENGTH, parse_hostname, shown

MOST = 500
BIGGEST = 2**63 - 1
#: No column of PostgreSQL holds a NUL. Bodies are looked at by their parser.
NO_NUL = r"^[^\x00]*$"
SiteId = Annotated[str, Path(description="The id of the site.", examples=["aurora"])]
HostnameInPath = Annotated[str, Path(description="A hostname or an alias.", examples=["www.example.org"])]
DryRun = Annotated[bool, Query(description="Check and compare, and change nothing.")]
AtOnce = Annotated[
    bool, Query(description="Give it to all nodes at once, and not in a wave: for operators, in an emergency.")
]
Limit = Annotated[int, Query(ge=1, le=MOST, description=f"At most so many; {MOST} is the most.")]
WHY = "Why: it is kept with the change."
Reason = Annotated[str, Field(max_length=REASON_LENGTH, description=WHY, examples=["a new customer"])]
ReasonInQuery = Annotated[str, Query(max_length=REASON_LENGTH, pattern=NO_NUL, description=WHY)]
IdText = Annotated[str, Field(max_length=SITE_ID_LENGTH, description="The id of the site.", examples=["aurora"])]


def hostname_or_404(name: str) -> str:
    """Return a hostname of a path in lower case. What is no hostname is no site's."""
    try:
        return parse_hostname(name)
    except ValueError:
        raise no_hostname(name) from None


def no_site() -> Http404:
    return Http404(NO_SITE)


def no_hostname(name: str) -> Http404:
    return Http404(f"There is no hostname {shown(name)} here.")

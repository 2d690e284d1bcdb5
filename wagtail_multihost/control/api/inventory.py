"""What sites run: the versions of Python, Django, Wagtail and all packages, as their processes say themselves."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from wagtail_multihost.control.api.answers import answers
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.problems import UNPROCESSABLE, RefusedRequestError
from wagtail_multihost.control.api.schemas import WHEN
from wagtail_multihost.control.api.sites import AfterId, get_site
from wagtail_multihost.control.api.texts import NO_NUL, Limit, SiteId
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.inventory import (
    Advisory,
    ShownPackage,
    SiteInventory,
    find_inventories,
    sites_running,
    vulnerable_sites,
)
from wagtail_multihost.control.package_versions import parse_package
from wagtail_multihost.control.releases import Mark, MarkKind, current_releases
from wagtail_multihost.nodeapi.version_file import NAME_LENGTH, VERSION_LENGTH

router = Router(tags=["Inventory"])
PackageText = Annotated[
    str,
    Query(pattern=NO_NUL, max_length=NAME_LENGTH, description="Only sites with this package.", examples=["django"]),
]
OlderText = Annotated[
    str,
    Query(
        pattern=NO_NUL,
        max_length=VERSION_LENGTH,
        description="Only those with an older version of it: with `package`.",
        examples=["5.2.8"],
    ),
]
VulnerableOnly = Annotated[bool, Query(description="Only sites with a known vulnerability.")]
NO_PACKAGE = "State the package that is to be older."


class MarkOut(Schema):
    """What is to be said of a version, from the operator's file of releases."""

    kind: MarkKind
    latest: str = Field(description="The newer patch release; else blank.", examples=["5.2.8"])
    end: date | None = Field(description="Until when its release is maintained.")
    lts: bool


class AdvisoryOut(Schema):
    """A known vulnerability of a version."""

    id: str = Field(examples=["PYSEC-2025-1"])
    aliases: list[str]
    fixed_in: list[str]


class PackageOut(Schema):
    """A package with its version."""

    name: str = Field(examples=["django"])
    version: str = Field(examples=["5.2.7"])
    marks: list[MarkOut]
    vulnerabilities: list[AdvisoryOut]


class OnNodeOut(Schema):
    """What a site runs on a node."""

    node: str = Field(examples=["web1"])
    seen_at: datetime = Field(description="When the node said it last.", examples=[WHEN])
    dropped: int = Field(description="How many packages were not listed: too many, or without the form of a version.")
    packages: list[PackageOut]


class SiteInventoryOut(Schema):
    """What a site runs."""

    site: str = Field(description="The id of the site.", examples=["aurora"])
    nodes: list[OnNodeOut]


class InventoryPage(Schema):
    """Sites in the order of their ids."""

    sites: list[SiteInventoryOut]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last.")


@router.get("/inventory", operation_id="list_inventory", summary="List what sites run", response=answers(InventoryPage))
def list_inventory(
    request: HttpRequest,
    package: PackageText = "",
    older_than: OlderText = "",
    vulnerable: VulnerableOnly = False,
    after: AfterId = "",
    limit: Limit = 100,
) -> InventoryPage:
    """
    Of each site Python, Django, Wagtail and the `package`. The processes of sites say it themselves: a site can say
    what it likes of itself. All packages of a site are below `/sites/{identifier}/inventory`.
    """
    sites = visible_sites(authority_in(request))
    try:
        if package:
            sites = sites_running(sites, package, older_than)
        elif older_than:
            raise RefusedRequestError(UNPROCESSABLE, NO_PACKAGE)
        wanted = parse_package(package) if package else ""
    except ValueError as error:
        raise RefusedRequestError(UNPROCESSABLE, str(error)) from None
    if vulnerable:
        sites = vulnerable_sites(sites)
    found = sites.filter(identifier__gt=after).order_by("identifier").defer("record")
    page = [*found[: limit + 1]]
    names = {site.uid: site.identifier for site in page[:limit]}
    inventories = find_inventories(names.keys(), current_releases(), database_time().date())
    return InventoryPage(
        sites=[
            SiteInventoryOut(
                site=name, nodes=[on_node_out(one, listed(one, wanted)) for one in inventories.get(uid, ())]
            )
            for uid, name in names.items()
        ],
        next=page[limit - 1].identifier if len(page) > limit else None,
    )


@router.get(
    "/sites/{identifier}/inventory",
    operation_id="get_inventory",
    summary="Read what a site runs",
    response=answers(SiteInventoryOut, 404),
)
def read_inventory(request: HttpRequest, identifier: SiteId) -> SiteInventoryOut:
    """All packages, on each node that has said it."""
    site = get_site(authority_in(request), identifier)
    found = find_inventories([site.uid], current_releases(), database_time().date())
    return SiteInventoryOut(
        site=site.identifier, nodes=[on_node_out(one, one.packages) for one in found.get(site.uid, ())]
    )


def listed(found: SiteInventory, wanted: str) -> list[ShownPackage]:
    """Return the packages that are listed of a site: the main ones, the wanted one, and those with advisories."""
    return [one for one in found.packages if one in found.main or one.name == wanted or one.advisories]


def on_node_out(found: SiteInventory, packages: list[ShownPackage] | tuple[ShownPackage, ...]) -> OnNodeOut:
    return OnNodeOut(
        node=found.node,
        seen_at=found.seen_at,
        dropped=found.dropped,
        packages=[package_out(package) for package in packages],
    )


def package_out(package: ShownPackage) -> PackageOut:
    return PackageOut(
        name=package.name,
        version=package.version,
        marks=[mark_out(mark) for mark in package.marks],
        vulnerabilities=[advisory_out(advisory) for advisory in package.advisories],
    )


def mark_out(mark: Mark) -> MarkOut:
    return MarkOut(kind=mark.kind, latest=mark.latest, end=mark.end, lts=mark.is_lts)


def advisory_out(advisory: Advisory) -> AdvisoryOut:
    return AdvisoryOut(id=advisory.advisory, aliases=[*advisory.aliases], fixed_in=[*advisory.fixed_in])

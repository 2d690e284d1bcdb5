"""What is placed where, and plans that move it: for operators of the platform alone."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpRequest
from ninja import Path, Query, Router, Status

from wagtail_multihost.control.api.answers import WITH_BODY, answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in, refuse_unseeing
from wagtail_multihost.control.api.node_schemas import (
    MoveOut,
    Placed,
    PlacementOut,
    PlacementPage,
    PlanBody,
    PlanChanged,
    PlanList,
    PlanOut,
    PlanSummary,
)
from wagtail_multihost.control.api.nodes import NodeId, find_node
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import NO_NUL, Limit, ReasonInQuery, SiteId
from wagtail_multihost.control.models import Placement, Plan
from wagtail_multihost.control.nodes import refuse_others
from wagtail_multihost.control.placing.by_hand import place_by_hand, take_by_hand
from wagtail_multihost.control.placing.plans import apply_plan, cancel_plan, make_plan
from wagtail_multihost.spec.identifiers import NODE_LENGTH, SITE_ID_LENGTH

router = Router(tags=["Placement"])
PlanId = Annotated[UUID, Path(description="The id of the plan.")]
SiteText = Annotated[str, Query(pattern=NO_NUL, max_length=SITE_ID_LENGTH, description="Of one site alone.")]
NodeText = Annotated[str, Query(pattern=NO_NUL, max_length=NODE_LENGTH, description="On one node alone.")]
AfterText = Annotated[
    str,
    Query(
        pattern=NO_NUL,
        max_length=SITE_ID_LENGTH + NODE_LENGTH + 1,
        description="The site and the node, with a slash, that the page before ended with.",
    ),
]
MOST_PLANS = 100


@router.get(
    "/placements",
    operation_id="list_placements",
    summary="List what is placed where",
    response=answers(PlacementPage, 404),
)
def list_placements(
    request: HttpRequest, site: SiteText = "", node: NodeText = "", after: AfterText = "", limit: Limit = 100
) -> PlacementPage:
    """In the order of sites, then of nodes. Nodes of groups that hold all sites are not among them."""
    refuse_unseeing(authority_in(request))
    rows = Placement.objects.filter(site__retired_at=None).select_related("site")
    if site:
        rows = rows.filter(site__identifier=site)
    if node:
        rows = rows.filter(node=node)
    if after:
        last, _, on = after.partition("/")
        rows = rows.filter(Q(site__identifier__gt=last) | Q(site__identifier=last, node__gt=on))
    page = [*rows.order_by("site__identifier", "node")[: limit + 1]]
    found = [placement_out(row) for row in page[:limit]]
    return PlacementPage(placements=found, next=f"{found[-1].site}/{found[-1].node}" if len(page) > limit else None)


def placement_out(row: Placement) -> PlacementOut:
    return PlacementOut(
        site=row.site.identifier,
        uid=row.site_id,
        node=row.node_id,
        is_serving=row.is_serving,
        is_leaving=row.is_leaving,
        is_gone=row.is_gone,
        revision=row.revision,
    )


@router.put(
    "/nodes/{node}/sites/{identifier}",
    operation_id="place_site",
    summary="Place a site on a node by hand",
    response=answers(Placed, 404, 409),
)
def place_site(request: HttpRequest, node: NodeId, identifier: SiteId, reason: ReasonInQuery = "") -> Placed:
    """What plans leave to people. It is refused for a site with a part on its node that is placed on another one."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    refuse_others(authority)
    place_by_hand(authority, get_site(authority, identifier), existing_node(node), reason=reason)
    return Placed(revision=current_revision())


@router.delete(
    "/nodes/{node}/sites/{identifier}",
    operation_id="take_site",
    summary="Take a site from a node by hand",
    response=answers(Placed, 404, 409),
)
def take_site(request: HttpRequest, node: NodeId, identifier: SiteId, reason: ReasonInQuery = "") -> Placed:
    """At once. It is refused for an enabled site that no other node serves, unless the node is silent."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    refuse_others(authority)
    take_by_hand(authority, get_site(authority, identifier), existing_node(node), reason=reason)
    return Placed(revision=current_revision())


def existing_node(identifier: str) -> str:
    """Return the id of a node that there is; raises Http404."""
    if find_node(identifier) is None:
        raise Http404
    return identifier


@router.get("/placements/plans", operation_id="list_plans", summary="List the plans", response=answers(PlanList, 404))
def list_plans(request: HttpRequest) -> PlanList:
    """The latest come first."""
    refuse_unseeing(authority_in(request))
    return PlanList(plans=[PlanSummary.from_orm(plan) for plan in Plan.objects.all()[:MOST_PLANS]])


@router.post(
    "/placements/plans",
    operation_id="make_plan",
    summary="Propose moves",
    response=answers(PlanChanged, 404, *WITH_BODY, status=201),
)
def propose_plan(request: HttpRequest, body: PlanBody) -> Status[PlanChanged]:
    """Nothing moves before the plan is applied."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    values = body.model_dump()
    return Status(201, plan_changed(make_plan(authority, values.pop("kind"), values.pop("node"), **values)))


@router.get(
    "/placements/plans/{identifier}", operation_id="get_plan", summary="Read a plan", response=answers(PlanOut, 404)
)
def read_plan(request: HttpRequest, identifier: PlanId) -> PlanOut:
    """With its moves, how far each is, and what it does not move."""
    refuse_unseeing(authority_in(request))
    return plan_out(find_plan(identifier))


@router.post(
    "/placements/plans/{identifier}/apply",
    operation_id="apply_plan",
    summary="Let a plan be carried out",
    response=answers(PlanChanged, 404, 409),
)
def start_plan(request: HttpRequest, identifier: PlanId) -> PlanChanged:
    """
    It is refused where nodes or placements have changed since it was proposed, and while another plan is under way. One
    that has stopped goes on.
    """
    authority = authority_in(request)
    refuse_unseeing(authority)
    refuse_others(authority)
    find_plan(identifier)
    return plan_changed(apply_plan(authority, identifier))


@router.post(
    "/placements/plans/{identifier}/cancel",
    operation_id="cancel_plan",
    summary="End a plan",
    response=answers(PlanChanged, 404, 409),
)
def end_plan(request: HttpRequest, identifier: PlanId) -> PlanChanged:
    """What has moved stays there; a site that was on its way is on both nodes."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    refuse_others(authority)
    find_plan(identifier)
    return plan_changed(cancel_plan(authority, identifier))


def find_plan(identifier: UUID) -> Plan:
    plan = Plan.objects.filter(pk=identifier).first()
    if plan is None:
        raise Http404
    return plan


def plan_out(plan: Plan) -> PlanOut:
    moves = [
        MoveOut(
            site=move.site.identifier, **{key: getattr(move, key) for key in ("source", "target", "why", "state", "at")}
        )
        for move in plan.moves.select_related("site")
    ]
    return PlanOut(**PlanSummary.from_orm(plan).model_dump(), moves=moves, left=plan.left)


def plan_changed(plan: Plan) -> PlanChanged:
    return PlanChanged(revision=current_revision(), plan=plan_out(plan))

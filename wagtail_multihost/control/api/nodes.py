"""Nodes and their groups: for operators of the platform alone."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Path, Router, Status

from wagtail_multihost.control.api.answers import WITH_BODY, answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in, refuse_unseeing
from wagtail_multihost.control.api.conditions import EXISTS, NONE, NOT_READ, IfMatch, IfNoneMatch, etag_of, only_new
from wagtail_multihost.control.api.conditions import expected_generation as expected_revision
from wagtail_multihost.control.api.node_schemas import (
    GroupBody,
    GroupChanged,
    GroupList,
    GroupOut,
    NodeBody,
    NodeChanged,
    NodeList,
    NodeOut,
    Removed,
    ReportOut,
)
from wagtail_multihost.control.api.problems import PRECONDITION_FAILED, PRECONDITION_REQUIRED, RefusedRequestError
from wagtail_multihost.control.api.texts import ReasonInQuery
from wagtail_multihost.control.models import NodeGroup, Report
from wagtail_multihost.control.node_status import all_nodes, sites_on
from wagtail_multihost.control.nodes import refuse_others, remove_group, remove_node, save_group, save_node
from wagtail_multihost.spec.identifiers import NODE_LENGTH, is_slug

router = Router(tags=["Nodes"])
NodeId = Annotated[str, Path(description="The id of the node.", examples=["web1"])]
GroupId = Annotated[str, Path(description="The id of the group.", examples=["web"])]


def is_id(identifier: str) -> bool:
    return len(identifier) <= NODE_LENGTH and is_slug(identifier)


def find_node(identifier: str) -> Any:
    return all_nodes().filter(pk=identifier).first() if is_id(identifier) else None


def find_group(identifier: str) -> NodeGroup | None:
    return NodeGroup.objects.filter(pk=identifier).first() if is_id(identifier) else None


def node_out(node: Any) -> NodeOut:
    report = getattr(node, "report", None)
    return NodeOut(
        id=node.pk,
        group=node.group_id,
        **{key: getattr(node, key) for key in ("address", "zone", "weight", "state", "is_transient", "joined_at")},
        sites=sites_on(node),
        revision=node.revision,
        report=None if report is None else report_out(report),
    )


def report_out(report: Report) -> ReportOut:
    """Return what a node said, which may be anything."""
    return ReportOut(
        applied=report.applied,
        seen_at=report.seen_at,
        version=report.version,
        conditions=report.conditions if isinstance(report.conditions, list) else [],
        sites=report.sites if isinstance(report.sites, dict) else {},
    )


def stated(body: NodeBody | GroupBody) -> dict[str, Any]:
    values = body.model_dump(exclude_none=True)
    return {key: value for key, value in values.items() if key != "reason"}


def expectation_of(row: Any, values: dict[str, Any], if_match: str | None) -> int | None:
    """
    Return the revision that a change must find, None for any. What changes nothing needs no If-Match; if somebody else
    changes it meanwhile, it must not be changed back.
    """
    if if_match is not None:
        return expected_revision(if_match, row.revision)
    if any(getattr(row, "group_id" if key == "group" else key) != value for key, value in values.items()):
        raise RefusedRequestError(PRECONDITION_REQUIRED, NOT_READ)
    return int(row.revision)


def expectation_of_new(row: Any, values: dict[str, Any], if_match: str | None, if_none_match: str | None) -> int | None:
    """Return the same where there may be none: then nobody may make one meanwhile."""
    if row is None:
        if if_match is not None:
            raise RefusedRequestError(PRECONDITION_FAILED, NONE)
        return 0
    if only_new(if_none_match):
        raise RefusedRequestError(PRECONDITION_FAILED, EXISTS)
    return expectation_of(row, values, if_match)


@router.get("/nodes", operation_id="list_nodes", summary="List the nodes", response=answers(NodeList, 404))
def list_nodes(request: HttpRequest) -> NodeList:
    """In the order of their ids, each with what it said last."""
    refuse_unseeing(authority_in(request))
    return NodeList(nodes=[node_out(node) for node in all_nodes()])


@router.get("/nodes/{identifier}", operation_id="get_node", summary="Read a node", response=answers(NodeOut, 404))
def read_node(request: HttpRequest, response: HttpResponse, identifier: NodeId) -> NodeOut:
    """The `ETag` is the revision of its last change, which a change states in `If-Match`."""
    refuse_unseeing(authority_in(request))
    node = find_node(identifier)
    if node is None:
        raise Http404
    response["ETag"] = etag_of(node.revision)
    return node_out(node)


@router.put(
    "/nodes/{identifier}",
    operation_id="put_node",
    summary="Create a node, or change it",
    response={201: NodeChanged, **answers(NodeChanged, 404, 412, 428, *WITH_BODY)},
)
def put_node(
    request: HttpRequest,
    response: HttpResponse,
    identifier: NodeId,
    body: NodeBody,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Status[NodeChanged]:
    """A new one needs a `group`. The same again changes nothing and needs no `If-Match`."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    refuse_others(authority)
    before = find_node(identifier)
    values = stated(body)
    expected = expectation_of_new(before, values, if_match, if_none_match)
    save_node(authority, identifier, values.pop("group", None), expected=expected, reason=body.reason, **values)
    return Status(200 if before else 201, node_changed(response, identifier))


@router.patch(
    "/nodes/{identifier}",
    operation_id="patch_node",
    summary="Change a node",
    response=answers(NodeChanged, 404, 412, 428, *WITH_BODY),
)
def patch_node(
    request: HttpRequest, response: HttpResponse, identifier: NodeId, body: NodeBody, if_match: IfMatch = None
) -> NodeChanged:
    """
    With the state `draining` it is asked no longer. That is refused while some site is served by no other node: a plan
    of the kind `drain` moves them first.
    """
    authority = authority_in(request)
    refuse_unseeing(authority)
    refuse_others(authority)
    before = find_node(identifier)
    if before is None:
        raise Http404
    values = stated(body)
    expected = expectation_of(before, values, if_match)
    save_node(authority, identifier, values.pop("group", None), expected=expected, reason=body.reason, **values)
    return node_changed(response, identifier)


@router.delete(
    "/nodes/{identifier}",
    operation_id="remove_node",
    summary="Remove a node",
    response=answers(Removed, 400, 404, 409, 412, 428),
)
def delete_node(
    request: HttpRequest, identifier: NodeId, if_match: IfMatch = None, reason: ReasonInQuery = ""
) -> Removed:
    """Only one that is away, and on which nothing is placed. Its login ends, and its machine keeps what it has."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    refuse_others(authority)
    node = find_node(identifier)
    if node is None:
        raise Http404
    remove_node(authority, identifier, expected=expected_revision(if_match, node.revision), reason=reason)
    return Removed(revision=current_revision())


def node_changed(response: HttpResponse, identifier: str) -> NodeChanged:
    node = find_node(identifier)
    if node is None:
        raise Http404
    response["ETag"] = etag_of(node.revision)
    return NodeChanged(revision=current_revision(), node=node_out(node))


@router.get("/groups", operation_id="list_groups", summary="List the groups of nodes", response=answers(GroupList, 404))
def list_groups(request: HttpRequest) -> GroupList:
    """In the order of their ids."""
    refuse_unseeing(authority_in(request))
    return GroupList(groups=[GroupOut.from_orm(group) for group in NodeGroup.objects.all()])


@router.get("/groups/{identifier}", operation_id="get_group", summary="Read a group", response=answers(GroupOut, 404))
def read_group(request: HttpRequest, response: HttpResponse, identifier: GroupId) -> GroupOut:
    """The `ETag` is the revision of its last change, which a change states in `If-Match`."""
    refuse_unseeing(authority_in(request))
    group = find_group(identifier)
    if group is None:
        raise Http404
    response["ETag"] = etag_of(group.revision)
    return GroupOut.from_orm(group)


@router.put(
    "/groups/{identifier}",
    operation_id="put_group",
    summary="Create a group of nodes, or change it",
    response={201: GroupChanged, **answers(GroupChanged, 404, 412, 428, *WITH_BODY)},
)
def put_group(
    request: HttpRequest,
    response: HttpResponse,
    identifier: GroupId,
    body: GroupBody,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Status[GroupChanged]:
    """A new one holds all sites unless it states something else. The same again needs no `If-Match`."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    refuse_others(authority)
    before = find_group(identifier)
    values = stated(body)
    expected = expectation_of_new(before, values, if_match, if_none_match)
    group = save_group(authority, identifier, expected=expected, reason=body.reason, **values)
    return Status(200 if before else 201, group_changed(response, group))


@router.patch(
    "/groups/{identifier}",
    operation_id="patch_group",
    summary="Change a group of nodes",
    response=answers(GroupChanged, 404, 412, 428, *WITH_BODY),
)
def patch_group(
    request: HttpRequest, response: HttpResponse, identifier: GroupId, body: GroupBody, if_match: IfMatch = None
) -> GroupChanged:
    """What it holds cannot change while sites are placed on its nodes. Another number of replicas moves nothing yet."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    refuse_others(authority)
    before = find_group(identifier)
    if before is None:
        raise Http404
    values = stated(body)
    expected = expectation_of(before, values, if_match)
    group = save_group(authority, identifier, expected=expected, reason=body.reason, **values)
    return group_changed(response, group)


@router.delete(
    "/groups/{identifier}",
    operation_id="remove_group",
    summary="Remove a group of nodes",
    response=answers(Removed, 400, 404, 409, 412, 428),
)
def delete_group(
    request: HttpRequest, identifier: GroupId, if_match: IfMatch = None, reason: ReasonInQuery = ""
) -> Removed:
    """Only one without nodes that no site names. Its tokens end."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    refuse_others(authority)
    group = find_group(identifier)
    if group is None:
        raise Http404
    remove_group(authority, identifier, expected=expected_revision(if_match, group.revision), reason=reason)
    return Removed(revision=current_revision())


def group_changed(response: HttpResponse, group: NodeGroup) -> GroupChanged:
    response["ETag"] = etag_of(group.revision)
    return GroupChanged(revision=current_revision(), group=GroupOut.from_orm(group))

"""Which nodes have a change: who made one asks until all have, and may wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router
from ninja.errors import AuthenticationError

from wagtail_multihost.control.api.answers import answers
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.events import LONGEST_WAIT, WaitingTokenAuth, authenticate
from wagtail_multihost.control.api.problems import RETRY_SECONDS
from wagtail_multihost.control.api.schemas import (
    ConditionOut,
    NodeSyncOut,
    SiteOnNodeOut,
    SiteStatusOut,
    SyncOut,
)
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import BIGGEST, SiteId
from wagtail_multihost.control.api.threads import release_request_thread, run_for
from wagtail_multihost.control.api.waiting import waiting_room
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.node_status import NodeRow, SiteOnNode, site_status, sync_status

Answer = TypeVar("Answer", SyncOut, SiteStatusOut)
#: However much nodes say, so often at most it is looked again for each request that waits.
LEAST_SECONDS = 0.5
ForRevision = Annotated[
    int | None, Query(ge=0, le=BIGGEST, description="The revision to ask for, such as that of a change's answer.")
]
Wait = Annotated[
    int,
    Query(
        ge=0,
        le=LONGEST_WAIT,
        description="How many seconds to wait until all have it. Where no more requests may wait, the answer comes at "
        "once, with Retry-After.",
    ),
]
router = Router(tags=["Nodes"], auth=WaitingTokenAuth())


@router.get(
    "/sync", operation_id="get_sync", summary="Read which nodes have a revision", response=answers(SyncOut, 404)
)
async def read_sync(
    request: HttpRequest, response: HttpResponse, revision: ForRevision = None, wait: Wait = 0
) -> SyncOut:
    """For those who may see all sites. Without a revision it is the registry's."""
    return await answer_once_synced(request, response, wait, partial(sync_out, revision=revision))


@router.get(
    "/sites/{identifier}/status",
    operation_id="get_site_status",
    summary="Read how a site is on its nodes",
    response=answers(SiteStatusOut, 404),
)
async def read_site_status(
    request: HttpRequest,
    response: HttpResponse,
    identifier: SiteId,
    revision: ForRevision = None,
    wait: Wait = 0,
) -> SiteStatusOut:
    """Without a revision it is that of the site's last change."""
    read = partial(site_status_out, identifier=identifier, revision=revision)
    return await answer_once_synced(request, response, wait, read)


async def answer_once_synced(
    request: HttpRequest, response: HttpResponse, wait: int, read: Callable[[Authority], Answer]
) -> Answer:
    """Return what ``read`` returns, as soon as that is synced or ``wait`` seconds are over."""
    # Before it is read: what nodes say while it is, or right after, is news.
    news = waiting_room().news
    answer = await run_for(request, partial(read, authority_in(request)))
    if answer.synced or not wait:
        return answer
    if isinstance(request, ASGIRequest):
        with waiting_room().place(authority_in(request).actor) as has_place:
            if has_place:
                return await wait_for_answer(request, answer, news, time.monotonic() + wait, read)
    response["Retry-After"] = str(RETRY_SECONDS)
    return answer


async def wait_for_answer(
    request: HttpRequest, answer: Answer, news: int, deadline: float, read: Callable[[Authority], Answer]
) -> Answer:
    await release_request_thread()
    room = waiting_room()
    while not answer.synced and await room.wait_for_news(news, deadline - time.monotonic()):
        news = room.news
        answer = await run_for(request, partial(read_again, request, read))
        await asyncio.sleep(0 if answer.synced else LEAST_SECONDS)
    return answer


def read_again(request: HttpRequest, read: Callable[[Authority], Answer]) -> Answer:
    """Return an answer for what the token may see by now."""
    authority = authenticate(request)
    if authority is None:
        raise AuthenticationError
    return read(authority)


def sync_out(authority: Authority, revision: int | None) -> SyncOut:
    if not authority.sees_all:
        raise Http404
    found = sync_status(revision)
    nodes = [node_out(one.node, has_it=one.has_it, why=one.why) for one in found.nodes]
    return SyncOut(revision=found.revision, head=found.head, at=found.at, synced=found.synced, nodes=nodes)


def site_status_out(authority: Authority, identifier: str, revision: int | None) -> SiteStatusOut:
    found = site_status(get_site(authority, identifier), revision)
    return SiteStatusOut(
        revision=found.revision,
        head=found.head,
        at=found.at,
        synced=found.synced,
        nodes=[site_on_node_out(authority, one) for one in found.nodes],
    )


def node_out(node: NodeRow, *, has_it: bool, why: str) -> NodeSyncOut:
    return NodeSyncOut(
        id=node.id,
        group=node.group,
        state=node.state,
        asked=node.is_asked,
        applied=node.applied,
        seen_at=node.seen_at,
        has_it=has_it,
        why=why,
        held_back=node.held_back,
    )


def site_on_node_out(authority: Authority, one: SiteOnNode) -> SiteOnNodeOut:
    """Return a site on a node. What the node says in its own words may name other sites, and paths."""
    sees = authority.sees_all
    return SiteOnNodeOut(
        **node_out(one.node, has_it=one.has_it, why=one.why).dict(),
        since=one.since,
        refused=one.refused if sees else "",
        conditions=[ConditionOut.model_validate(condition) for condition in one.node.wrong] if sees else [],
    )

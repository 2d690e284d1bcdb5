"""Events: who has read up to a revision asks for what came after it, and may wait for it."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Annotated

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from ninja.errors import AuthenticationError

from wagtail_multihost.control.actors import shown_actor
from wagtail_multihost.control.api.answers import answers
from wagtail_multihost.control.api.authentication import TokenAuth, authority_in
from wagtail_multihost.control.api.problems import GONE, RETRY_SECONDS, RefusedRequestError
from wagtail_multihost.control.api.schemas import EventOut, EventPage
from wagtail_multihost.control.api.texts import BIGGEST, Limit
from wagtail_multihost.control.api.threads import release_request_thread, run_for
from wagtail_multihost.control.api.waiting import LEAST_SECONDS, waiting_room
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.guard import visible_events
from wagtail_multihost.control.models import Event, Head

LONGEST_WAIT = 25
After = Annotated[
    int | None,
    Query(ge=0, le=BIGGEST, description="The revision up to which everything was read; without it, all events come."),
]
Wait = Annotated[
    int,
    Query(
        ge=0,
        le=LONGEST_WAIT,
        description="How many seconds to wait for an event if there is none yet. Where no more requests may wait, the "
        "answer comes at once, with Retry-After.",
    ),
]
PRUNED = "Events before {oldest} are not kept any more. Read everything again, then go on after {revision}."
AHEAD = "The registry has the revision {revision}, which is lower: it was restored. Read everything again."
authenticate = TokenAuth()


class WaitingTokenAuth(TokenAuth):
    """The same without a thread that stays with the request."""

    async def __call__(self, request: HttpRequest) -> Authority | None:
        return await run_for(request, partial(authenticate.__call__, request))


router = Router(tags=["Events"], auth=WaitingTokenAuth())


@router.get("/events", operation_id="list_events", summary="Read what changed", response=answers(EventPage, 410))
async def list_events(
    request: HttpRequest, response: HttpResponse, after: After = None, limit: Limit = 100, wait: Wait = 0
) -> EventPage:
    """
    Events have no gaps for those who may see all sites; others get those of their sites. Start with the sites, and
    give the `next` of each answer as `after`.
    """
    page = await run_for(request, partial(read_page, authority_in(request), after, limit))
    if page.events or not wait:
        return page
    if isinstance(request, ASGIRequest):
        room = waiting_room()
        with room.place(authority_in(request).actor) as has_place:
            if has_place:
                return await wait_for_page(request, page, limit, time.monotonic() + wait)
    response["Retry-After"] = str(RETRY_SECONDS)
    return page


async def wait_for_page(request: HttpRequest, page: EventPage, limit: int, deadline: float) -> EventPage:
    """Return the first page that has events, or the last one that was read before the ``deadline``."""
    await release_request_thread()
    room = waiting_room()
    while not page.events and await room.wait_for_change(page.next, deadline - time.monotonic()):
        page = await run_for(request, partial(read_page_again, request, page.next, limit))
        # A database that was restored may have less than is known here, until that is noticed too.
        await asyncio.sleep(0 if page.events else LEAST_SECONDS)
    return page


def read_page_again(request: HttpRequest, after: int, limit: int) -> EventPage:
    """Return a page for what the token may see by now."""
    authority = authenticate(request)
    if authority is None:
        raise AuthenticationError
    return read_page(authority, after, limit)


def read_page(authority: Authority, after: int | None, limit: int) -> EventPage:
    """Return the events after a revision. Raises RefusedRequestError if some of them are there no more."""
    head = Head.objects.get(pk=1)
    start = head.oldest - 1 if after is None else after
    if start < head.oldest - 1:
        raise RefusedRequestError(GONE, PRUNED.format(oldest=head.oldest, revision=head.revision))
    if start > head.revision:
        raise RefusedRequestError(GONE, AHEAD.format(revision=head.revision))
    # Not beyond the head that was read: an event that came since has its place after it.
    found = visible_events(authority).filter(revision__gt=start, revision__lte=head.revision)
    events = [event_out(authority, event) for event in found.order_by("revision")[:limit]]
    return EventPage(
        incarnation=head.incarnation,
        revision=head.revision,
        oldest=head.oldest,
        events=events,
        next=events[-1].revision if len(events) == limit else head.revision,
    )


def event_out(authority: Authority, event: Event) -> EventOut:
    return EventOut(
        revision=event.revision,
        type=event.type,
        at=event.at,
        site=event.site or None,
        uid=event.uid,
        generation=event.generation,
        actor=shown_actor(authority, event.actor),
        request=event.request,
        metadata=event.metadata,
    )

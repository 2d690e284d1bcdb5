"""Notes that people write about a site."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from wagtail_multihost.control.api.answers import WITH_BODY, answers
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.schemas import NoteAdded, NoteBody, NoteOut, NotePage
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import BIGGEST, NEEDS_CHANGE, Limit, SiteId
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.models import CHANGE, Head, Note
from wagtail_multihost.control.people import known_people

router = Router(tags=["Notes"])
Before = Annotated[
    int | None, Query(ge=0, le=BIGGEST, description="Only what was written before the one with this number.")
]


@router.get(
    "/sites/{identifier}/notes",
    operation_id="list_notes",
    summary="Read the notes about a site",
    response=answers(NotePage, 404),
)
def list_notes(request: HttpRequest, identifier: SiteId, before: Before = None, limit: Limit = 100) -> NotePage:
    """The latest come first. The author is blank where it is someone with whom the token's user shares no group."""
    authority = authority_in(request)
    site = get_site(authority, identifier)
    found = Note.objects.filter(site=site).select_related("author").order_by("-pk")
    page = [*(found if before is None else found.filter(pk__lt=before))[: limit + 1]]
    known = set(known_people(authority).filter(pk__in={note.author_id for note in page}).values_list("pk", flat=True))
    return NotePage(
        notes=[NoteOut(**note_fields(note, is_told=note.author_id in known)) for note in page[:limit]],
        next=page[limit - 1].pk if len(page) > limit else None,
    )


@router.post(
    "/sites/{identifier}/notes",
    operation_id="add_note",
    summary="Write a note about a site",
    response=answers(NoteAdded, 404, *WITH_BODY, status=201),
)
def add_note(request: HttpRequest, identifier: SiteId, body: NoteBody) -> Status[NoteAdded]:
    """It is kept under the name of the token's user."""
    authority = authority_in(request)
    site = get_site(authority, identifier)
    if not authority.may(CHANGE, site.uid):
        raise NotAllowedError.because(NEEDS_CHANGE, where=f"Site {site.identifier}", site=site.identifier)
    note = Note.objects.create(site=site, author_id=authority.user, text=body.text)
    return Status(201, NoteAdded(**note_fields(note, is_told=True), revision=Head.objects.get(pk=1).revision))


def note_fields(note: Note, *, is_told: bool) -> dict[str, Any]:
    author = note.author.get_username() if note.author and is_told else ""
    return {"id": note.pk, "author": author, "text": note.text, "at": note.at}

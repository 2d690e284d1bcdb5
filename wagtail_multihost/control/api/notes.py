"""Notes that people write about a site."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router, Status

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.api.answers import WITH_BODY, answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.schemas import NoteAdded, NoteBody, NoteOut, NotePage
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import BIGGEST, Limit, SiteId
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.drafts import NEEDS_CHANGE
from wagtail_multihost.control.models import CHANGE, Note

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
    """The latest come first."""
    authority = authority_in(request)
    site = get_site(authority, identifier)
    found = Note.objects.filter(site=site).order_by("-pk")
    page = [*(found if before is None else found.filter(pk__lt=before))[: limit + 1]]
    return NotePage(
        notes=notes_out(authority, page[:limit]),
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
    (shown,) = notes_out(authority, [note])
    return Status(201, NoteAdded(**shown.model_dump(), revision=current_revision()))


def notes_out(authority: Authority, notes: Iterable[Note]) -> list[NoteOut]:
    """Return notes with the names of those authors who may be named to whoever asks."""
    found = list(notes)
    names = names_of_actors(authority, [f"user:{note.author_id}" for note in found if note.author_id])
    return [
        NoteOut(id=note.pk, author=names.get(f"user:{note.author_id}", ""), text=note.text, at=note.at)
        for note in found
    ]

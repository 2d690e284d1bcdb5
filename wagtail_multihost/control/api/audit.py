"""The audit log: who changed what, and what was there before."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Query, Router
from wagtail.models import ModelLogEntry

from wagtail_multihost.control.actors import shown_actor
from wagtail_multihost.control.api.answers import answers, differences_out
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.notes import Before
from wagtail_multihost.control.api.schemas import AuditOut, AuditPage
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import NO_NUL, Limit
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.nodeapi.event_types import OF_RECORDS
from wagtail_multihost.spec.identifiers import SITE_ID_LENGTH

router = Router(tags=["Audit"])
PREFIX = "multihost."
OneSite = Annotated[str, Query(pattern=NO_NUL, max_length=SITE_ID_LENGTH, description="The id of one site alone.")]
OF_REGISTRY = [f"{PREFIX}{event}" for event in OF_RECORDS]


@router.get("/audit", operation_id="list_audit", summary="Read the audit log", response=answers(AuditPage, 404))
def list_audit(
    request: HttpRequest,
    site: OneSite = "",
    before: Before = None,
    limit: Limit = 100,
) -> AuditPage:
    """
    The latest come first. Who may see all sites gets everything; others get the changes of their sites' records.
    """
    authority = authority_in(request)
    found = visible_entries(authority)
    if site:
        found = entries_of([get_site(authority, site).uid], found)
    if before is not None:
        found = found.filter(pk__lt=before)
    page = [*found.order_by("-pk")[: limit + 1]]
    kind = ContentType.objects.get_for_model(ManagedSite)
    return AuditPage(
        entries=[entry_out(authority, entry, is_site=entry.content_type_id == kind.pk) for entry in page[:limit]],
        next=page[limit - 1].pk if len(page) > limit else None,
    )


def visible_entries(authority: Authority) -> QuerySet[Any]:
    entries: QuerySet[Any] = ModelLogEntry.objects.filter(action__startswith=PREFIX)
    if authority.visible is None:
        return entries
    return entries_of(authority.visible, entries.filter(action__in=OF_REGISTRY))


def entries_of(sites: Any, entries: QuerySet[Any]) -> QuerySet[Any]:
    kind = ContentType.objects.get_for_model(ManagedSite)
    return entries.filter(content_type=kind, object_id__in=[str(uid) for uid in sites])


def entry_out(authority: Authority, entry: Any, *, is_site: bool) -> AuditOut:
    data = entry.data
    return AuditOut(
        id=entry.pk,
        action=entry.action.removeprefix(PREFIX),
        at=entry.timestamp,
        label=entry.label,
        uid=UUID(entry.object_id) if is_site else None,
        actor=shown_actor(authority, data.get("actor", "")),
        revision=data.get("revision"),
        reason=data.get("reason", ""),
        changes=differences_out(data.get("changes", [])),
    )

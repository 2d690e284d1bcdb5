"""Rows, events, audit and bell of what was reviewed, in the transaction that holds the lock."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models.functions import Now
from wagtail.models import ModelLogEntry

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.claims import store_rows
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.differences import rows_of
from wagtail_multihost.control.drafts import Draft
from wagtail_multihost.control.models import (
    ALIAS,
    HOSTNAME,
    Event,
    FormerRecord,
    Hostname,
    ManagedSite,
    Platform,
    Verification,
)
from wagtail_multihost.control.placing.creation import place_new_sites
from wagtail_multihost.control.review import Reviewed
from wagtail_multihost.nodeapi.v1 import CHANNEL
from wagtail_multihost.spec.identifiers import parse_hostname
from wagtail_multihost.spec.site import STATES

BATCH = 2000
#: The version of events.
VERSION = 1
CHANGED_FIELDS = ["enabled", "state", "generation", "revision", "record", "labels", "retired_at", "removed_revision"]


class Origin(NamedTuple):
    """Who makes changes, when, why and as part of what; ``note`` says what else the event of a draft has."""

    authority: Authority
    now: datetime
    reason: str
    request: UUID
    note: Callable[[Draft], Mapping[str, object]]


def write_drafts(origin: Origin, reviewed: Sequence[Reviewed], revision: int) -> list[tuple[int, Draft]]:
    """Write everything that was reviewed; return the drafts, each with the revision of its change."""
    drafts = [one.draft for one in reviewed if one.draft.changes_anything]
    numbered = [(revision + number, draft) for number, draft in enumerate(drafts, 1)]
    if numbered:
        take_revisions(len(numbered))
        write_records(numbered, origin.now)
        place_new_sites((number, draft.uid) for number, draft in numbered if draft.uid and is_placed_anew(draft))
    write_claims(reviewed)
    if numbered:
        events = [event_of(origin, draft, number) for number, draft in numbered]
        Event.objects.bulk_create(events, batch_size=BATCH)
        entries = [
            log_entry(origin.authority, event, draft) for event, (_, draft) in zip(events, numbered, strict=True)
        ]
        ModelLogEntry.objects.bulk_create(entries, batch_size=BATCH)
        ring(events)
    return numbered


def is_placed_anew(draft: Draft) -> bool:
    return draft.is_new and not draft.is_retired


def take_revisions(count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE control_head SET revision = revision + %s WHERE id = 1", [count])


def write_records(numbered: Sequence[tuple[int, Draft]], now: datetime) -> None:
    new: list[ManagedSite] = []
    old: list[ManagedSite] = []
    for revision, draft in numbered:
        if draft.row is None:
            Platform.objects.filter(pk=1).update(record=draft.after, generation=draft.generation, revision=revision)
            continue
        fill_row(draft.row, draft, revision, now)
        (new if draft.is_new else old).append(draft.row)
    ManagedSite.objects.bulk_create(new, batch_size=BATCH)
    ManagedSite.objects.bulk_update(old, CHANGED_FIELDS, batch_size=500)
    FormerRecord.objects.bulk_create(
        [
            FormerRecord(site=draft.row, generation=draft.generation, revision=revision, record=draft.after)
            for revision, draft in numbered
        ],
        batch_size=BATCH,
    )
    write_hostnames([draft for _, draft in numbered if draft.row is not None])


def fill_row(row: ManagedSite, draft: Draft, revision: int, now: datetime) -> None:
    table = draft.after
    row.record, row.generation, row.revision = dict(table), draft.generation, revision
    row.enabled, row.state = bool(table.get("enabled", True)), str(table.get("state", STATES[0]))
    row.labels = dict(table.get("labels", {}))
    if draft.is_retired:
        row.retired_at, row.removed_revision = now, revision


def write_hostnames(drafts: Sequence[Draft]) -> None:
    """Make the hostnames of sites those of their records; a name that stays keeps when it was proven."""
    wanted = {name: (draft.row, role) for draft in drafts if draft.row for name, role in names_in(draft).items()}
    canonical = {draft.uid: canonical_name(draft) for draft in drafts}
    stored = {found.name: found for found in Hostname.objects.filter(site__in=[draft.row for draft in drafts])}
    gone = [name for name, found in stored.items() if name not in wanted]
    Hostname.objects.filter(name__in=gone).delete()
    new = {name: place for name, place in wanted.items() if name not in stored}
    proofs = Verification.objects.filter(name__in=new, proven_at__isnull=False) if new else ()
    proven = {(proof.name, proof.site_id): proof.proven_at for proof in proofs}
    Hostname.objects.bulk_create(
        [
            Hostname(
                name=name,
                site=site,
                role=role,
                is_canonical=name == canonical[site.uid],
                verified_at=proven.get((name, site.uid)),
            )
            for name, (site, role) in new.items()
        ],
        batch_size=BATCH,
    )
    moved = []
    for name, (site, role) in wanted.items():
        found = stored.get(name)
        # By the key: to ask for each row's site would be a query for each.
        place = (site.pk, role, name == canonical[site.uid])
        if found is not None and (found.site_id, found.role, found.is_canonical) != place:
            if found.site_id != site.pk:
                found.added_at = Now()
            found.site, found.role, found.is_canonical = site, role, name == canonical[site.uid]
            moved.append(found)
    Hostname.objects.bulk_update(moved, ["site", "role", "is_canonical", "added_at"], batch_size=500)


def names_in(draft: Draft) -> dict[str, str]:
    """Return the names of a site with the role of each; a retired one has none."""
    if draft.is_retired:
        return {}
    roles = (("aliases", ALIAS), ("hostnames", HOSTNAME))
    return {parse_hostname(name): role for key, role in roles for name in draft.after.get(key, [])}


def canonical_name(draft: Draft) -> str:
    """Return the hostname of a site that the others redirect to; blank if it has none."""
    names = [] if draft.is_retired else draft.after.get("hostnames", [])
    return parse_hostname(names[0]) if names else ""


def write_claims(reviewed: Sequence[Reviewed]) -> None:
    found = {one.draft.uid: one.rows for one in reviewed if one.draft.uid is not None and one.rows is not None}
    if found:
        store_rows([row for rows in found.values() for row in rows], list(found))


def event_of(origin: Origin, draft: Draft, revision: int) -> Event:
    metadata: dict[str, object] = {"changed": [difference.key for difference in draft.differences]}
    if origin.reason:
        metadata["reason"] = origin.reason
    metadata |= origin.note(draft)
    return Event(
        revision=revision,
        type=draft.type,
        at=origin.now,
        site=draft.identifier,
        uid=draft.uid,
        generation=draft.generation,
        actor=origin.authority.actor,
        request=origin.request,
        metadata=metadata,
    )


def log_entry(authority: Authority, event: Event, draft: Draft) -> ModelLogEntry:
    """Return the entry of Wagtail's audit log, which keeps what was there before and after."""
    subject = draft.row or Platform(pk=1, record=dict(draft.after))
    kind = ContentType.objects.get_for_model(subject, for_concrete_model=False)
    return ModelLogEntry(
        content_type=kind,
        object_id=str(subject.pk),
        label=str(subject),
        action=f"multihost.{event.type}",
        timestamp=event.at,
        user_id=authority.user,
        content_changed=True,
        deleted=False,
        data=log_data(event, draft),
    )


def log_data(event: Event, draft: Draft) -> Table:
    return {
        "revision": event.revision,
        "generation": event.generation,
        "actor": event.actor,
        "request": str(event.request),
        "reason": event.metadata.get("reason", ""),
        "at_once": event.metadata.get("at_once", False),
        "changes": rows_of(draft.differences, of_platform=draft.row is None),
    }


def ring(events: Sequence[Event]) -> None:
    """
    Tell those who listen, once for all of it; it is heard when the transaction commits. PostgreSQL lets every login
    listen to every channel, so it is not said which site it was.
    """
    last = events[-1]
    bell = {
        "v": VERSION,
        "revision": last.revision,
        "first": events[0].revision,
        "at": last.at.isoformat(timespec="milliseconds"),
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, json.dumps(bell)])

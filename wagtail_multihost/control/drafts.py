"""What each record will be: the changes applied to the rows, under the lock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import (
    Change,
    ClashError,
    CreateSite,
    EditPlatform,
    EditSite,
    NotAllowedError,
    RecordRetired,
    RetireSite,
    StaleRecordError,
    UnknownSiteError,
)
from wagtail_multihost.control.claims import NAME_CLAIMS, stored_owners
from wagtail_multihost.control.declared_keys import PINS, Table, find_key
from wagtail_multihost.control.differences import Difference, differences
from wagtail_multihost.control.models import VIEW, ManagedSite, Platform
from wagtail_multihost.control.texts import can_be_kept
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.nodeapi.event_types import (
    PLATFORM_CHANGED,
    SITE_CHANGED,
    SITE_CREATED,
    SITE_DISABLED,
    SITE_ENABLED,
    SITE_MOVED,
    SITE_RETIRED,
)
from wagtail_multihost.spec.identifiers import parse_site_id, shown
from wagtail_multihost.spec.names import Names, derive_names, successor_names

SUSPENDED = "suspended"
NO_SITE = "There is no such site."
OPERATORS = "Only an operator of the platform may change it."
NEEDS_CHANGE = "It needs the right to change the site."


@dataclass
class Draft:
    """A record before and after; ``row`` is its site, None for the platform."""

    row: ManagedSite | None
    before: Table
    after: Table
    generation: int = 0
    is_new: bool = False
    is_retired: bool = False

    @property
    def uid(self) -> UUID | None:
        return self.row.uid if self.row else None

    @property
    def identifier(self) -> str:
        return self.row.identifier if self.row else ""

    @property
    def differences(self) -> tuple[Difference, ...]:
        return differences(self.before, self.after)

    @property
    def changes_anything(self) -> bool:
        return self.is_new or self.is_retired or self.before != self.after

    @property
    def stops(self) -> bool:
        """Whether the site is served before and not after."""
        was = self.row is not None and not self.is_new and bool(self.before.get("enabled", True))
        return was and (self.is_retired or not self.after.get("enabled", True))

    @property
    def closes(self) -> bool:
        """Whether nobody shall see the site any more."""
        return self.is_retired or (is_closed(self.after) and not is_closed(self.before))

    @property
    def type(self) -> str:
        """The type of the event."""
        if self.row is None:
            return PLATFORM_CHANGED
        if self.is_new or self.is_retired:
            return SITE_RETIRED if self.is_retired else SITE_CREATED
        was, will = (bool(table.get("enabled", True)) for table in (self.before, self.after))
        if was != will:
            return SITE_ENABLED if will else SITE_DISABLED
        return SITE_MOVED if any(map(is_move, self.differences)) else SITE_CHANGED


def is_closed(record: Table) -> bool:
    return not record.get("enabled", True) or record.get("state") == SUSPENDED


def is_move(difference: Difference) -> bool:
    """Return whether a site is served, or has its data, elsewhere afterwards."""
    key = find_key(difference.path, of_platform=False)
    return difference.path[0] == "nodes" or (key is not None and key.place)


def draft_changes(authority: Authority, changes: Sequence[Change], now: datetime) -> list[Draft]:
    """
    Return what the changes make of the records that they concern. Raises UnknownSiteError and StaleRecordError, and
    ConfigurationError for new sites whose id cannot be used.
    """
    platform = Platform.objects.get(pk=1)
    whole = Draft(None, platform.record, platform.record, generation=platform.generation)
    sites = existing_drafts(authority, changes)
    for change in changes:
        if isinstance(change, EditPlatform):
            refuse_stale(change.expected, platform.generation)
            whole.after = dict(change.edit(whole.after))
        elif isinstance(change, EditSite | RetireSite):
            draft = sites[change.uid]
            refuse_stale(change.expected, draft.generation, draft.identifier)
            draft.is_retired = draft.is_retired or isinstance(change, RetireSite)
            draft.after = dict(change.edit(draft.after)) if isinstance(change, EditSite) else draft.after
    created = [change for change in changes if isinstance(change, CreateSite)]
    refuse_new_sites(authority, created)
    new = new_drafts(created, str(whole.after.get("name", "")), now)
    drafts = [draft for draft in (whole, *sites.values()) if draft.changes_anything]
    for draft in drafts:
        draft.generation += 1
    return [*drafts, *new, *(retired_draft(change, now) for change in changes if isinstance(change, RecordRetired))]


def existing_drafts(authority: Authority, changes: Iterable[Change]) -> dict[UUID, Draft]:
    uids = dict.fromkeys(change.uid for change in changes if isinstance(change, EditSite | RetireSite))
    rows = {row.uid: row for row in ManagedSite.objects.filter(uid__in=list(uids), retired_at=None)}
    if any(uid not in rows or not authority.may(VIEW, uid) for uid in uids):
        raise UnknownSiteError(NO_SITE)
    return {uid: Draft(rows[uid], rows[uid].record, rows[uid].record, generation=rows[uid].generation) for uid in uids}


def refuse_stale(expected: int | None, generation: int, site: str = "") -> None:
    if expected is not None and expected != generation:
        raise StaleRecordError(generation, expected, site)


def refuse_new_sites(authority: Authority, created: Sequence[CreateSite]) -> None:
    """Refuse new sites to those who may make none, before anything is said of ids that others have."""
    if created and not authority.may_operate:
        raise NotAllowedError([Problem("Sites", OPERATORS)])


def new_drafts(created: Sequence[CreateSite], platform: str, now: datetime) -> list[Draft]:
    """Return the drafts of new sites, pinned to a uid and to names that nobody else has or had."""
    if problems := [*id_problems(created)]:
        raise ConfigurationError(problems)
    if taken := [*taken_problems(created)]:
        raise ClashError(taken)
    if created and not platform:
        raise ConfigurationError.because("It is missing: the platform needs a name first.", where="Platform: name")
    wished = {
        change.identifier: derive_names(platform, change.identifier) for change in created if change.names is None
    }
    held = held_names(wished.values())
    drafts = []
    for change in created:
        uid = change.uid or uuid4()
        names = change.names
        if names is None:
            names = free_names(platform, change.identifier, uid, wished[change.identifier], held)
        record: dict[str, Any] = {**change.record, "uid": str(uid), "names": dict(names)}
        is_imported = change.uid is not None
        row = ManagedSite(uid=uid, identifier=change.identifier, created=now, is_imported=is_imported)
        drafts.append(Draft(row, {}, record, is_new=True, generation=1))
    return drafts


def retired_draft(change: RecordRetired, now: datetime) -> Draft:
    row = ManagedSite(uid=change.uid, identifier=change.identifier, created=now)
    record = {"uid": str(change.uid), "names": dict(change.names)}
    return Draft(row, {}, record, is_new=True, is_retired=True, generation=1)


def id_problems(created: Sequence[CreateSite]) -> Iterable[Problem]:
    """Yield a problem for each id that is none, and for what only registration gives."""
    for change in created:
        try:
            parse_site_id(change.identifier)
        except ValueError as error:
            yield Problem("Sites", str(error), change.identifier)
            continue
        for key in PINS:
            if key in change.record:
                yield Problem(
                    f"Site {change.identifier}: {key}", "It cannot be stated: it is given.", change.identifier
                )


def taken_problems(created: Sequence[CreateSite]) -> Iterable[Problem]:
    """Yield a problem for each id that a site has."""
    ids = [change.identifier for change in created if can_be_kept(change.identifier)]
    taken = set(ManagedSite.objects.filter(identifier__in=ids, retired_at=None).values_list("identifier", flat=True))
    for identifier in ids:
        if identifier in taken:
            yield Problem(f"Site {identifier}", f"There is a site {shown(identifier)} already.", identifier)
        taken.add(identifier)


def held_names(wished: Iterable[Names]) -> set[tuple[str, str]]:
    """Return those of the names that some site has, or had."""
    names = {(what, getattr(found, key)) for found in wished for key, what in NAME_CLAIMS.items()}
    return {(what, name) for what, name, _ in stored_owners(dict.fromkeys(names), [])} if names else set()


def free_names(platform: str, identifier: str, uid: UUID, names: Names, held: set[tuple[str, str]]) -> Table:
    """Return the derived names, or those of another holder of the id if one of them is held."""
    is_held = any((what, getattr(names, key)) in held for key, what in NAME_CLAIMS.items())
    chosen = successor_names(platform, identifier, uid) if is_held else names
    return {key: getattr(chosen, key) for key in NAME_CLAIMS}

"""
Whether a change goes to the nodes in a wave, and what it holds back of it: decided while the head is locked, before
anything is written.

On every node all sites have the same claims (what only one site may have) at each moment: a former record is held only
if it makes the same claims as the newest one. So no name can be of two sites, whatever a wave has not reached yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError, WaveRunsError
from wagtail_multihost.control.claims import Row, rows_of_site
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.drafts import OPERATORS, Draft
from wagtail_multihost.control.held_keys import can_be_held, lay_over
from wagtail_multihost.control.models import HeldName, Node, Platform, Wave, WaveItem
from wagtail_multihost.control.records import PlatformReading, read_platform_record, read_site_record
from wagtail_multihost.control.review import Reviewed
from wagtail_multihost.exceptions import Problem
from wagtail_multihost.nodeapi.node_states import ACTIVE, DONE, FRONT, ONE, RUNNING
from wagtail_multihost.nodeapi.wave_ticks_v1 import ENTER

#: A change of more sites than this goes in a wave, and each stage of it lasts so many seconds once it is applied.
SITES_SETTING, SITES = "MULTIHOST_CONTROL_WAVE_SITES", 20
BAKE_SETTING, BAKE = "MULTIHOST_CONTROL_WAVE_BAKE", 60
LONGEST_BAKE, MOST_SITES = 86_400, 1_000_000
#: With one node, or none, there is nobody to try a change on first.
FEWEST_NODES = 2
RUNS = (
    "A change is on its way to the nodes in a wave, and this one would need another. Wait until it is done; or resume, "
    "finish or abandon it: multihost_wave."
)
NOT_READ = (
    "Nodes that a wave has not reached yet have the former platform, with which this record is not accepted. Wait "
    "until the wave is done; or resume, finish or abandon it: multihost_wave."
)


class Held(NamedTuple):
    """The record that nodes are given until their turn; ``uid`` is None for the platform."""

    uid: UUID | None
    former: Table


class WavePlan(NamedTuple):
    """
    What a change does to waves: the ``held`` ones are a new wave, with this ``wave`` as its id. Of the wave that runs,
    the ``replaced`` items get another former record, and the ``superseded`` ones hold nothing back any more.
    """

    wave: UUID
    held: tuple[Held, ...] = ()
    replaced: tuple[tuple[WaveItem, Table], ...] = ()
    superseded: tuple[WaveItem, ...] = ()
    at_once: bool = False

    def note_of(self, draft: Draft) -> dict[str, Any]:
        """Return what the event of a draft says of it."""
        if any(one.uid == draft.uid for one in self.held):
            return {"wave": str(self.wave)}
        return {"at_once": True} if self.at_once else {}


def plan_wave(authority: Authority, reviewed: Sequence[Reviewed], *, at_once: bool) -> WavePlan:
    """
    Return what a change does to waves. Raises NotAllowedError where someone else than an operator wants it ``at_once``,
    and WaveRunsError where another wave has to end first.
    """
    if at_once and not authority.may_operate:
        raise NotAllowedError([Problem("at_once", OPERATORS)])
    changed = [one for one in reviewed if one.draft.changes_anything]
    items = {item.site_id: item for item in open_items()}
    held = () if at_once else held_records(reviewed)
    if held and Wave.objects.exclude(state=DONE).exists():
        raise WaveRunsError([Problem("Platform" if held[0].uid is None else "Sites", RUNS)])
    replaced, superseded = touched_items(reviewed, items, at_once=at_once) if items else ((), ())
    kept = items.get(None)
    if kept is not None and kept not in superseded and not at_once:
        former = next((table for item, table in replaced if item is kept), kept.former)
        refuse_unread(changed, read_platform_record(former))
    return WavePlan(uuid4(), held, replaced, superseded, at_once)


def open_items() -> Iterable[WaveItem]:
    return WaveItem.objects.filter(is_current=True).exclude(wave__state=DONE).select_related("site")


def held_records(reviewed: Sequence[Reviewed]) -> tuple[Held, ...]:
    """Return what a new wave holds back; nothing where the change goes everywhere at once."""
    own = next((one.draft for one in reviewed if one.draft.row is None), None)
    found = [one for one in reviewed if is_candidate(one.draft)]
    is_platform = own is not None and can_be_held(own.before, own.after, of_platform=True)
    limit = getattr(settings, SITES_SETTING, SITES)
    if not (is_platform or len(found) > limit) or not has_nodes():
        return ()
    if own is not None and is_platform:
        former = lay_over(own.before, own.after, of_platform=True)
        reading = read_platform_record(former)
        sites = held_sites(found, reading)
        if not reading.problems and reads_the_same(reviewed, sites, reading):
            return (Held(None, former), *sites)
    if len(found) <= limit:
        return ()
    sites = held_sites(found, read_newest_platform(reviewed))
    return sites if len(sites) > limit else ()


def read_newest_platform(reviewed: Iterable[Reviewed]) -> PlatformReading:
    """Return the platform as it is after the change."""
    own = next((one.draft.after for one in reviewed if one.draft.row is None), None)
    return read_platform_record(Platform.objects.get(pk=1).record if own is None else own)


def is_candidate(draft: Draft) -> bool:
    """Return whether a site's former record may be held back."""
    return not (draft.row is None or draft.is_new or draft.is_retired) and can_be_held(draft.before, draft.after)


def has_nodes() -> bool:
    return Node.objects.filter(state=ACTIVE).exclude(group__holds=FRONT).count() >= FEWEST_NODES


def held_sites(candidates: Iterable[Reviewed], platform: PlatformReading) -> tuple[Held, ...]:
    """Return the sites whose former record makes the claims that the newest one does."""
    records = ((one, lay_over(one.draft.before, one.draft.after)) for one in candidates)
    return tuple(
        Held(one.draft.uid, former)
        for one, former in records
        if same_claims(one.draft.identifier, former, platform, one.rows)
    )


def same_claims(identifier: str, record: Table, platform: PlatformReading, rows: Sequence[Row] | None) -> bool:
    """Return whether a record is accepted with a platform, and makes the claims of ``rows``."""
    spec, problems = read_site_record(identifier, record, platform)
    return spec is not None and not problems and names_in(rows_of_site(spec)) == names_in(rows or ())


def names_in(rows: Iterable[Row]) -> frozenset[tuple[str, str]]:
    return frozenset((row.what, row.name) for row in rows)


def reads_the_same(reviewed: Sequence[Reviewed], held: Iterable[Held], platform: PlatformReading) -> bool:
    """
    Return whether, with the former platform, all sites that are not held make the claims that they do with the newest.
    Of those that nobody changed, what they claimed until now is stored.
    """
    done = {one.uid for one in held}
    rest: dict[UUID, frozenset[tuple[str, str]]] = {}
    for one in reviewed:
        draft = one.draft
        if draft.uid is None or draft.uid in done or draft.is_retired:
            continue
        if not draft.changes_anything:
            rest[draft.uid] = names_in(one.rows or ())
        elif not same_claims(draft.identifier, draft.after, platform, one.rows):
            return False
    stored: dict[UUID, set[tuple[str, str]]] = {uid: set() for uid in rest}
    for uid, what, name in HeldName.objects.filter(site__in=list(rest)).values_list("site_id", "what", "name"):
        stored[uid].add((what, name))
    return all(stored[uid] == names for uid, names in rest.items())


def touched_items(
    reviewed: Sequence[Reviewed], items: Mapping[UUID | None, WaveItem], *, at_once: bool
) -> tuple[tuple[tuple[WaveItem, Table], ...], tuple[WaveItem, ...]]:
    """
    Return which items of the wave that runs get another former record, since only keys that count at once have changed,
    and which hold nothing back any more.
    """
    replaced: list[tuple[WaveItem, Table]] = []
    superseded: list[WaveItem] = []
    touched = [(items[one.draft.uid], one) for one in reviewed if one.draft.uid in items]
    if not touched:
        return (), ()
    platform = read_newest_platform(reviewed)
    for item, one in touched:
        draft = one.draft
        if not draft.changes_anything:
            former = dict(item.former)  # read again with another platform
        else:
            former = lay_over(item.former, draft.after, of_platform=draft.row is None)
        if not (at_once and draft.changes_anything) and is_light(draft) and is_held_still(item, former, one, platform):
            if former != item.former:
                replaced.append((item, former))
        else:
            superseded.append(item)
    return tuple(replaced), tuple(superseded)


def is_light(draft: Draft) -> bool:
    """Return whether nothing was changed that a wave could hold back."""
    return not draft.is_retired and lay_over(draft.before, draft.after, of_platform=draft.row is None) == dict(
        draft.after
    )


def is_held_still(item: WaveItem, former: Table, one: Reviewed, platform: PlatformReading) -> bool:
    """Return whether a former record makes the claims of the newest one, with the platform that it is read with."""
    return item.site is None or same_claims(item.site.identifier, former, platform, one.rows)


def refuse_unread(changed: Iterable[Reviewed], platform: PlatformReading) -> None:
    """
    Raise WaveRunsError for records that nodes with the former platform would not accept, or read otherwise. What counts
    at once is never kept from nodes.
    """
    problems = []
    for one in changed:
        draft = one.draft
        if draft.row is None or draft.is_retired or draft.stops or (is_light(draft) and not draft.is_new):
            continue
        if not same_claims(draft.identifier, draft.after, platform, one.rows):
            problems.append(Problem(f"Site {draft.identifier}", NOT_READ, draft.identifier))
    if problems:
        raise WaveRunsError(problems)


def write_plan(plan: WavePlan, written: Sequence[tuple[int, Draft]]) -> None:
    """Write what a change does to waves, in the transaction that has written its records."""
    for item, former in plan.replaced:
        item.former = dict(former)
    WaveItem.objects.bulk_update([item for item, _ in plan.replaced], ["former"], batch_size=500)
    WaveItem.objects.filter(pk__in=[item.pk for item in plan.superseded]).update(is_current=False)
    if plan.held:
        begin_wave(plan, written)


def begin_wave(plan: WavePlan, written: Sequence[tuple[int, Draft]]) -> None:
    revisions = {draft.uid: revision for revision, draft in written}
    last = max(revisions.values())
    bake = getattr(settings, BAKE_SETTING, BAKE)
    wave = Wave.objects.create(
        pk=plan.wave,
        revision=last,
        stage=ONE,
        stage_revision=last,
        stage_at=database_time(),
        bake_seconds=bake,
        state=RUNNING,
    )
    WaveItem.objects.bulk_create(
        [
            WaveItem(wave=wave, site_id=one.uid, revision=revisions[one.uid], former=dict(one.former))
            for one in plan.held
        ],
        batch_size=500,
    )
    with connection.cursor() as cursor:
        cursor.execute(ENTER, [wave.pk, ONE, last])

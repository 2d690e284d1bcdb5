"""Comparing, and writing without validation and reload, as ``multihost_emit`` does."""

from __future__ import annotations

from wagtail_multihost.emitters.apply import journal
from wagtail_multihost.emitters.apply.differences import Differences, differences, refuse_foreign, refuse_mass_delete
from wagtail_multihost.emitters.apply.lock import locked
from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.pending import Pending
from wagtail_multihost.emitters.apply.place import Place, prepared
from wagtail_multihost.emitters.apply.wish import Wish
from wagtail_multihost.emitters.output import matching, reported, write
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.spec.permissions import path_problem


def compared(wish: Wish) -> Differences:
    """Return what differs now; raises ApplyError for what must not be done unasked."""
    plan = wish.load()
    found = differences(wish.emitters, plan, Manifest(Place(plan.directory)), wish.watch(len(plan.chosen)))
    if not wish.force:
        refuse_foreign(found.changes, plan.directory)
    if not wish.allow_mass_delete:
        refuse_mass_delete(found)
    return found


def written(wish: Wish) -> Differences:
    """Write what differs, and mark it for the next apply to reload; raises EmitError when it cannot be done."""
    place = prepared(wish.directory)
    with reported(), locked(place, wish.lock_timeout):
        for folder in matching(place.directory, (folder for emitter in wish.emitters for folder in emitter.folders)):
            if problem := path_problem(place.directory / folder):
                raise EmitError(problem)
        journal.undo(place)
        found = compared(wish)
        if found.changes:
            manifest = Manifest(place)
            manifest.expect(found.changes)
            Pending(place).add(found.paths)
            write(place.directory, *found.changes)
            manifest.settle(found.changes, found.generations)
    return found

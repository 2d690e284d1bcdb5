"""Comparing, and writing without validation and reload, as ``multihost_emit`` does."""

from __future__ import annotations

from wagtail_multihost.emitters.apply import journal
from wagtail_multihost.emitters.apply.differences import (
    Differences,
    compare_targets,
    refuse_mass_delete,
    refuse_overwriting,
)
from wagtail_multihost.emitters.apply.lock import hold_lock
from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.output_folder import OutputFolder, prepare_output
from wagtail_multihost.emitters.apply.pending import Pending
from wagtail_multihost.emitters.apply.request import ApplyRequest
from wagtail_multihost.emitters.output import matching, reported, write
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.spec.permissions import path_problem


def find_changes(request: ApplyRequest) -> Differences:
    """Return what differs now; raises ApplyError for changes that need --force or --allow-mass-delete."""
    plan = request.load()
    found = compare_targets(
        request.emitters, plan, Manifest(OutputFolder(plan.directory)), request.watch(len(plan.chosen), "files")
    )
    if not request.force:
        refuse_overwriting(found.changes, plan.directory)
    if not request.allow_mass_delete:
        refuse_mass_delete(found)
    return found


def write_changes(request: ApplyRequest) -> Differences:
    """Write what differs, and mark it for the next apply to reload; raises EmitError when that fails."""
    output = prepare_output(request.directory)
    with reported(), hold_lock(output, request.lock_timeout, quietly=True) as sign:
        for folder in matching(
            output.directory, (folder for emitter in request.emitters for folder in emitter.folders)
        ):
            if problem := path_problem(output.directory / folder):
                raise EmitError(problem)
        journal.undo(output)
        found = find_changes(request)
        if found.changes:
            sign()
            manifest = Manifest(output)
            manifest.expect(found.changes)
            Pending(output).add(found.paths)
            write(output.directory, *found.changes)
            manifest.settle(found.changes, found.generations, found.seals)
        elif found.seals:
            Manifest(output).settle((), seals=found.seals)
    return found

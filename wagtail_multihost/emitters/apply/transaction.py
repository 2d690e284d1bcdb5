"""
The transaction: everything that an apply does, in order. Until the journal is written, nothing that servers read is
changed; from then until it is removed, any failure, even a crash, restores the old files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import Any

from wagtail_multihost.emitters.apply import journal
from wagtail_multihost.emitters.apply.differences import (
    Differences,
    call_target,
    compare_targets,
    refuse_mass_delete,
    refuse_overwriting,
)
from wagtail_multihost.emitters.apply.hook import run_reload_hook
from wagtail_multihost.emitters.apply.lock import hold_lock
from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.output_folder import NAME, OutputFolder, prepare_output, refuse_writable
from wagtail_multihost.emitters.apply.pending import Pending
from wagtail_multihost.emitters.apply.programs import find_program
from wagtail_multihost.emitters.apply.request import ApplyRequest, ApplyResult
from wagtail_multihost.emitters.apply.signals import Stopped, handle_signals, ignore_signal, raise_stopped
from wagtail_multihost.emitters.apply.stage import make_stage
from wagtail_multihost.emitters.apply.tickets import Ticket, WaitingTicket, answer_tickets, find_waiting, take_ticket
from wagtail_multihost.emitters.apply.validation import run_validations
from wagtail_multihost.emitters.apply.verification import parse_url, verify
from wagtail_multihost.emitters.emitter import Stage
from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.output import draft, matching, reported, sentence, swap
from wagtail_multihost.exceptions import ApplyError, EmitError
from wagtail_multihost.files.writing import remove_drafts, remove_files


def apply(request: ApplyRequest) -> ApplyResult:
    """
    Put the files of ``request`` into use, or leave everything as it was.

    Raises ApplyError when the configuration is refused or was rolled back, EmitError (and what loading the registry
    raises) when it could not be tried.
    """
    started = time.monotonic()
    folders = [folder for emitter in request.emitters for folder in emitter.folders]
    refuse_impossible(request)
    with report_stop(), reported():
        output = prepare_output(request.directory)
        refuse_writable(output.directory, *matching(output.directory, folders))
        with (
            take_ticket(output, request.fingerprint, request.sites) as ticket,
            hold_lock(output, request.lock_timeout, lambda: ticket.answer() is not None),
        ):
            answer = ticket.answer()
            result = read_answer(answer) if answer else apply_for_all(output, request, ticket)
    return replace(result, seconds=round(time.monotonic() - started, 3))


def refuse_impossible(request: ApplyRequest) -> None:
    """Raise EmitError for a missing hook or an invalid URL, before anything is done."""
    if request.reload:
        find_program(request.reload[0])
    if request.verify:
        parse_url(request.verify)


@contextmanager
def report_stop() -> Iterator[None]:
    """Turn a signal that stops the process into our error."""
    try:
        with handle_signals(raise_stopped):
            yield
    except Stopped as stopped:
        raise ApplyError(f"Stopped by {stopped}; nothing was changed.") from None


def read_answer(answer: dict[str, Any]) -> ApplyResult:
    """Return what another run did for this one; raises ApplyError when it failed."""
    if "error" in answer:
        raise ApplyError(answer["error"])
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in answer["result"].items()
    }
    return ApplyResult(**{**fields, "together": True})


def apply_for_all(output: OutputFolder, request: ApplyRequest, ticket: Ticket) -> ApplyResult:
    """Carry out ``request``, and those of waiting runs of the same kind."""
    others = find_waiting(output, request.fingerprint, ticket)
    recover(output, request)
    served: list[WaitingTicket] = []
    transaction: Transaction | None = None
    try:
        plan, served = join_waiting(request.load(), request, others)
        transaction = Transaction(output, request, plan)
        result = transaction.run()
    except Exception as error:
        if not transaction or not transaction.has_swapped:
            reload_pending(output, request)
        if isinstance(error, ApplyError):
            answer_tickets(served, {"error": str(error)})
        raise
    answer_tickets(served, {"result": asdict(result)})
    return result


def recover(output: OutputFolder, request: ApplyRequest) -> None:
    """Undo a run that crashed, and remove what it left behind."""
    with handle_signals(ignore_signal):
        journal.undo(output)
        journal.forget(output)
        folders = [folder for emitter in request.emitters for folder in emitter.folders]
        for folder in (NAME, *matching(output.directory, folders)):
            remove_drafts(output.directory / folder)


def reload_pending(output: OutputFolder, request: ApplyRequest) -> None:
    """Reload changes that an earlier run left without a reload, when this run changes nothing."""
    pending = Pending(output)
    owed = pending.of(request.targets)
    if request.reload and owed:
        # The failure of this run is the one to report; the record stays for the next run.
        with handle_signals(ignore_signal), suppress(EmitError, OSError):
            run_reload_hook(
                output, request.reload, request.reload_timeout, {name: pending.paths[name] for name in owed}
            )
            pending.clear(owed)


def join_waiting(plan: Plan, request: ApplyRequest, others: list[WaitingTicket]) -> tuple[Plan, list[WaitingTicket]]:
    """Return the plan with the sites of others too, and the tickets it serves: those whose sites all exist."""
    known = {site.id for site in plan.sites}
    served = [ticket for ticket in others if ticket.sites <= known]
    if not request.sites or not all(ticket.sites for ticket in served):
        return replace(plan, only=frozenset()), served
    return replace(plan, only=plan.only.union(*(ticket.sites for ticket in served))), served


class Transaction:
    """One run, inside the lock."""

    def __init__(self, output: OutputFolder, request: ApplyRequest, plan: Plan) -> None:
        self.output = output
        self.request = request
        self.plan = plan
        self.manifest = Manifest(output)
        self.pending = Pending(output)
        self.found = Differences()
        self.has_swapped = False

    def run(self) -> ApplyResult:
        """Carry out the transaction; after an ApplyError or EmitError nothing has changed."""
        owed = self.pending.of(self.request.targets) if self.request.reload else frozenset()
        watched = self.request.watch(len(self.plan.chosen), "files")
        self.found = compare_targets(self.request.emitters, self.plan, self.manifest, watched, renewed=owed)
        if not self.found.changes and not owed:
            self.remember()
            return ApplyResult(generation=self.generation)
        if not self.request.force:
            refuse_overwriting(self.found.changes, self.plan.directory)
        if not self.request.allow_mass_delete:
            refuse_mass_delete(self.found)
        drafts = draft(self.output.directory, self.found.changes)
        try:
            self.validate(drafts)
            self.activate(drafts)
        finally:
            remove_files(drafts.values())
        return self.result

    def remember(self) -> None:
        """Keep new seals, without which the next run does more."""
        if self.found.seals:
            with suppress(OSError):
                self.manifest.settle((), seals=self.found.seals)

    def validate(self, drafts: dict[str, str]) -> None:
        """Have the parsers check the scratch copy of each target that changes."""
        for emitter in self.request.emitters:
            changes = self.found.by_target.get(emitter.name, [])
            if changes:
                folder = make_stage(self.output, emitter.folders, changes, drafts)
                stage = Stage(self.plan, folder, frozenset(change.path for change in changes))
                run_validations(call_target(emitter, emitter.validate, stage), folder, self.plan.directory)

    def activate(self, drafts: dict[str, str]) -> None:
        """Swap, reload and verify; raises ApplyError when that fails and the old state has been restored."""
        before = dict(self.pending.paths)
        self.pending.add(self.found.paths)
        try:
            journal.keep_old_files(self.output, self.found.changes)
            self.manifest.expect(self.found.changes)
            self.has_swapped = True
            swap(self.output.directory, self.found.changes, drafts)
            self.reload()
            self.verify()
            with handle_signals(ignore_signal):
                self.commit()
        except BaseException as error:
            with handle_signals(ignore_signal):
                self.roll_back(error, before)
            raise

    def reload(self) -> None:
        if self.request.reload:
            paths = {name: self.pending.paths[name] for name in sorted(self.pending.of(self.request.targets))}
            run_reload_hook(self.output, self.request.reload, self.request.reload_timeout, paths)

    def verify(self) -> None:
        if self.request.verify:
            wants_line = any(emitter.wants_proxy_line(self.plan) for emitter in self.request.emitters)
            verify(self.request.verify, self.request.verify_timeout, self.generation, wants_line=wants_line)

    def commit(self) -> None:
        """Make the new files permanent, which they are from the moment that the journal is gone."""
        journal.forget(self.output)
        # Until then the manifest accepts both contents, and a record that stays costs one more reload.
        with suppress(OSError):
            self.manifest.settle(self.found.changes, self.found.generations, self.found.seals)
            if self.request.reload:
                self.pending.clear(self.request.targets)

    def roll_back(self, error: BaseException, before: dict[str, list[str]]) -> None:
        """Restore and reload the old files; raises an ApplyError that says what was done, and why."""
        try:
            is_undone = journal.undo(self.output)
        except EmitError as failure:
            raise EmitError(f"{describe_error(error)} {failure} The next run tries again.") from error
        if not self.has_swapped:
            self.pending.paths = before
            self.pending.save()
            return
        if not is_undone:  # the new files were permanent already
            raise EmitError(f"{describe_error(error)} The new files are in place.") from error
        said = f"{describe_error(error)} The old files are back"
        try:
            self.reload()
        except EmitError as failure:
            raise ApplyError(f"{said}, but could not be reloaded: {failure} The next run tries again.") from error
        if self.request.reload:
            self.pending.clear(self.request.targets)
            said += " and reloaded"
        raise ApplyError(f"{said}.") from error

    @property
    def generation(self) -> str:
        """The generation that the first target that shows one will serve, blank when none does."""
        tokens = {**self.manifest.generations, **self.found.generations}
        return next((tokens[emitter.name] for emitter in self.request.emitters if tokens.get(emitter.name)), "")

    @property
    def result(self) -> ApplyResult:
        changes = self.found.changes
        return ApplyResult(
            changed=tuple(str(change.path) for change in changes if change.new),
            removed=tuple(str(change.path) for change in changes if not change.new),
            reloaded=bool(self.request.reload),
            verified=bool(self.request.verify),
            generation=self.generation,
        )


def describe_error(error: BaseException) -> str:
    if isinstance(error, Stopped):
        return f"Stopped by {error}."
    if isinstance(error, OSError):
        return sentence(error)
    return str(error)

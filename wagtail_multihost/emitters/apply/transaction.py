"""
The transaction: all that an apply does, in its order. Until the journal is written nothing that servers read is
changed; from then until it is gone every failure, a crash too, brings the old files back.
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
    differences,
    heeded,
    refuse_foreign,
    refuse_mass_delete,
)
from wagtail_multihost.emitters.apply.hook import reload
from wagtail_multihost.emitters.apply.lock import locked
from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.pending import Pending
from wagtail_multihost.emitters.apply.place import NAME, Place, prepared, refuse_writable
from wagtail_multihost.emitters.apply.programs import found as program
from wagtail_multihost.emitters.apply.signals import Stopped, handled, pass_over, stop
from wagtail_multihost.emitters.apply.stage import staged
from wagtail_multihost.emitters.apply.tickets import Ticket, Waiting, serve, taken, waiting
from wagtail_multihost.emitters.apply.validation import validate
from wagtail_multihost.emitters.apply.verification import parsed, verify
from wagtail_multihost.emitters.apply.wish import Result, Wish
from wagtail_multihost.emitters.emitter import Stage
from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.output import draft, matching, reported, sentence, swap
from wagtail_multihost.exceptions import ApplyError, EmitError
from wagtail_multihost.files.writing import remove_drafts, remove_files


def apply(wish: Wish) -> Result:
    """
    Bring the files of ``wish`` into use, or leave everything as it was.

    Raises ApplyError when the configuration is refused or was rolled back, EmitError (and what loading the registry
    raises) when it could not be tried.
    """
    started = time.monotonic()
    folders = [folder for emitter in wish.emitters for folder in emitter.folders]
    refuse_impossible(wish)
    with stoppable(), reported():
        place = prepared(wish.directory)
        refuse_writable(place.directory, *matching(place.directory, folders))
        with (
            taken(place, wish.fingerprint, wish.sites) as ticket,
            locked(place, wish.lock_timeout, lambda: ticket.answer() is not None),
        ):
            answer = ticket.answer()
            result = answered(answer) if answer else together(place, wish, ticket)
    return replace(result, seconds=round(time.monotonic() - started, 3))


def refuse_impossible(wish: Wish) -> None:
    """Raise EmitError for a hook that is not there or an address that is none, before anything is done."""
    if wish.reload:
        program(wish.reload[0])
    if wish.verify:
        parsed(wish.verify)


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn a signal that stops the process into our error."""
    try:
        with handled(stop):
            yield
    except Stopped as stopped:
        raise ApplyError(f"Stopped by {stopped}; nothing was changed.") from None


def answered(answer: dict[str, Any]) -> Result:
    """Return what another run did for this one; raises ApplyError when it failed."""
    if "error" in answer:
        raise ApplyError(answer["error"])
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in answer["result"].items()
    }
    return Result(**{**fields, "together": True})


def together(place: Place, wish: Wish, ticket: Ticket) -> Result:
    """Do what is wished, for those that wait for the same too."""
    others = waiting(place, wish.fingerprint, ticket)
    recover(place, wish)
    served: list[Waiting] = []
    transaction: Transaction | None = None
    try:
        plan, served = joined(wish.load(), wish, others)
        transaction = Transaction(place, wish, plan)
        result = transaction.run()
    except Exception as error:
        if not transaction or not transaction.has_swapped:
            settle_debt(place, wish)
        if isinstance(error, ApplyError):
            serve(served, {"error": str(error)})
        raise
    serve(served, {"result": asdict(result)})
    return result


def recover(place: Place, wish: Wish) -> None:
    """Undo a run that crashed, and remove what it left."""
    with handled(pass_over):
        journal.undo(place)
        journal.forget(place)
        folders = [folder for emitter in wish.emitters for folder in emitter.folders]
        for folder in (NAME, *matching(place.directory, folders)):
            remove_drafts(place.directory / folder)


def settle_debt(place: Place, wish: Wish) -> None:
    """Reload the files that are there, where an earlier run that changed them did not, and this one changes nothing."""
    pending = Pending(place)
    owed = pending.of(wish.targets)
    if wish.reload and owed:
        # What made this run fail is what is to be told; the mark stays for the next one.
        with handled(pass_over), suppress(EmitError, OSError):
            reload(place, wish.reload, wish.reload_timeout, {name: pending.paths[name] for name in owed})
            pending.clear(owed)


def joined(plan: Plan, wish: Wish, others: list[Waiting]) -> tuple[Plan, list[Waiting]]:
    """Return the plan with the sites of others too, and whom it serves: not who asks for a site that is not there."""
    known = {site.id for site in plan.sites}
    served = [ticket for ticket in others if ticket.sites <= known]
    if not wish.sites or not all(ticket.sites for ticket in served):
        return replace(plan, only=frozenset()), served
    return replace(plan, only=plan.only.union(*(ticket.sites for ticket in served))), served


class Transaction:
    """One run, inside the lock."""

    def __init__(self, place: Place, wish: Wish, plan: Plan) -> None:
        self.place = place
        self.wish = wish
        self.plan = plan
        self.manifest = Manifest(place)
        self.pending = Pending(place)
        self.found = Differences()
        self.has_swapped = False

    def run(self) -> Result:
        """Do it all; raises ApplyError or EmitError, and then nothing has changed."""
        owed = self.pending.of(self.wish.targets) if self.wish.reload else frozenset()
        watched = self.wish.watch(len(self.plan.chosen))
        self.found = differences(self.wish.emitters, self.plan, self.manifest, watched, renewed=owed)
        if not self.found.changes and not owed:
            return Result(generation=self.generation)
        if not self.wish.force:
            refuse_foreign(self.found.changes, self.plan.directory)
        if not self.wish.allow_mass_delete:
            refuse_mass_delete(self.found)
        drafts = draft(self.place.directory, self.found.changes)
        try:
            self.validate(drafts)
            self.activate(drafts)
        finally:
            remove_files(drafts.values())
        return self.result

    def validate(self, drafts: dict[str, str]) -> None:
        """Let the parsers read the scratch copy of each target that changes."""
        for emitter in self.wish.emitters:
            changes = self.found.by_target.get(emitter.name, [])
            if changes:
                folder = staged(self.place, emitter.folders, changes, drafts)
                stage = Stage(self.plan, folder, frozenset(change.path for change in changes))
                validate(heeded(emitter, emitter.validate, stage), folder, self.plan.directory)

    def activate(self, drafts: dict[str, str]) -> None:
        """Swap, reload and verify; raises ApplyError when that fails, after the old state is back."""
        before = dict(self.pending.paths)
        self.pending.add(self.found.paths)
        try:
            journal.keep(self.place, self.found.changes)
            self.manifest.expect(self.found.changes)
            self.has_swapped = True
            swap(self.place.directory, self.found.changes, drafts)
            self.reload()
            self.verify()
            with handled(pass_over):
                self.commit()
        except BaseException as error:
            with handled(pass_over):
                self.roll_back(error, before)
            raise

    def reload(self) -> None:
        if self.wish.reload:
            paths = {name: self.pending.paths[name] for name in sorted(self.pending.of(self.wish.targets))}
            reload(self.place, self.wish.reload, self.wish.reload_timeout, paths)

    def verify(self) -> None:
        if self.wish.verify:
            wants_line = any(emitter.wants_proxy_line(self.plan) for emitter in self.wish.emitters)
            verify(self.wish.verify, self.wish.verify_timeout, self.generation, wants_line=wants_line)

    def commit(self) -> None:
        """Let the new files be the ones that stay, which they are from the moment on that the journal is gone."""
        journal.forget(self.place)
        # The manifest accepts both contents until then, and a mark that stays costs a reload more.
        with suppress(OSError):
            self.manifest.settle(self.found.changes, self.found.generations)
            if self.wish.reload:
                self.pending.clear(self.wish.targets)

    def roll_back(self, error: BaseException, before: dict[str, list[str]]) -> None:
        """Bring the old files back and reload them; raises ApplyError that says what was done, and why."""
        try:
            is_undone = journal.undo(self.place)
        except EmitError as failure:
            raise EmitError(f"{reason_of(error)} {failure} The next run tries again.") from error
        if not self.has_swapped:
            self.pending.paths = before
            self.pending.save()
            return
        if not is_undone:  # the new files were the ones that stay already
            raise EmitError(f"{reason_of(error)} The new files are in place.") from error
        said = f"{reason_of(error)} The old files are back"
        try:
            self.reload()
        except EmitError as failure:
            raise ApplyError(f"{said}, but could not be reloaded: {failure} The next run tries again.") from error
        if self.wish.reload:
            self.pending.clear(self.wish.targets)
            said += " and reloaded"
        raise ApplyError(f"{said}.") from error

    @property
    def generation(self) -> str:
        """The generation that the first target that shows one will serve, blank when none does."""
        tokens = {**self.manifest.generations, **self.found.generations}
        return next((tokens[emitter.name] for emitter in self.wish.emitters if tokens.get(emitter.name)), "")

    @property
    def result(self) -> Result:
        changes = self.found.changes
        return Result(
            changed=tuple(str(change.path) for change in changes if change.new),
            removed=tuple(str(change.path) for change in changes if not change.new),
            reloaded=bool(self.wish.reload),
            verified=bool(self.wish.verify),
            generation=self.generation,
        )


def reason_of(error: BaseException) -> str:
    if isinstance(error, Stopped):
        return f"Stopped by {error}."
    if isinstance(error, OSError):
        return sentence(error)
    return str(error)

"""
A page with the form of a record: a site's, or the platform's. What is entered can be looked at as a difference before
it is saved, and a record that somebody else changed meanwhile is never overwritten unseen.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.views.generic.base import ContextMixin, TemplateResponseMixin
from wagtail.admin import messages

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import REASON_LENGTH, Change, Edit, Outcome, StaleRecordError
from wagtail_multihost.control.dashboard.change_rows import change_rows, rows_of_outcome
from wagtail_multihost.control.dashboard.record_entries import Entry, entries
from wagtail_multihost.control.dashboard.record_form import Purpose, RecordForm
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.differences import differences, rows_of
from wagtail_multihost.control.models import FormerRecord, ManagedSite
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec.suggestions import closest

GENERATION, PREVIEW, AT_ONCE = "generation", "preview", "at_once"
#: The largest number that the database counts to.
MOST = 2**63 - 1
IN_A_WAVE = " It goes to the nodes in a wave, one after the other."
INCOMPLETE = "The form was sent without the generation of the record. Open the page again."


class Stored(NamedTuple):
    """A record as it is stored, with its generation."""

    record: Table
    generation: int


class RecordPage(TemplateResponseMixin, ContextMixin):
    """A view that shows the form of a record and saves it. It is mixed into a guarded view."""

    request: HttpRequest
    authority: Authority
    of_platform = False
    #: Whether who saves it may leave out the wave in which it would go to the nodes.
    offers_at_once = False

    @abstractmethod
    def stored(self) -> Stored:
        """Return the record as it is now."""

    @abstractmethod
    def platform_record(self) -> Table:
        """Return the record that it inherits from."""

    @abstractmethod
    def may_change(self, entry: Entry) -> bool:
        """Return whether who looks may change a key."""

    @abstractmethod
    def change(self, edit: Edit, expected: int) -> Change:
        """Return the change that saves an edit."""

    @abstractmethod
    def address(self) -> str:
        """Return the address of the page."""

    def record_site(self) -> ManagedSite | None:
        """Return whose record it is; None for the platform's."""
        return None

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        stored = self.stored()
        return self.render(self.make_form(stored), stored.generation)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Save what was entered, or show what it would change, or what is wrong with it."""
        expected = read_generation(request.POST)
        stored = self.stored()
        if expected != stored.generation:
            return self.show_newer(expected)
        form = self.make_form(stored, request.POST)
        form.refuse_unknown()
        edit = form.edit()
        only_looks = form.has_problems or request.POST.get("action") == PREVIEW
        try:
            outcome = self.apply(self.change(edit, expected), dry_run=only_looks)
        except StaleRecordError:
            return self.show_newer(expected)
        except ConfigurationError as error:
            form.add_problems(error.problems)
            return self.render(form, expected)
        if only_looks:
            rows = None if form.has_problems else rows_of_outcome(outcome)
            return self.render(form, expected, preview=rows, in_a_wave=outcome.wave is not None)
        say_outcome(request, outcome)
        return HttpResponseRedirect(self.address())

    def apply(self, change: Change, *, dry_run: bool) -> Outcome:
        reason = self.request.POST.get("reason", "").strip()[:REASON_LENGTH]
        return apply_changes(self.authority, [change], reason=reason, dry_run=dry_run, at_once=self.wants_at_once)

    @property
    def wants_at_once(self) -> bool:
        return self.offers_at_once and AT_ONCE in self.request.POST

    def show_newer(self, expected: int) -> HttpResponseBase:
        """Show the record as it is now with what was entered on top, and what others changed since it was read."""
        stored = self.stored()
        base = self.former(expected)
        theirs = self.make_form(stored, self.request.POST, base)
        data = QueryDict(mutable=True)
        data.update({**theirs.newer_texts(), "reason": self.request.POST.get("reason", "")})
        found = differences(base, stored.record) if base is not None else ()
        meanwhile = change_rows(rows_of(found, of_platform=self.of_platform))
        return self.render(self.make_form(stored, data), stored.generation, is_stale=True, meanwhile=meanwhile)

    def former(self, generation: int) -> Table | None:
        """Return the record of an earlier generation; None if it is not kept."""
        found = FormerRecord.objects.filter(site=self.record_site(), generation=generation).first()
        return found.record if found else None

    def make_form(self, stored: Stored, data: Mapping[str, Any] | None = None, base: Table | None = None) -> RecordForm:
        purpose = Purpose(stored.record, self.platform_record(), self.may_change, self.sees_references(), base)
        return RecordForm(self.found_entries(), purpose, data)

    def sees_references(self) -> bool:
        return self.authority.may_operate

    def found_entries(self) -> tuple[Entry, ...]:
        """Return the keys that are shown: all, or those that are looked for."""
        found = entries(of_platform=self.of_platform)
        sought = self.sought.casefold()
        return tuple(entry for entry in found if sought in f"{entry.name} {entry.key.meaning}".casefold())

    @property
    def sought(self) -> str:
        return self.request.GET.get("q", "").strip()[:100]

    def render(self, form: RecordForm, generation: int, **context: Any) -> HttpResponseBase:
        found: dict[str, Any] = {"form": form, "generation": generation, "sought": self.sought, **context}
        if not form.shown:
            found["meant"] = closest(self.sought, (entry.name for entry in entries(of_platform=self.of_platform)))
        found["address"] = self.address()
        found["offers_at_once"], found["at_once"] = self.offers_at_once, self.wants_at_once
        found["reason"] = self.request.POST.get("reason", "")[:REASON_LENGTH]
        page: HttpResponseBase = self.render_to_response(self.get_context_data(**found))
        return page


def read_generation(data: QueryDict) -> int:
    """Return the generation of the record that was on the screen of who sends a form."""
    text = data.get(GENERATION, "")
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MOST)) or int(text) > MOST:
        raise SuspiciousOperation(INCOMPLETE)
    return int(text)


def say_outcome(request: HttpRequest, outcome: Outcome) -> None:
    """Tell who changed something what came of it, on the next page."""
    if outcome.changed:
        messages.success(request, f"Saved as revision {outcome.revision}.{IN_A_WAVE if outcome.wave else ''}")
    else:
        messages.info(request, "Nothing was changed.")

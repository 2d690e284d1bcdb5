"""What was done with a site: who, when, what and why; and the way back to a former record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from wagtail.admin.paginator import WagtailPaginator
from wagtail.models import ModelLogEntry

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.audit import GRANTED, JOB_CANCELLED, JOB_WANTED, REVOKED
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import REASON_LENGTH, EditSite, Outcome, StaleRecordError
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.change_rows import ChangeRow, change_rows, rows_of_outcome
from wagtail_multihost.control.dashboard.job_words import title_of_kind
from wagtail_multihost.control.dashboard.record_page import read_generation, say_outcome
from wagtail_multihost.control.dashboard.tabs import HISTORY, SiteTabView
from wagtail_multihost.control.edits import replace_record
from wagtail_multihost.control.grants import may_grant
from wagtail_multihost.control.models import CHANGE, FormerRecord, ManagedSite
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.exceptions import ConfigurationError, Problem

PER_PAGE = 20


class Entry(NamedTuple):
    """
    Something that was done, as it is shown. ``about`` says which kind of job was asked for. ``again`` is the address of
    the page that applies its record once more, blank where there is none, or where it is the one that the site has.
    """

    entry: ModelLogEntry
    who: str
    revision: int | None
    reason: str
    about: str
    rows: list[ChangeRow]
    again: str


class HistoryView(SiteTabView):
    """Everything that was done with a site, the latest first."""

    tab = HISTORY
    template_name = "multihost_control/history.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        paginator = WagtailPaginator(log_of(self.site, self.authority), PER_PAGE)
        page = paginator.get_page(request.GET.get("p"))
        context = {
            "entries": self.shown(list(page.object_list)),
            "page_obj": page,
            "elided_page_range": paginator.get_elided_page_range(page.number),
        }
        found: HttpResponseBase = self.render_to_response(self.get_context_data(**context))
        return found

    def shown(self, entries: list[ModelLogEntry]) -> list[Entry]:
        names = names_of_actors(self.authority, map(actor_of, entries))
        kept = self.kept_revisions(entries)
        return [
            Entry(
                entry,
                names[actor_of(entry)],
                revision_of(entry),
                str(entry.data.get("reason") or ""),
                kind_of_job(entry),
                change_rows(entry.data.get("changes") or ()),
                self.address_again(entry, kept),
            )
            for entry in entries
        ]

    def kept_revisions(self, entries: Iterable[ModelLogEntry]) -> set[int]:
        """Return the revisions whose record is kept and is not the site's."""
        revisions = [revision for revision in map(revision_of, entries) if revision is not None]
        former = FormerRecord.objects.filter(site=self.site, revision__in=revisions)
        return set(former.exclude(generation=self.site.generation).values_list("revision", flat=True))

    def address_again(self, entry: ModelLogEntry, kept: set[int]) -> str:
        revision = revision_of(entry)
        if revision not in kept or not self.authority.may(CHANGE, self.site.uid):
            return ""
        return reverse("multihost:site_apply_again", kwargs={"uid": self.site.uid, "revision": revision})


class ApplyAgainView(SiteTabView):
    """What would change if a former record were applied once more, and the button that does it."""

    tab = HISTORY
    action = CHANGE
    template_name = "multihost_control/apply_again.html"

    def get(self, request: HttpRequest, *, revision: int, **kwargs: Any) -> HttpResponseBase:
        return self.show(self.former(revision))

    def post(self, request: HttpRequest, *, revision: int, **kwargs: Any) -> HttpResponseBase:
        former = self.former(revision)
        expected = read_generation(request.POST)
        reason = request.POST.get("reason", "").strip()[:REASON_LENGTH] or f"As of revision {revision}"
        try:
            outcome = self.apply(former, expected, reason=reason)
        except StaleRecordError:
            return self.show(former, is_stale=True)
        except ConfigurationError as error:
            return self.show(former, error.problems)
        say_outcome(request, outcome)
        return HttpResponseRedirect(site_address(self.site.uid, HISTORY))

    def former(self, revision: int) -> FormerRecord:
        return get_object_or_404(FormerRecord, site=self.site, revision=revision)

    def apply(self, former: FormerRecord, expected: int, *, reason: str = "", dry_run: bool = False) -> Outcome:
        change = EditSite(self.site.uid, replace_record(former.record), expected)
        return apply_changes(self.authority, [change], reason=reason, dry_run=dry_run)

    def show(
        self, former: FormerRecord, problems: tuple[Problem, ...] = (), *, is_stale: bool = False
    ) -> HttpResponseBase:
        """Show what would change, or what is refused of it."""
        self.site.refresh_from_db()
        if self.site.retired_at is not None:
            raise Http404
        rows: list[ChangeRow] = []
        try:
            rows = rows_of_outcome(self.apply(former, self.site.generation, dry_run=True))
        except ConfigurationError as error:
            problems = problems or error.problems
        except StaleRecordError:
            is_stale = True
        context = {
            "former": former,
            "rows": rows,
            "problems": problems,
            "is_stale": is_stale,
            "generation": self.site.generation,
            "history_address": site_address(self.site.uid, HISTORY),
        }
        page: HttpResponseBase = self.render_to_response(self.get_context_data(**context))
        return page


def log_of(site: ManagedSite, authority: Authority) -> QuerySet[ModelLogEntry]:
    """
    Return what the audit log has of a site, the latest first. Rights over it, and so the names of groups, are for those
    who may give them.
    """
    kind = ContentType.objects.get_for_model(ManagedSite, for_concrete_model=False)
    entries: QuerySet[ModelLogEntry] = ModelLogEntry.objects.filter(content_type=kind, object_id=str(site.uid))
    if not may_grant(authority, site):
        entries = entries.exclude(action__in=[GRANTED, REVOKED])
    return entries.order_by("-timestamp", "-pk")


def actor_of(entry: ModelLogEntry) -> str:
    return str(entry.data.get("actor") or f"user:{entry.user_id}")


def kind_of_job(entry: ModelLogEntry) -> str:
    """Return which kind of job an entry is about; blank if it is about none."""
    is_job = entry.action in (JOB_WANTED, JOB_CANCELLED)
    return title_of_kind(str(entry.data.get("kind", ""))) if is_job else ""


def revision_of(entry: ModelLogEntry) -> int | None:
    revision = entry.data.get("revision")
    return revision if isinstance(revision, int) else None

"""The list of jobs."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import django_filters  # type: ignore[import-untyped]
from django import forms
from django.core.validators import RegexValidator
from django.db.models import Q, QuerySet
from django.utils import timezone
from wagtail.admin.ui.tables import BaseColumn, Column, DateColumn, TitleColumn

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.dashboard.addresses import page_address, site_address
from wagtail_multihost.control.dashboard.columns import Link, LinksColumn, LongTextColumn
from wagtail_multihost.control.dashboard.filters import ANY, FleetFilterSet
from wagtail_multihost.control.dashboard.foreign_text import NOT_OFFERED
from wagtail_multihost.control.dashboard.job_words import STATES, holder_of, progress_of, state_of, title_of_kind
from wagtail_multihost.control.dashboard.listing import ShownRowsView
from wagtail_multihost.control.jobs import may_read_result, visible_jobs
from wagtail_multihost.control.models import Job
from wagtail_multihost.nodeapi.job_kinds import KINDS

#: Wagtail repeats what is filtered by, and a link could have brought it.
IDS = [RegexValidator(r"^[A-Za-z0-9_-]+\Z", "Write an id, such as aurora.")]


class JobFilterSet(FleetFilterSet):
    """The filters of the list of jobs."""

    kind = django_filters.ChoiceFilter(
        label="Kind",
        choices=[(kind, title_of_kind(kind)) for kind in KINDS],
        empty_label=ANY,
        widget=forms.RadioSelect,
        error_messages=NOT_OFFERED,
    )
    state = django_filters.MultipleChoiceFilter(
        label="State",
        choices=list(STATES.items()),
        widget=forms.CheckboxSelectMultiple,
        distinct=False,
        error_messages=NOT_OFFERED,
    )
    site = django_filters.CharFilter(field_name="site__identifier", label="Site id", validators=IDS)
    node = django_filters.CharFilter(field_name="node_id", label="Node", validators=IDS)
    wish = django_filters.UUIDFilter(field_name="request", label="Wish")


class JobsView(ShownRowsView):
    """The jobs of all sites that the person may see, and those of no site for operators of the platform."""

    name = "jobs"
    model = Job
    page_title = "Jobs"
    header_icon = "tasks"
    verbose_name, verbose_name_plural = "job", "jobs"
    filterset_class = JobFilterSet
    default_ordering = "-wanted_at"
    empty_message = "Nobody has asked for a job yet. A site's tab Jobs has what can be asked for."
    next_step = ("sites", "Choose a site")
    export_filename = "jobs"

    def get_base_queryset(self) -> QuerySet[Any]:
        return visible_jobs(self.authority).defer("log", "site__record", "site__labels")

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.is_searching:
            return queryset
        text = self.search_query
        return queryset.filter(Q(site__identifier__icontains=text) | Q(node__id__icontains=text))

    @cached_property
    def columns(self) -> list[BaseColumn]:
        now = timezone.now()
        return [
            TitleColumn("kind", label="Kind", accessor=lambda job: title_of_kind(job.kind), get_url=job_address),
            LinksColumn("site", site_links, label="Site", sort_key="site__identifier"),
            LongTextColumn("node", lambda job: job.node_id or "", label="Node", sort_key="node_id"),
            Column("state", label="State", accessor=lambda job: state_of(job, now), sort_key="state"),
            LongTextColumn("progress", self.progress, label="Progress"),
            LongTextColumn("holder", holder_of, label="Done by"),
            DateColumn("lease_until", label="Held until"),
            DateColumn("deadline", label="Deadline", sort_key="deadline"),
            Column("actor", label="Who", accessor=lambda job: self.actors[job.actor]),
            DateColumn("wanted_at", label="When", sort_key="wanted_at"),
        ]

    def progress(self, job: Job) -> str:
        return progress_of(job) if may_read_result(self.authority, job) else ""

    @cached_property
    def actors(self) -> dict[str, str]:
        """What those who asked for the shown jobs are called."""
        return names_of_actors(self.authority, (job.actor for job in self.shown))

    @cached_property
    def export_columns(self) -> dict[str, Any]:
        now = timezone.now()
        return {
            "id": lambda job: str(job.pk),
            "wish": lambda job: str(job.request),
            "kind": lambda job: title_of_kind(job.kind),
            "site": lambda job: job.site.identifier if job.site else "",
            "node": lambda job: job.node_id or "",
            "state": lambda job: state_of(job, now),
            "progress": self.progress,
            "done by": holder_of,
            "deadline": lambda job: job.deadline,
            "actor": lambda job: self.actors[job.actor],
            "wanted": lambda job: job.wanted_at,
            "ended": lambda job: job.ended_at,
        }


def job_address(job: Job) -> str:
    return page_address("job", job=job.pk)


def site_links(job: Job) -> list[Link]:
    """Return the site of a job, with a link to its jobs where it is still there."""
    if job.site is None:
        return []
    is_there = job.site.retired_at is None
    return [Link(job.site.identifier, site_address(job.site.uid, "jobs") if is_there else "")]

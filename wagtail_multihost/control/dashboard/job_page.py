"""The page of a job: who asked for what, how far it is, and what its runner said."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.dashboard.addresses import page_address
from wagtail_multihost.control.dashboard.foreign_text import line_of
from wagtail_multihost.control.dashboard.job_listing import site_links
from wagtail_multihost.control.dashboard.job_words import holder_of, state_of, title_of_kind
from wagtail_multihost.control.dashboard.problems import tell_problems
from wagtail_multihost.control.guard import GuardedView
from wagtail_multihost.control.jobs import OPEN, cancel_job, may_read_result, visible_jobs
from wagtail_multihost.control.models import Job
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.job_kinds import KINDS
from wagtail_multihost.nodeapi.job_list import shown_log
from wagtail_multihost.nodeapi.jobs_v1 import MOST_LOG_BYTES, PROBLEM_LENGTH, PROGRESS_LENGTH

#: So many parameters are shown, whatever somebody wrote into the row.
MOST_PARAMETERS = 20


class JobView(WagtailAdminTemplateMixin, GuardedView):  # type: ignore[misc]
    """A job that may be seen. What is sent cancels it."""

    header_icon = "tasks"
    template_name = "multihost_control/job.html"
    job: Job

    def is_allowed(self, **kwargs: Any) -> bool:
        found = visible_jobs(self.authority).filter(pk=kwargs["job"]).first() if super().is_allowed() else None
        if found is None:
            return False
        self.job = found
        return True

    def get_page_title(self) -> str:
        return title_of_kind(self.job.kind)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        there = [{"url": page_address("jobs"), "label": "Jobs"}, {"url": "", "label": self.get_page_title()}]
        return [*self.breadcrumbs_items, *there]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        page: HttpResponseBase = self.render_to_response(self.get_context_data(**self.facts()))
        return page

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if not may_read_result(self.authority, self.job):
            raise Http404
        try:
            cancel_job(self.authority, self.job)
        except MultihostError as error:
            tell_problems(request, error)
        else:
            messages.success(request, "The job is cancelled. What was done by then stays done.")
        return redirect(page_address("job", job=self.job.pk))

    def facts(self) -> dict[str, Any]:
        """Return what the page shows: parameters and what the runner said only to who could have asked for the job."""
        job, reads = self.job, may_read_result(self.authority, self.job)
        known = KINDS.get(job.kind)
        parameters = list(job.parameters.items())[:MOST_PARAMETERS] if isinstance(job.parameters, dict) else []
        return {
            "job": job,
            "meaning": known.meaning if known else "",
            "sites": site_links(job),
            "state": state_of(job, timezone.now()),
            "is_open": job.state in OPEN,
            "who": names_of_actors(self.authority, [job.actor])[job.actor],
            "holder": holder_of(job),
            "reads": reads,
            "parameters": [(line_of(name), line_of(value)) for name, value in parameters] if reads else [],
            "progress": line_of(job.progress, PROGRESS_LENGTH) if reads else "",
            "problem": line_of(job.problem, PROBLEM_LENGTH) if reads else "",
            "log": shown_log(job.log[:MOST_LOG_BYTES]) if reads else "",
            "address": page_address("job", job=job.pk),
            "wish_address": f"{page_address('jobs')}?wish={job.request}",
        }

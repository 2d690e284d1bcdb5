"""A site's tab Jobs: what can be asked for, and what was asked for last."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from wagtail.admin import messages

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.dashboard.addresses import page_address, site_address
from wagtail_multihost.control.dashboard.job_forms import WishForm, wanted_forms
from wagtail_multihost.control.dashboard.job_words import progress_of, state_of, title_of_kind
from wagtail_multihost.control.dashboard.tabs import JOBS, SiteTabView
from wagtail_multihost.control.jobs import (
    Wanted,
    may_read_result,
    may_want,
    nodes_that_have,
    visible_jobs,
    want_job,
)
from wagtail_multihost.control.models import Job
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.job_kinds import KINDS

LATEST = 20


class SiteJobsView(SiteTabView):
    """The forms that ask for a job, and the latest jobs. What is sent names the ``kind``."""

    tab = JOBS
    template_name = "multihost_control/site_jobs.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        kind = KINDS.get(request.POST.get("kind", ""))
        if kind is None or not may_want(self.authority, kind, self.site.uid):
            raise Http404
        form = WishForm(kind, self.nodes(), request.POST)
        if form.is_valid():
            node, reason = form.cleaned_data.get("node") or None, form.cleaned_data["reason"]
            try:
                wanted = want_job(self.authority, kind.name, self.site, form.parameters, node, reason=reason)
            except MultihostError as error:
                form.add_problems(error)
            else:
                messages.success(request, words_of(wanted))
                return redirect(site_address(self.site.uid, JOBS))
        return self.show(form)

    def nodes(self) -> list[str]:
        return [*nodes_that_have(self.site).values_list("pk", flat=True)]

    def show(self, sent: WishForm | None = None) -> HttpResponseBase:
        forms = wanted_forms(self.authority, self.site, self.nodes())
        jobs = list(visible_jobs(self.authority).filter(site=self.site).defer("log")[:LATEST])
        context = {
            "forms": [sent if sent and sent.kind == form.kind else form for form in forms],
            "rows": self.rows(jobs),
            "address": site_address(self.site.uid, JOBS),
            "all_address": f"{page_address('jobs')}?site={self.site.identifier}",
        }
        page: HttpResponseBase = self.render_to_response(self.get_context_data(**context))
        return page

    def rows(self, jobs: list[Job]) -> list[dict[str, Any]]:
        names, now = names_of_actors(self.authority, (job.actor for job in jobs)), timezone.now()
        return [
            {
                "title": title_of_kind(job.kind),
                "url": page_address("job", job=job.pk),
                "node": job.node_id or "",
                "state": state_of(job, now),
                "progress": progress_of(job) if may_read_result(self.authority, job) else "",
                "who": names[job.actor],
                "at": job.wanted_at,
            }
            for job in jobs
        ]


def words_of(wanted: Wanted) -> str:
    count = len(wanted.jobs)
    jobs = "1 job" if count == 1 else f"{count} jobs"
    return f"{jobs} asked for." if wanted.is_new else f"It was asked for already: {jobs} waiting."

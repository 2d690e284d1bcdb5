"""Jobs: what there is to ask for, asking for it, and how it goes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from ninja import Path, Query, Router, Status

from wagtail_multihost.control.actors import shown_actor
from wagtail_multihost.control.api.answers import WITH_BODY, answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in
from wagtail_multihost.control.api.schemas import (
    JobBody,
    JobChanged,
    JobKindList,
    JobOut,
    JobPage,
    JobsWanted,
)
from wagtail_multihost.control.api.sites import get_site
from wagtail_multihost.control.api.texts import NO_NUL, Limit, SiteId
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.jobs import cancel_job, get_job, may_read_result, visible_jobs, want_job
from wagtail_multihost.control.models import Job
from wagtail_multihost.nodeapi.job_kinds import KINDS
from wagtail_multihost.nodeapi.jobs_v1 import STATES
from wagtail_multihost.spec.identifiers import SITE_ID_LENGTH
from wagtail_multihost.spec.printing import escape_unprintable, one_line

router = Router(tags=["Jobs"])
JobId = Annotated[UUID, Path(description="The id of the job.")]
OneSite = Annotated[str, Query(pattern=NO_NUL, max_length=SITE_ID_LENGTH, description="The id of one site alone.")]
OneState = Annotated[str, Query(pattern=f"^({'|'.join(STATES)})?$", description="One state alone.")]
OneKind = Annotated[str, Query(pattern=f"^({'|'.join(KINDS)})?$", description="One kind alone.")]
OneRequest = Annotated[UUID | None, Query(alias="request", description="The jobs of one wish alone.")]
BeforeJob = Annotated[UUID | None, Query(description="Only what was asked for before this job.")]


@router.get(
    "/job-kinds", operation_id="list_job_kinds", summary="List the kinds of jobs", response=answers(JobKindList)
)
def list_job_kinds(request: HttpRequest) -> JobKindList:
    """The list is closed: no job states a program or a path."""
    kinds = [
        {
            "name": kind.name,
            "meaning": kind.meaning,
            "runner": kind.runner,
            "right": kind.right,
            "for_operators": kind.for_operators,
            "on_each": kind.on_each,
            "seconds": kind.seconds,
            "parameters": [{"name": name, "meaning": one.meaning} for name, one in kind.parameters.items()],
        }
        for kind in KINDS.values()
    ]
    return JobKindList.model_validate({"kinds": kinds})


@router.get("/jobs", operation_id="list_jobs", summary="List jobs", response=answers(JobPage, 404))
def list_jobs(
    request: HttpRequest,
    site: OneSite = "",
    state: OneState = "",
    kind: OneKind = "",
    wish: OneRequest = None,
    before: BeforeJob = None,
    limit: Limit = 100,
) -> JobPage:
    """The latest come first: those of the sites that may be seen."""
    authority = authority_in(request)
    found = visible_jobs(authority)
    if site:
        found = found.filter(site=get_site(authority, site).uid)
    for name, value in (("state", state), ("kind", kind), ("request", wish)):
        if value:
            found = found.filter(**{name: value})
    if before is not None:
        last = get_job(authority, before)
        found = found.filter(Q(wanted_at__lt=last.wanted_at) | Q(wanted_at=last.wanted_at, id__lt=last.pk))
    page = [*found.defer("log")[: limit + 1]]
    return JobPage(
        jobs=[job_out(authority, job) for job in page[:limit]], next=page[limit - 1].pk if len(page) > limit else None
    )


@router.post(
    "/sites/{identifier}/jobs",
    operation_id="want_job",
    summary="Ask for a job",
    response=answers(JobsWanted, 404, 409, *WITH_BODY, status=202),
)
def want(request: HttpRequest, identifier: SiteId, body: JobBody) -> Status[JobsWanted]:
    """
    What is done on nodes makes a job for each that has the site. What waits already is not asked for twice: the answer
    has the job that there is.
    """
    authority = authority_in(request)
    site = get_site(authority, identifier)
    wanted = want_job(authority, body.kind, site, body.parameters, body.node, reason=body.reason)
    jobs = [job_out(authority, job) for job in wanted.jobs]
    return Status(202, JobsWanted(revision=current_revision(), changed=wanted.is_new, jobs=jobs))


@router.get("/jobs/{job}", operation_id="get_job", summary="Read a job", response=answers(JobOut, 404))
def read_job(request: HttpRequest, job: JobId) -> JobOut:
    """With its log, for those who could have asked for it."""
    authority = authority_in(request)
    return job_out(authority, get_job(authority, job), with_log=True)


@router.post(
    "/jobs/{job}/cancel", operation_id="cancel_job", summary="Cancel a job", response=answers(JobChanged, 404, 409)
)
def cancel(request: HttpRequest, job: JobId) -> JobChanged:
    """One that is being done is stopped as soon as its runner asks whether it may go on."""
    authority = authority_in(request)
    cancelled = cancel_job(authority, get_job(authority, job))
    return JobChanged(revision=current_revision(), job=job_out(authority, cancelled))


def job_out(authority: Authority, job: Job, *, with_log: bool = False) -> JobOut:
    """Return a job as who asks may see it. What a runner wrote is shown escaped, whatever it was."""
    reads = may_read_result(authority, job)
    row = {
        "id": job.pk,
        "request": job.request,
        "kind": job.kind,
        "site": job.site.identifier if job.site else None,
        "node": job.node_id,
        "parameters": {name: str(value) for name, value in job.parameters.items()} if reads else None,
        "actor": shown_actor(authority, job.actor),
        "wanted_at": job.wanted_at,
        "deadline": job.deadline,
        "state": job.state,
        "holder": one_line(job.holder) if authority.sees_all else "",
        "attempts": job.fence,
        "progress": one_line(job.progress) if reads else "",
        "log": escape_unprintable(job.log) if reads and with_log else None,
        "problem": one_line(job.problem) if reads else "",
        "ended_at": job.ended_at,
    }
    return JobOut.model_validate(row)

"""Jobs in words."""

from __future__ import annotations

from datetime import datetime

from wagtail_multihost.control.dashboard.foreign_text import line_of
from wagtail_multihost.control.models import Job
from wagtail_multihost.nodeapi.job_kinds import KINDS
from wagtail_multihost.nodeapi.jobs_v1 import CANCELLED, ENDED, FAILED, HOLDER_LENGTH, TAKEN, WAITING

STATES = {
    WAITING: "Waiting",
    TAKEN: "Being done",
    ENDED: "Done",
    FAILED: "Failed",
    CANCELLED: "Cancelled",
}
LATE = "Waiting, and too late"
SILENT = "Being done, and silent"
PROGRESS_LENGTH = 200


def title_of_kind(name: str) -> str:
    """Return what a kind of job is called; one of another version, or of nobody's, is called by its name."""
    return name.replace("-", " ").capitalize() if name in KINDS else line_of(name, PROGRESS_LENGTH)


def state_of(job: Job, now: datetime) -> str:
    """Return how far a job is: one whose runner is late or silent is ended only when the next runner looks."""
    if job.state == WAITING and job.deadline <= now:
        return LATE
    if job.state == TAKEN and job.lease_until is not None and job.lease_until <= now:
        return SILENT
    return STATES.get(job.state, line_of(job.state, PROGRESS_LENGTH))


def holder_of(job: Job) -> str:
    """Return who does a job, or did it last."""
    return line_of(job.holder, HOLDER_LENGTH)


def progress_of(job: Job) -> str:
    """Return the last that was said of a job: why it failed, or how far it is."""
    return line_of(job.problem or job.progress, PROGRESS_LENGTH)

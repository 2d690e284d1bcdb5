"""Jobs of the courier: a check of a hostname that somebody asked for and follows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from wagtail_multihost.nodeapi import courier_v1, jobs_v1
from wagtail_multihost.nodeapi.job_list import Ending, JobList, TakenJob
from wagtail_multihost.operations.courier.proofs import Check, Finding
from wagtail_multihost.operations.courier.work_list import FAILED, WorkList
from wagtail_multihost.spec.printing import one_line

logger = logging.getLogger(__name__)
NO_CHALLENGE = "The site has no challenge of the hostname any more: nobody waits for its proof."


class CheckOfJob(NamedTuple):
    """A job, and the check that it asks for."""

    job: TakenJob
    check: Check


class CheckJobs:
    """Jobs as work of the courier: ``look`` says whether a challenge is published."""

    def __init__(self, work_list: WorkList, look: Callable[[Check], Finding], most: int) -> None:
        self.work_list, self.look, self.most = work_list, look, most
        self.jobs = JobList(work_list.ask_newer, courier_v1.SCHEMA, jobs_v1.COURIER, work_list.worker)

    def take(self, room: int) -> list[CheckOfJob]:
        found: list[CheckOfJob] = []
        while len(found) < room and (job := self.jobs.take()):
            rows = self.work_list.ask_newer(jobs_v1.TAKE_CHECK, (job.id, job.lease, self.work_list.worker))
            if rows:
                found.append(CheckOfJob(job, Check(*rows[0])))
            else:
                self.jobs.end(job, Ending(NO_CHALLENGE))
        return found

    def carry_out(self, item: CheckOfJob) -> Finding:
        try:
            return self.look(item.check)
        except Exception:
            logger.exception("The check of %s failed.", one_line(item.check.name))
            return FAILED

    def report(self, item: CheckOfJob, finding: Finding) -> None:
        is_ours = self.work_list.report(item.check, finding)
        shown = finding.problem or f"proven ({finding.method})"
        logger.info("%s: %s", one_line(item.check.name), shown if is_ours else "the check took longer than its lease.")
        self.jobs.end(item.job, Ending(finding.problem, progress="" if finding.problem else shown))

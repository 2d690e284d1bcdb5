"""The jobs of a runner: taking one, and saying how it goes. Whoever runs them brings what asks the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi import jobs_v1
from wagtail_multihost.nodeapi.job_kinds import refuse_taken
from wagtail_multihost.spec.printing import escape_unprintable, one_line

#: Asks the database: a statement and its values.
Ask = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]


class TakenJob(NamedTuple):
    """A job that was taken: what it asks for, and the ``lease`` by which this runner alone may report on it."""

    id: UUID
    lease: UUID
    fence: int
    kind: str
    site: str | None
    uid: UUID | None
    parameters: Mapping[str, str]
    seconds: float


class Ending(NamedTuple):
    """How a job ended: well if there is no ``problem``. The ``log`` is what is shown of what it printed."""

    problem: str = ""
    log: str = ""
    progress: str = ""


class JobList:
    """
    The jobs of a kind of ``runner`` in the database that ``ask`` asks. ``schema`` has its functions, and ``holder``
    names this process to people.
    """

    def __init__(self, ask: Ask, schema: str, runner: str, holder: str) -> None:
        self.ask, self.schema, self.runner, self.holder = ask, schema, runner, holder

    def take(self) -> TakenJob | None:
        """
        Return the next job, None if there is none. One that this runner does not know ends here, with a sentence, and
        the next one is looked for.
        """
        while rows := self.ask(jobs_v1.take_statement(self.schema), (self.holder,)):
            job = TakenJob(*rows[0])
            try:
                return job._replace(parameters=refuse_taken(self.runner, job.kind, job.site, job.parameters))
            except ConfigurationError as error:
                self.end(job, Ending(" ".join(str(problem) for problem in error.problems)))
        return None

    def go_on(self, job: TakenJob, *, progress: str | None = None, log: str = "") -> bool:
        """Hold a job for longer; return False if it is not this runner's any more, or was cancelled."""
        return self.report(job, jobs_v1.TAKEN, progress, log, "")

    def end(self, job: TakenJob, ending: Ending) -> bool:
        """Say how a job ended; return whether it was still this runner's."""
        state = jobs_v1.FAILED if ending.problem else jobs_v1.ENDED
        return self.report(job, state, ending.progress or None, ending.log, ending.problem)

    def give_back(self, job: TakenJob) -> bool:
        """Let another runner, or this one later, do the job from its beginning."""
        return self.report(job, jobs_v1.WAITING, None, "", "")

    def report(self, job: TakenJob, state: str, progress: str | None, log: str, problem: str) -> bool:
        values = (
            *(job.id, job.lease, state, progress and one_line(progress)[: jobs_v1.PROGRESS_LENGTH]),
            *(shown_log(log), one_line(problem)[: jobs_v1.PROBLEM_LENGTH]),
        )
        rows = self.ask(jobs_v1.report_statement(self.schema), values)
        return bool(rows and rows[0][0])


def shown_log(text: str) -> str:
    """Return what a job printed as it is kept: escaped, since a site may have written it, and cut."""
    return escape_unprintable(text.replace("\0", ""))[: jobs_v1.MOST_LOG_BYTES]

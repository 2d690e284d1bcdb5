"""
Jobs of this node: taken one at a time, and done beside the agent's own work, which never waits for them.

A thread with a connection of its own takes them. What starts anything does so in a process of its own, and everything
is done in small steps, so that a job is held on to, given back, or given up in time. The node's agent may be killed at
any moment: what was begun is done again from the beginning once the lease has ended.
"""

from __future__ import annotations

import logging
import os
import random
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.nodeapi import jobs_v1, v1
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.job_list import Ending, JobList, TakenJob
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.stopping import is_told_to_stop

if TYPE_CHECKING:
    from wagtail_multihost.node.agent import Agent

logger = logging.getLogger(__name__)

#: Seconds between looks for jobs where the bell is heard, and where it is not.
POLL, WITHOUT_BELL = 30.0, 2.0
#: Seconds between attempts while the database is away, or refuses.
FIRST_AWAY, LONGEST_AWAY = 1.0, 60.0
#: So often a job that is being done is held on to, well within its lease.
HOLD_SECONDS = jobs_v1.LEASE_SECONDS / 4
STEP_SECONDS = 0.5
#: Seconds that the thread has to stop when the agent does.
STOP_SECONDS = 20.0
FAILED = "The agent could not do it. Its log says why."
LATE = "It was not done in time."


class LeftError(Exception):
    """A job is not this node's any more, or is to be given back."""

    def __init__(self, reason: str, *, gives_back: bool = False) -> None:
        self.gives_back = gives_back
        super().__init__(reason)


class LeaseKeeper:
    """Holds on to a job while it is being done; ``is_stopping`` says whether the agent is told to stop."""

    def __init__(self, jobs: JobList, job: TakenJob, is_stopping: Callable[[], bool]) -> None:
        self.jobs, self.job, self.is_stopping = jobs, job, is_stopping
        self.deadline = time.monotonic() + job.seconds
        self.held_at = time.monotonic()

    @property
    def seconds(self) -> float:
        """How many seconds are left."""
        return max(0.0, self.deadline - time.monotonic())

    def step(self, progress: str | None = None) -> None:
        """
        Hold on to the job. Raises LeftError if it was lost or cancelled, or must be given back, and MultihostError
        after its deadline.
        """
        if self.is_stopping():
            raise LeftError("The agent stops.", gives_back=True)
        now = time.monotonic()
        if now >= self.deadline:
            raise MultihostError(LATE)
        if progress is None and now - self.held_at < HOLD_SECONDS:
            return
        try:
            is_ours = self.jobs.go_on(self.job, progress=progress)
        except UnreachableError:
            if now - self.held_at < jobs_v1.LEASE_SECONDS:
                return
            is_ours = False
        if not is_ours:
            raise LeftError("It was cancelled, or taken by another runner.")
        self.held_at = now

    def pause(self, seconds: float, *descriptors: int) -> bool:
        """Wait, at most so long, until a descriptor can be read; return whether one can. Raises as ``step`` does."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.step()
            if select.select(descriptors, [], [], min(left, STEP_SECONDS))[0]:
                return True
        return False


#: Does a job of one kind. Raises MultihostError or OSError where it cannot be done.
Do = Callable[[TakenJob, LeaseKeeper], Ending]


class JobRunner:
    """
    Takes the jobs of the node, and does each by what ``kinds`` has for its kind; none before ``is_ready`` says that the
    node has applied its sites. ``find_url`` returns where its registry is: a node that joins gets another login.
    """

    def __init__(
        self, find_url: Callable[[], str], kinds: Mapping[str, Do], stopping: int, is_ready: Callable[[], bool]
    ) -> None:
        self.find_url, self.kinds, self.stopping, self.is_ready = find_url, kinds, stopping, is_ready
        self.url = find_url()
        self.database = NodeDatabase(self.url, channel=jobs_v1.CHANNEL)
        self.jobs = JobList(self.ask, v1.SCHEMA, jobs_v1.NODE, f"{socket.gethostname()}/{os.getpid()}")
        self.ended, self.end = os.pipe()
        self.thread = threading.Thread(target=self.run, name="jobs", daemon=True)
        self.failures = 0

    def ask(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        row = self.database.ask(statement, values)
        return [row] if row else []

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Give back what is being done, and end."""
        os.close(self.end)
        self.thread.join(STOP_SECONDS)
        if not self.thread.is_alive():
            os.close(self.ended)

    def is_stopping(self) -> bool:
        # The descriptor is the agent's own to read: it can be read after other signals too, which end nothing.
        return is_told_to_stop(self.stopping) or bool(select.select([self.ended], [], [], 0)[0])

    def run(self) -> None:
        while not self.is_stopping():
            self.wait(self.turn())
        self.database.close()

    def turn(self) -> float:
        """Do what is to be done; return how many seconds to wait at most."""
        if not self.is_ready():
            return WITHOUT_BELL
        if self.url != (url := self.find_url()):
            self.url = url
            self.database.follow(url)
        try:
            while not self.is_stopping() and (job := self.jobs.take()):
                self.carry_out(job)
        except (UnreachableError, RefusedError) as error:
            self.failures += 1
            if self.failures == 1:
                logger.warning("Jobs: %s", error)
            return min(FIRST_AWAY * 2.0**self.failures, LONGEST_AWAY)
        except Exception:
            logger.exception("Jobs cannot be done.")
            self.database.close()
            return LONGEST_AWAY
        self.failures = 0
        return POLL if self.database.has_bell else WITHOUT_BELL

    def wait(self, seconds: float) -> None:
        """Wait for a bell; not all nodes ask at once."""
        seconds *= random.uniform(0.8, 1.2)  # noqa: S311
        if self.failures:
            select.select([self.ended], [], [], seconds)
        else:
            self.database.wait(seconds, self.ended)

    def carry_out(self, job: TakenJob) -> None:
        keeper = LeaseKeeper(self.jobs, job, self.is_stopping)
        what = f"{job.kind} of {one_line(job.site)}"
        logger.info("Job %s: %s, attempt %d.", job.id, what, job.fence)
        try:
            ending = self.do(job, keeper)
        except LeftError as error:
            logger.warning("Job %s: %s: %s", job.id, what, error)
            if error.gives_back:
                self.jobs.give_back(job)
            return
        logger.info("Job %s: %s: %s", job.id, what, one_line(ending.problem) or "done")
        self.report(job, ending, keeper)

    def do(self, job: TakenJob, keeper: LeaseKeeper) -> Ending:
        try:
            return self.kinds[job.kind](job, keeper)
        except (MultihostError, OSError) as error:
            return Ending(str(error))
        except LeftError:
            raise
        except Exception:
            logger.exception("Job %s failed.", job.id)
            return Ending(FAILED)

    def report(self, job: TakenJob, ending: Ending, keeper: LeaseKeeper) -> None:
        """Say how a job ended, also after a short absence of the database."""
        while True:
            try:
                if not self.jobs.end(job, ending):
                    logger.warning("Job %s: it was not this node's any more.", job.id)
            except UnreachableError:
                if time.monotonic() - keeper.held_at >= jobs_v1.LEASE_SECONDS or self.is_stopping():
                    raise
                select.select([self.ended], [], [], FIRST_AWAY)
            else:
                return


@contextmanager
def running_jobs(agent: Agent) -> Iterator[None]:
    """Do the jobs of the agent's node while the block runs."""
    from wagtail_multihost.node.job_kinds import node_kinds

    runner = JobRunner(lambda: agent.database.target.url, node_kinds(agent), agent.stopping, lambda: agent.is_ready)
    runner.start()
    try:
        yield
    finally:
        runner.stop()

"""The runs of one probe, each in a daemon thread of its own, which nothing waits for."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from itertools import islice

from wagtail_multihost.health.once_logger import OnceLogger
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import Outcome
from wagtail_multihost.health.report import ProbeEntry, ProbeResult
from wagtail_multihost.health.status import Criticality, Status

JITTER = 0.1
MAX_OUTCOMES = 1000
ERROR: tuple[Outcome, ...] = (Outcome(Status.FAIL, "error"),)
STUCK = (Outcome(Status.FAIL, "stuck"),)


class Task:
    """
    The runs of ``entry``'s probe: the result of the last, and when the next is due. Only the sampler's thread changes
    it, except ``done``, which a run sets when it ends.
    """

    def __init__(self, entry: ProbeEntry, options: HealthOptions) -> None:
        self.entry = entry
        self.due = 0.0
        self.began: float | None = None
        self.is_stuck = False
        self.was_slow = False
        self.result: ProbeResult | None = None
        self.done: tuple[tuple[Outcome, ...], float] | None = None
        self.once_logger = OnceLogger()
        self.interval = entry.probe.interval or options.interval
        self.retry = entry.probe.retry or options.retry

    def __str__(self) -> str:
        return f"The probe {self.entry.name} of {self.entry.site or 'this process'}"

    @property
    def is_critical(self) -> bool:
        return self.entry.probe.criticality is Criticality.CRITICAL

    @property
    def is_running(self) -> bool:
        return self.began is not None

    def is_due(self, now: float) -> bool:
        return self.began is None and self.due <= now

    def holds_place(self, now: float, patience: float) -> bool:
        return self.began is not None and not self.is_stuck and now < self.began + patience

    def start(self, now: float, wake: Callable[[], None]) -> None:
        """Start a run, which calls ``wake`` when it has ended."""
        self.began, self.done, self.is_stuck = now, None, False
        name = f"multihost-probe-{self.entry.name}"
        try:
            threading.Thread(target=self.measure, args=(wake,), name=name, daemon=True).start()
        except RuntimeError:  # the container has no more threads, or the interpreter is shutting down
            self.once_logger.log("%s cannot be run.", self, traceback=True)
            self.done = (ERROR, now)
            wake()

    def measure(self, wake: Callable[[], None]) -> None:
        outcomes = ERROR
        try:
            with self.once_logger.collect():
                outcomes = run_probe(self.entry)
            self.once_logger.forget_passed(outcomes)
        except BaseException:  # a probe may raise anything, SystemExit too, and still needs a result
            self.once_logger.log("%s failed.", self, traceback=True)
        finally:
            self.done = (outcomes, time.monotonic())
            wake()

    def finish(self, patience: float) -> bool:
        """Take the outcomes of a run that has ended; return whether one has."""
        if self.began is None or self.done is None:
            return False
        outcomes, ended = self.done
        self.result = self.make_result(outcomes, ended)
        pause = self.interval if self.result.status is Status.PASS else self.retry
        self.due = ended + pause * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # it only spreads the runs
        self.was_slow = self.is_stuck or self.result.duration > patience
        self.began = None
        return True

    def notice_stuck(self, now: float, limit: float) -> bool:
        """Notice that a run has taken more than ``limit`` seconds; return whether that is new."""
        if self.began is None or self.is_stuck or now < self.began + limit:
            return False
        self.is_stuck = True
        self.result = self.make_result(STUCK, now)
        self.once_logger.log("%s is stuck.", self)
        return True

    def make_result(self, outcomes: tuple[Outcome, ...], ended: float) -> ProbeResult:
        began = self.began if self.began is not None else ended
        moment = time.time() - (time.monotonic() - ended)
        return ProbeResult(self.entry, outcomes, ended, moment, ended - began)


def run_probe(entry: ProbeEntry) -> tuple[Outcome, ...]:
    """Run the probe and return its outcomes; raises TypeError if it yields anything else."""
    outcomes = tuple(islice(entry.probe.measure(), MAX_OUTCOMES))
    if not all(isinstance(outcome, Outcome) and isinstance(outcome.status, Status) for outcome in outcomes):
        raise TypeError("A probe must yield outcomes, each with a Status.")
    return outcomes or ERROR

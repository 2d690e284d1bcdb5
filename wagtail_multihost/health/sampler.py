"""
The sampler: a thread that runs probes again and again, and publishes a report that requests only read.

Every probe runs in a daemon thread of its own, which nobody waits for: one that hangs is shown as ``stuck``, and is
not started again before it has ended.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import Outcome
from wagtail_multihost.health.report import Entry, Report, Result, make_report
from wagtail_multihost.health.status import Criticality, Status

JITTER = 0.1

logger = logging.getLogger("wagtail_multihost.health")

Changed = Callable[[Report | None, Report], None]


class Sampler:
    """
    Samples ``entries`` for ``sites`` once somebody asks, in each process that is asked: what was started before a fork
    is not the child's. ``changed`` is called with the last report (None the first time) and each new one.
    """

    def __init__(
        self, entries: Iterable[Entry], sites: Iterable[str], options: HealthOptions, changed: Changed | None = None
    ) -> None:
        self.entries = tuple(entries)
        self.sites = tuple(sites)
        self.options = options
        self.changed = changed
        self._round: Round | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def report(self) -> Report | None:
        """The last report of this process; None before the first."""
        current = self._round
        return current.report if current and current.pid == os.getpid() else None

    def ask(self) -> Report | None:
        """Return the last report, and see to it that there will be a next one. Never waits."""
        current = self._round
        if current is None or current.pid != os.getpid() or not current.is_running:
            current = self._begin()
        current.asked = time.monotonic()
        return current.report

    def wait(self, seconds: float) -> Report | None:
        """Return the last report; where there is none yet, wait for it for at most ``seconds``."""
        report = self.ask()
        current = self._round
        if report is None and current is not None:
            current.first.wait(seconds)
            report = current.report
        return report

    def stop(self) -> None:
        """End the sampler's thread; a later question starts another."""
        current, self._round = self._round, None
        if current:
            current.stop()

    def _begin(self) -> Round:
        if self._pid != os.getpid():  # a lock that a thread of the parent had would stay locked here
            self._lock, self._pid = threading.Lock(), os.getpid()
        with self._lock:
            current = self._round
            if current is None or current.pid != os.getpid() or not current.is_running:
                known = current.report if current and current.pid == os.getpid() else None
                current = self._round = Round(self, known)
                current.start()
            return current


class Task:
    """One probe's runs: when the next is due, and what the last found. Only the sampler's thread changes it."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.due = 0.0
        self.began: float | None = None
        self.is_stuck = False
        self.result: Result | None = None
        self.done: tuple[tuple[Outcome, ...], float] | None = None

    @property
    def deadline(self) -> float:
        """When something is to be done next: the next run, or what is told of one that hangs."""
        if self.began is None:
            return self.due
        return float("inf") if self.is_stuck else self.began + self.entry.probe.timeout


class Round:
    """The sampler of one process, from its start until it is stopped or nobody asks any more."""

    def __init__(self, sampler: Sampler, report: Report | None) -> None:
        self.pid = os.getpid()
        self.sampler = sampler
        self.options = sampler.options
        self.report = report
        self.asked = time.monotonic()
        self.first = threading.Event()
        self.tasks = [Task(entry) for entry in sampler.entries]
        self.stopped = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="multihost-sampler", daemon=True)

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive() and not self.stopped

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopped = True
        self._wake.set()

    def _run(self) -> None:
        try:
            while not self.stopped and time.monotonic() - self.asked < self.options.idle:
                self._wake.clear()
                if self._advance(time.monotonic()):
                    self._publish()
                nearest = min((task.deadline for task in self.tasks), default=float("inf"))
                self._wake.wait(min(max(0.0, nearest - time.monotonic()), self.options.idle))
        except Exception:
            logger.exception("The sampler of probes has ended; the next question starts it again.")
        finally:
            self.stopped = True

    def _advance(self, now: float) -> bool:
        """Take what has ended, tell of what hangs, and start what is due; return whether anything is new."""
        changes = [self._finish(task) or self._tell_stuck(task, now) for task in self.tasks]
        for task in self.tasks:
            if task.began is None and task.due <= now:
                self._start(task, now)
        return any(changes) or not self.tasks

    def _start(self, task: Task, now: float) -> None:
        task.began, task.done, task.is_stuck = now, None, False
        threading.Thread(
            target=self._measure, args=(task,), name=f"multihost-probe-{task.entry.name}", daemon=True
        ).start()

    def _measure(self, task: Task) -> None:
        try:
            outcomes = tuple(task.entry.probe.measure()) or (Outcome(Status.FAIL, "error"),)
        except Exception:  # drivers raise errors of many classes, and a probe must get an answer
            logger.exception("The probe %s of %s failed.", task.entry.name, task.entry.site or "this process")
            outcomes = (Outcome(Status.FAIL, "error"),)
        task.done = (outcomes, time.monotonic())
        self._wake.set()

    def _finish(self, task: Task) -> bool:
        if task.began is None or task.done is None:
            return False
        outcomes, ended = task.done
        task.result = self._result(task, outcomes, ended)
        task.due = ended + self._pause(task) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # it only spreads
        task.began = None
        return True

    def _tell_stuck(self, task: Task, now: float) -> bool:
        if task.began is None or task.is_stuck or now < task.began + task.entry.probe.timeout:
            return False
        task.is_stuck = True
        task.result = self._result(task, (Outcome(Status.FAIL, "stuck"),), now)
        logger.warning("The probe %s of %s is stuck.", task.entry.name, task.entry.site or "this process")
        return True

    def _result(self, task: Task, outcomes: tuple[Outcome, ...], ended: float) -> Result:
        began = task.began if task.began is not None else ended
        moment = time.time() - (time.monotonic() - ended)
        return Result(task.entry, outcomes, ended, moment, ended - began)

    def _pause(self, task: Task) -> float:
        probe = task.entry.probe
        if task.result is not None and task.result.status is Status.PASS:
            return probe.interval or self.options.interval
        return probe.retry or self.options.retry

    def _publish(self) -> None:
        """Publish a report, once every critical probe has been heard."""
        if any(task.result is None and is_critical(task) for task in self.tasks):
            return
        before, now = self.report, time.monotonic()
        results = [task.result for task in self.tasks if task.result is not None]
        options = self.options
        self.report = make_report(
            results, self.sampler.sites, quorum=options.quorum, stale=options.stale, now=now, time=time.time()
        )
        self.first.set()
        if self.sampler.changed:
            self.sampler.changed(before, self.report)


def is_critical(task: Task) -> bool:
    return task.entry.probe.criticality is Criticality.CRITICAL


def run_once(entries: Sequence[Entry], sites: Iterable[str], options: HealthOptions) -> Report:
    """Return the report of one run of every probe, each held to its timeout: for commands."""
    patient = Round(Sampler(entries, sites, options), None)
    patient.start()
    while any(task.result is None for task in patient.tasks):
        patient.asked = time.monotonic()
        patient.first.wait(0.01)
        time.sleep(0.005)
    patient.stop()
    results = [task.result for task in patient.tasks if task.result is not None]
    now = time.monotonic()
    return make_report(results, sites, quorum=options.quorum, stale=options.stale, now=now, time=time.time())

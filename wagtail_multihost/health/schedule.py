"""The thread that runs the probes of one process repeatedly."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable

from wagtail_multihost.health.change_notifier import ChangeNotifier, OnChange
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.report import ProbeEntry, Report, make_report
from wagtail_multihost.health.task import Task

THREAD = "multihost-sampler"
#: For how many seconds events are collected before they are handled, and the shortest time between two reports, per
#: probe: hundreds of sites must not keep a processor busy.
SETTLE = 0.01
PUBLISH = 0.0002
#: After how many seconds of delay the thread counts as held up: because a machine or container was suspended, or the
#: server runs threads only while it answers a request.
GRACE = 1.0

logger = logging.getLogger("wagtail_multihost.health")


class Schedule:
    """
    The runs of ``entries`` for ``sites`` in one process. Its thread ends when requests stop, and the next request
    starts another, which continues from the same state: a probe that still hangs is not run a second time.
    """

    def __init__(
        self,
        entries: Iterable[ProbeEntry],
        sites: Iterable[str],
        options: HealthOptions,
        changed: OnChange | None = None,
        patience: float = 0,
    ) -> None:
        self.options = options
        self.sites = tuple(sites)
        self.tasks = [Task(entry, options) for entry in entries]
        self.notifier = ChangeNotifier(changed) if changed else None
        self.report: Report | None = None
        #: After how many seconds a run is slow, and gives up its place to others.
        self.patience = patience or options.budget / 1000
        self._asked = self._wakes = self._expected_until = self._next_report = 0.0
        self._has_news = self._stopped = self._has_logged = False
        self._heard = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self) -> Report | None:
        """Return the last report, and keep the thread running. Never waits."""
        self._asked = now = time.monotonic()
        if self._thread is None or self._stopped:
            self._try_to_begin()
        elif now > self._wakes + GRACE and self._heard.is_set():
            self._expect(now)
        return self.report

    def is_awaited(self) -> bool:
        """Return whether a newer report is worth waiting for: the first one since the start, or since a delay."""
        return not self._heard.is_set() and time.monotonic() < self._expected_until

    def wait(self, seconds: float) -> Report | None:
        """Return the last report; wait at most ``seconds`` for one that is worth it."""
        self.ask()
        if self.is_awaited():
            self._heard.wait(min(seconds, max(0.0, self._expected_until - time.monotonic())))
        return self.report

    def begin(self) -> None:
        """Start the thread unless it runs; raises RuntimeError if it cannot be started."""
        with self._lock:
            self._stopped = False
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
                thread.start()  # it does nothing before it gets the lock
                self._thread, self._asked = thread, time.monotonic()
                self._expect(self._asked)

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def _try_to_begin(self) -> None:
        try:
            self.begin()
        except RuntimeError:
            if not self._has_logged:
                logger.exception("The thread that runs probes cannot be started; each request tries again.")
            self._has_logged = True

    def _expect(self, now: float) -> None:
        """Let requests wait for the next report, all of them together as long as one may wait."""
        self._wakes = now
        self._expected_until = now + self.options.budget / 1000
        self._heard.clear()

    def _run(self) -> None:
        try:
            while self._goes_on():
                self._wake.clear()
                self._look(time.monotonic())
                self._wake.wait(max(0.0, self._wakes - time.monotonic()))
                time.sleep(SETTLE)
        except Exception:
            logger.exception("The thread that runs probes has ended; the next request starts it again.")
            self._heard.set()  # no request waits for a report that does not come
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._stopped and time.monotonic() - self._asked < self.options.idle:
                return True
            self._thread = None
            return False

    def _look(self, now: float) -> None:
        self._has_news |= self._advance(now)
        if self._has_news and (self.report is None or now >= self._next_report or not self._heard.is_set()):
            self._publish(now)
        self._wakes = self._nearest(now)
        if self.report and not (self._heard.is_set() or self._has_news or any(map(self._is_owed, self.tasks))):
            self._heard.set()

    def _advance(self, now: float) -> bool:
        """Collect the runs that have ended or hang, and start those that are due; return whether anything is new."""
        changes = [task.finish(self.patience) or task.notice_stuck(now, self._limit(task)) for task in self.tasks]
        for task in self._startable(now):
            task.start(now, self._wake.set)
        return any(changes) or (not self.tasks and not self._heard.is_set())

    def _limit(self, task: Task) -> float:
        """Return after how many seconds a run is stuck; the first report on several sites waits for none."""
        waits = task.result is not None or len(self.sites) < 2
        return task.entry.probe.timeout if waits else min(task.entry.probe.timeout, self.patience)

    def _nearest(self, now: float) -> float:
        """Return when there is something to do next; a task that waits for a place is woken when one is free."""
        moments = [self._asked + self.options.idle]
        for task in self.tasks:
            if task.began is None:
                moments += [task.due] if task.due > now else []
            elif not task.is_stuck:
                slow = task.began + self.patience
                moments += [task.began + self._limit(task), *([slow] if slow > now else [])]
        return min([*moments, self._next_report] if self._has_news else moments)

    def _startable(self, now: float) -> list[Task]:
        """
        Return the tasks that are due and get a place, the longest due first. Stuck and slow runs have given up theirs,
        and probes that were slow the last time share separate places: sites whose servers do not answer cannot delay
        the results of the others.
        """
        due = sorted((task for task in self.tasks if task.is_due(now)), key=lambda task: task.due)
        chosen: list[Task] = []
        for was_slow in (False, True) if due else ():
            taken = sum(task.was_slow is was_slow and task.holds_place(now, self.patience) for task in self.tasks)
            free = max(0, self.options.concurrency - taken)
            chosen += [task for task in due if task.was_slow is was_slow][:free]
        return chosen

    def _publish(self, now: float) -> None:
        """Publish a report once every critical probe has a result."""
        if any(task.is_critical and task.result is None for task in self.tasks):
            return
        self._has_news, self._next_report = False, now + PUBLISH * len(self.tasks)
        self.report = report = self.make_report()
        if self.notifier:
            self.notifier.notify(report)

    def _is_owed(self, task: Task) -> bool:
        """Return whether a critical probe still lacks a result since requests began to wait."""
        since = self._expected_until - self.options.budget / 1000
        is_old = task.result is None or (task.result.ended < since and (task.is_running or task.due <= since))
        return task.is_critical and not task.is_stuck and is_old

    def make_report(self) -> Report:
        return make_report(
            [task.result for task in self.tasks if task.result is not None],
            self.sites,
            quorum=self.options.quorum,
            stale=self.options.stale,
            now=time.monotonic(),
            time=time.time(),
        )

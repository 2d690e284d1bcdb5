"""
What passes between this node and the monitor beside it: what is to be asked goes to the monitor, and what it says goes
on to the database, each change once.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.node.monitor_files import NO_FILE, SILENT, ObservationsFile, TargetsFile, find_account
from wagtail_multihost.node.retrying import Retries
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.node_states import MONITOR_REFUSED, MONITOR_SILENT
from wagtail_multihost.nodeapi.observations_v1 import REPORT
from wagtail_multihost.nodeapi.probe_files import STALE_AFTER, Observed, Passed, Report, Target, read_clock

logger = logging.getLogger(__name__)

Ask = Callable[[str, tuple[Any, ...]], Any]
#: Seconds between attempts to pass something on.
FIRST, LONGEST = 5.0, 300.0
#: The database has no such function, schema or right: it is of a version before monitors.
MISSING = frozenset({"42883", "3F000", "42501"})
#: Rows of one call, as the function takes them.
MOST_OBSERVATIONS, MOST_LATENCIES = 2000, 5000
NO_MONITORS = "The database knows no monitors yet. Run the migrations of the control site, and make its roles again."
TARGETS_PROBLEM = "What is to be asked cannot be written: {}."


class Saying(NamedTuple):
    """A condition that the agent reports."""

    status: bool
    message: str = ""


class MonitorLink:
    """
    The monitor that reads ``targets`` and writes ``observations``, as the account ``user``; ``ask`` calls a function in
    the database, and raises UnreachableError and RefusedError.
    """

    def __init__(
        self,
        targets: TargetsFile,
        observations: ObservationsFile,
        user: str,
        ask: Ask,
        clock: Callable[[], float] = read_clock,
    ) -> None:
        self.targets, self.observations, self.user, self.ask, self.clock = targets, observations, user, ask, clock
        self.passed = Passed()
        self.retries = Retries(FIRST, LONGEST, time.monotonic)
        self.started_at = clock()
        self.said: dict[str, Saying] = {}

    @classmethod
    def of(cls, place: str, targets: Path, observations: Path, user: str, ask: Ask) -> MonitorLink:
        return cls(TargetsFile(targets, place), ObservationsFile(observations, place), user, ask)

    def look(self, targets: Sequence[Target]) -> Observed | None:
        """Say what is to be asked, and return what the monitor says of now; None if that is nothing."""
        problem = ""
        try:
            account = find_account(self.user)
            try:
                self.targets.write(targets, account)
            except OSError as error:
                problem = TARGETS_PROBLEM.format(error.strerror)
            self.observations.read({one.hostname for one in targets}, account)
        except ValueError as error:
            self.observations.observed, problem = None, str(error)
        observed = self.observations.find_fresh(self.clock())
        self.say(problem or self.observations.problem)
        return observed

    def say(self, problem: str) -> None:
        """Say of the monitor whether it is refused, or silent."""
        now = self.clock()
        is_late = now - self.started_at > STALE_AFTER
        is_silent = not problem and self.observations.find_fresh(now) is None and is_late
        message = (SILENT if self.observations.observed else f"{SILENT} {NO_FILE}") if is_silent else ""
        said = {MONITOR_REFUSED: Saying(bool(problem), problem), MONITOR_SILENT: Saying(is_silent, message)}
        for kind, one in said.items():
            if one.status and one != self.said.get(kind):
                logger.warning("The monitor beside this agent: %s", one.message)
        self.said = said

    def pass_on(self, observed: Observed) -> None:
        """Tell the database what it was not told yet. That it cannot be is tried again later."""
        if self.retries.failures and not self.retries.is_due:
            return
        report = self.passed.make_report(observed, self.clock())
        if report is None:
            return
        try:
            for part in split_report(report):
                values = (part.boot, part.version, part.seconds, json.dumps(part.observations))
                self.ask(REPORT, (*values, json.dumps(part.latencies)))
        except (UnreachableError, RefusedError) as error:
            if not self.retries.failures:
                is_missing = isinstance(error, RefusedError) and error.sqlstate in MISSING
                logger.warning("What the monitor says is not passed on: %s", NO_MONITORS if is_missing else error)
            self.retries.fail()
        else:
            self.retries.clear()
            self.passed.note_passed(observed)


def split_report(report: Report) -> list[Report]:
    """
    Return a report in parts that the database takes; how long everything was looked at is in the last one, as it
    counts for what is known by then.
    """
    found = []
    observations, latencies = report.observations, report.latencies
    while len(observations) > MOST_OBSERVATIONS or len(latencies) > MOST_LATENCIES:
        part = report._replace(
            seconds=0.0, observations=observations[:MOST_OBSERVATIONS], latencies=latencies[:MOST_LATENCIES]
        )
        found.append(part)
        observations, latencies = observations[MOST_OBSERVATIONS:], latencies[MOST_LATENCIES:]
    return [*found, report._replace(observations=observations, latencies=latencies)]

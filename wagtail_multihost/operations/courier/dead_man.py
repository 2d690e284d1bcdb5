"""
The switch that tells when nobody tells any more. The courier says that it lives, watches over the operator process and
the monitors, and, as long as these live, asks an address of a service that raises an alarm when it is not asked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.http_client.client import NoAnswerError, Target, ask_server
from wagtail_multihost.nodeapi import alerts_v1
from wagtail_multihost.operations.courier.alerts_file import AlertsFile, Ping
from wagtail_multihost.operations.courier.work_list import WorkList

logger = logging.getLogger(__name__)
SUCCESS = range(200, 300)
SECONDS = 10.0
#: Seconds that the courier must have heard the database before it says that somebody is silent there.
AWAKE = 90.0


class DeadMan:
    """That switch as work of the courier, which looks each ``poll`` seconds."""

    most = 1

    def __init__(
        self,
        work_list: WorkList,
        file: AlertsFile | None,
        poll: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.work_list, self.file, self.poll, self.clock = work_list, file, poll, clock
        self.heard: float | None = None
        self.awake_since = self.due = clock()
        self.problem = ""

    def take(self, room: int) -> Iterable[Ping]:
        now = self.clock()
        if self.heard is None or now - self.heard > max(60, 3 * self.poll):
            self.awake_since = now
        rows = self.work_list.ask_newer(alerts_v1.BEAT, (self.poll, now - self.awake_since >= AWAKE))
        self.heard = now
        ping = self.find_ping()
        if ping is None or now < self.due or not (rows and rows[0][0]):
            return []
        self.due = now + ping.seconds
        return [ping]

    def find_ping(self) -> Ping | None:
        """Return what is to be asked; a file that was spoilt counts as it was, and who reads it for alerts says so."""
        if self.file is None:
            return None
        try:
            return self.file.read().ping
        except MultihostError:
            return self.file.destinations.ping

    def carry_out(self, ping: Ping) -> str:
        """Return why the address did not answer, blank if it did; the address itself is a secret."""
        try:
            target = Target(ping.url.reveal(), takes_query=True)
            reply = ask_server(target, target.path or "/", seconds=SECONDS, agent="multihost-courier", enough=1)
        except (NoAnswerError, TimeoutError):
            return "The address of dead_man did not answer."
        return "" if reply.status in SUCCESS else f"The address of dead_man answered with the status {reply.status}."

    def report(self, ping: Ping, problem: str) -> None:
        if problem and problem != self.problem:
            logger.warning("%s Its service may raise an alarm.", problem)
        self.problem = problem

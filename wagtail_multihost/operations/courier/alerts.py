"""
Telling people of incidents: at least once, each recipient of what concerns it. An alert is marked after it was sent,
so that one whose courier died in between is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi import alerts_v1
from wagtail_multihost.operations.courier.alert_texts import Alert, Message, describe
from wagtail_multihost.operations.courier.alerts_file import AlertsFile, Destinations
from wagtail_multihost.operations.courier.sending import send_in_process
from wagtail_multihost.operations.courier.work_list import WorkList
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.spec.secret import Secret

logger = logging.getLogger(__name__)
#: Alerts that are sent at a time, apart from all other work.
WORKERS = 4
#: Of so many alerts that arrived at some of their addresses it is known which these are.
MOST_REMEMBERED = 1_000
FAILED = "The courier could not send it. Its log says why."


class AlertToSend(NamedTuple):
    """An alert, and where it goes."""

    alert: Alert
    addresses: tuple[Secret, ...]


class Alerts:
    """Alerts as work of the courier: ``send`` sends a message to an address."""

    def __init__(
        self,
        work_list: WorkList,
        file: AlertsFile,
        most: int = WORKERS,
        send: Callable[[Secret, Message], str] = send_in_process,
    ) -> None:
        self.work_list, self.file, self.most, self.send = work_list, file, most, send
        self.problem = ""
        #: By alert and what it says, at which of several addresses it has arrived.
        self.arrived: dict[tuple[UUID, str, str], set[int]] = {}

    def take(self, room: int) -> Iterable[AlertToSend]:
        recipients = self.destinations().recipients
        labels = sorted(recipients)
        self.work_list.ask_newer(alerts_v1.SHOW_LABELS, (labels,))
        self.work_list.ask_newer(alerts_v1.QUEUE)
        rows = self.work_list.ask_newer(alerts_v1.TAKE, (room, labels))
        return [AlertToSend(alert, recipients[alert.recipient]) for alert in (Alert(*row) for row in rows)]

    def destinations(self) -> Destinations:
        """Return what the file says, or has said before it was spoilt."""
        try:
            found = self.file.read()
        except MultihostError as error:
            if self.problem != str(error):
                logger.error("%s What it said before counts.", one_line(error))
            self.problem = str(error)
            return self.file.destinations
        self.problem = ""
        return found

    def carry_out(self, item: AlertToSend) -> str:
        """Return why an alert did not arrive at all its addresses, blank if it did."""
        try:
            return self.send_to_all(item)
        except Exception:
            logger.exception("The alert %s could not be sent.", item.alert.id)
            return FAILED

    def send_to_all(self, item: AlertToSend) -> str:
        message = describe(item.alert)
        arrived = self.arrived.setdefault((item.alert.id, item.alert.word, item.alert.kind), set())
        problems = {}
        for number, address in enumerate(item.addresses):
            if number not in arrived:
                problems[number] = self.send(address, message)
                if not problems[number]:
                    arrived.add(number)
        failed = [problem for problem in problems.values() if problem]
        several = f" It has not arrived at {len(failed)} of {len(item.addresses)} addresses."
        return f"{failed[0]}{several if len(item.addresses) > 1 else ''}" if failed else ""

    def report(self, item: AlertToSend, problem: str) -> None:
        alert = item.alert
        values = (alert.id, alert.lease, not problem, problem[: alerts_v1.PROBLEM_LENGTH])
        rows = self.work_list.ask_newer(alerts_v1.REPORT, values)
        if problem:
            logger.warning("The alert %s to %s: %s", alert.id, one_line(alert.recipient), problem)
        else:
            for key in [key for key in self.arrived if key[0] == alert.id]:
                del self.arrived[key]
        while len(self.arrived) > MOST_REMEMBERED:
            del self.arrived[next(iter(self.arrived))]
        if not (rows and rows[0][0]):
            logger.warning("The alert %s took longer than its lease: it is sent again.", alert.id)

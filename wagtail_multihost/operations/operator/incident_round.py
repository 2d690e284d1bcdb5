"""What the operator process does about incidents in each round: read what there is, decide, and keep that."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from wagtail_multihost.nodeapi import operator_incidents_v1 as sql
from wagtail_multihost.operations.operator.database import OperatorDatabase
from wagtail_multihost.operations.operator.incident_causes import FEWEST
from wagtail_multihost.operations.operator.incident_facts import (
    Cause,
    Concerned,
    Facts,
    Incident,
    Process,
    Seen,
    Step,
)
from wagtail_multihost.operations.operator.incidents import decide


class IncidentRound:
    """
    Decides about incidents in one transaction, so that two operator processes do not decide at once. While this process
    did not hear the database, it heard nobody: who was silent then is so only from the first round on.
    """

    def __init__(self, database: OperatorDatabase, clock: Callable[[], float] = time.monotonic) -> None:
        self.database, self.clock = database, clock
        self.heard: float | None = None
        self.awake_since = 0.0

    def tick(self, period: float) -> int:
        """Say that the operator lives, each so many seconds; return how many incidents have changed for people."""
        now = self.clock()
        if self.heard is None or now - self.heard > max(60, 3 * period):
            self.awake_since = now
        self.database.ask(sql.BEAT, (period,))
        with self.database.transaction():
            steps = decide(self.read(now - self.awake_since))
            for step in steps:
                self.keep(step)
        self.heard = now
        return sum(bool(step.word) for step in steps)

    def read(self, awake: float) -> Facts:
        ask = self.database.ask
        now = float(ask(sql.LOCK)[0][0])
        seen = tuple(Seen(*row)._replace(nodes=tuple(row[10])) for row in ask(sql.LIST_SEEN))
        sites = {}
        if len({row.uid for row in seen}) >= FEWEST:
            sites = {(what, name): count for what, name, count in ask(sql.COUNT_SITES)}
        return Facts(
            now,
            seen,
            sites,
            tuple(Process(*row) for row in ask(sql.LIST_PROCESSES)),
            tuple(incident_of(row) for row in ask(sql.LIST_INCIDENTS)),
            awake,
        )

    def keep(self, step: Step) -> None:
        kept = step.incident
        values = (
            *(kept.id, kept.kind, *kept.cause, kept.site, step.summary, kept.sites, kept.till is None, step.folded),
            *(step.word, step.line_kind, step.line, json.dumps([row_of(one) for one in step.hostnames])),
        )
        self.database.ask(sql.KEEP, values)


def incident_of(row: tuple[Any, ...]) -> Incident:
    identifier, kind, cause, subject, site, since, till, count, _, hostnames = row
    concerned = [concerned_of(one) for one in hostnames]
    return Incident(
        identifier, kind, Cause(cause, subject), site, since, till, count, {one.key: one for one in concerned}
    )


def concerned_of(row: dict[str, Any]) -> Concerned:
    return Concerned(
        row["hostname"],
        row["place"],
        UUID(row["uid"]),
        row["site"],
        row["state"],
        row["reason"],
        row["code"],
        tuple(map(float, row["turns"])),
        float(row["since"]),
        None if row["till"] is None else float(row["till"]),
    )


def row_of(one: Concerned) -> dict[str, Any]:
    return {
        "hostname": one.hostname,
        "place": one.place,
        "site": str(one.uid),
        "state": one.state,
        "reason": one.reason,
        "code": one.code,
        "turns": one.turns,
        "since": one.since,
        "till": one.till,
    }

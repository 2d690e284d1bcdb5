"""The monitor outside and nodes as they report, with the rights of their own roles or of the database's owner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.db import connection
from psycopg.types.json import Jsonb

from tests.control.roles import Roles
from wagtail_multihost.control.roles import MONITOR
from wagtail_multihost.nodeapi import monitor_v1

FIRST = UUID(int=1)
#: Tables with times, and their columns.
TIMES = {
    "control_monitor": ("seen_at", "lease_until"),
    "control_probe_latest": ("since", "first_at", "noted_at"),
    "control_probe_period": ("since", "till"),
    "control_maintenance": ("since", "till"),
}


def said(hostname: str, state: str = "up", age: float = 0, **more: Any) -> dict[str, Any]:
    """Return an observation."""
    return {
        "hostname": hostname,
        "state": state,
        "reason": "",
        "code": 0,
        "age": age,
        "certificate_seconds": None,
    } | more


def note(
    observations: Iterable[object] = (),
    *,
    place: str = "outside",
    seconds: float = 0,
    latencies: object = (),
    boot: UUID = FIRST,
) -> int:
    """Report as the internal function takes it, in Django's own transaction."""
    with connection.cursor() as cursor:
        values = [place, boot, "1", seconds, Jsonb([*observations]), Jsonb(latencies)]
        cursor.execute("SELECT control_note_observations(%s, %s, %s, %s, %s, %s)", values)
        return int(cursor.fetchone()[0])


def let_pass(seconds: float) -> None:
    """Let everything have been so many seconds earlier."""
    with connection.cursor() as cursor:
        for table, columns in TIMES.items():
            changes = ", ".join(f"{name} = {name} - make_interval(secs => {seconds})" for name in columns)
            cursor.execute(f"UPDATE {table} SET {changes}")
        cursor.execute(
            "UPDATE control_probe_coverage SET during = tstzrange("
            f"lower(during) - make_interval(secs => {seconds}), upper(during) - make_interval(secs => {seconds}))"
        )


class MonitorLogin:
    """A monitor with the login that it has in production."""

    def __init__(self, roles: Roles) -> None:
        self.roles, self.boot, self.fence = roles, uuid4(), 0

    def connect(self) -> psycopg.Connection:
        return self.roles.connect(MONITOR)

    def ask(self, statement: str, *values: object) -> Any:
        with self.connect() as opened:
            row = opened.execute(statement, values).fetchone()
        assert row is not None
        return row[0]

    def take(self) -> int | None:
        fence = self.ask(monitor_v1.TAKE_LEASE, self.boot, "0.3")
        self.fence = fence or self.fence
        return fence

    def give_up(self) -> bool:
        return bool(self.ask(monitor_v1.GIVE_UP_LEASE, self.boot, self.fence))

    def report(self, *observations: object, seconds: float = 60, latencies: object = ()) -> bool:
        values = (self.boot, self.fence, seconds, Jsonb([*observations]), Jsonb([*latencies]))  # type: ignore[misc]
        return bool(self.ask(monitor_v1.REPORT, *values))

"""What monitors have seen, as rows of the tables that they report to."""

from __future__ import annotations

from typing import Any

from django.db import connection

from wagtail_multihost.nodeapi.probe_states import OUTSIDE

SEE = """
INSERT INTO control_probe_latest AS known
    (hostname, place, site_id, state, code, reason, since, first_at, allowance, noted_at)
SELECT name.name, %(place)s, name.site_id, %(state)s, %(code)s, %(reason)s,
    clock_timestamp() - make_interval(secs => %(age)s), clock_timestamp(), 1, clock_timestamp()
FROM control_hostname AS name WHERE name.name = %(hostname)s
ON CONFLICT (hostname, place) DO UPDATE SET state = excluded.state, code = excluded.code, reason = excluded.reason,
    since = excluded.since
"""
SPEAK = """
INSERT INTO control_monitor (place, seen_at) VALUES (%s, clock_timestamp() - make_interval(secs => %s))
ON CONFLICT (place) DO UPDATE SET seen_at = excluded.seen_at
"""


def execute(statement: str, values: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def prepare_monitors() -> None:
    """Let there be a monitor outside that has just spoken, and has seen nothing."""
    speak()


def speak(place: str = OUTSIDE, seconds: float = 0) -> None:
    """Let a monitor have spoken so many seconds ago."""
    execute(SPEAK, [place, seconds])


def see(hostname: str, state: str, reason: str = "", *, age: float = 60, place: str = OUTSIDE, code: int = 0) -> None:
    """Let a monitor have concluded something of a hostname so many seconds ago."""
    values = {"hostname": hostname, "state": state, "reason": reason, "age": age, "place": place, "code": code}
    execute(SEE, values)


def age_incidents(seconds: float) -> None:
    """Let everything in incidents have happened so many seconds earlier."""
    for table, columns in (
        ("control_incident", ("since", "till", "told_at")),
        ("control_incident_hostname", ("since", "till")),
        ("control_probe_latest", ("since",)),
    ):
        moved = ", ".join(f"{column} = {column} - make_interval(secs => %(seconds)s)" for column in columns)
        execute(f"UPDATE {table} SET {moved}", {"seconds": seconds})

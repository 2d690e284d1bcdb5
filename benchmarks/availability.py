"""
What a history of many hostnames costs, on a PostgreSQL server of its own: how much room it takes, how long reports take
that change nothing or everything, and how long it takes to say how long sites were up.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.control import Sides, Times, measured, milliseconds, percentile, shown, start_django
from benchmarks.fuse import server
from benchmarks.measuring import MIB, print_machine, print_target

TARGET_SITES, TARGET_DAYS, PERIODS_A_SITE = 10_000, 30, 46
#: Sites on a page of the dashboard, and the windows that it shows of each.
PAGE, WINDOWS = 50, tuple(timedelta(days=days) for days in (1, 7, 30))
#: MiB of periods and coverage, GiB of latencies, and milliseconds.
ROOM, HOURS_ROOM, OF_PAGE, OF_DAYS, OF_REPORT, OF_QUIET = 150.0, 2.0, 100.0, 200.0, 1500.0, 50.0
TABLES = ("control_probe_period", "control_probe_coverage", "control_probe_latest", "control_probe_hour")
#: Made at once: registration would take its time, and its triggers are not what is measured.
MAKE = """
SET session_replication_role = replica;
INSERT INTO control_site (uid, id, enabled, state, generation, revision, record, labels, is_imported, created)
SELECT gen_random_uuid(), 'site-' || number, true, 'active', 1, 0, '{{}}', '{{}}', false, now() - interval '400 days'
FROM generate_series(1, {sites}) AS number;
INSERT INTO control_hostname (name, site_id, role, is_canonical, added_at, problem)
SELECT site.id || '.example.org', site.uid, 'hostname', true, site.created, '' FROM control_site AS site;
INSERT INTO control_probe_latest (hostname, place, site_id, state, code, reason, since, first_at, allowance, noted_at)
SELECT host.name, 'outside', host.site_id, 'up', 0, '', now() - interval '1 hour', host.added_at, 60, now()
FROM control_hostname AS host;
INSERT INTO control_probe_coverage (place, during)
SELECT 'outside', tstzrange(now() - make_interval(days => day), now() - make_interval(days => day - 1, mins => 5))
FROM generate_series(1, {days}) AS day;
INSERT INTO control_probe_period (hostname, place, site_id, state, code, reason, since, till)
SELECT host.name, 'outside', host.site_id, 'down', 502, 'status', begun.at, begun.at + interval '4 minutes'
FROM control_hostname AS host CROSS JOIN generate_series(1, {periods}) AS number CROSS JOIN LATERAL (
    SELECT now() - make_interval(
        mins => number * {days} * 1440 / ({periods} + 1) + abs(hashtext(host.name)) % 60 * {days} / 30
    ) AS at
) AS begun;
INSERT INTO control_probe_hour (hostname, place, hour, histogram)
SELECT host.name, 'outside', date_trunc('hour', now(), 'UTC') - make_interval(hours => hour),
    ARRAY[0, 3, 20, 25, 8, 2, 1, 1, 0, 0, 0]
FROM generate_series(1, {days} * 24) AS hour CROSS JOIN control_hostname AS host;
SET session_replication_role = origin;
"""
NOTE = "SELECT control_note_observations('outside', '00000000-0000-0000-0000-000000000001', '1', 60, %s, %s)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sites", type=int, default=TARGET_SITES, help=f"default: {TARGET_SITES}")
    parser.add_argument("--days", type=int, default=TARGET_DAYS, help=f"default: {TARGET_DAYS}")
    options = parser.parse_args()
    with server() as (_, socket, user):
        start_django(socket, user)
        room = make_history(options.sites, options.days)
        times = measured(sides(options.sites), options.rounds)
        all_sites = milliseconds(measure_all)
    print_machine()
    for table, (size, rows) in room.items():
        print(f"{table}: {rows} rows, {size / MIB:.1f} MiB, {size / rows:.0f} bytes a row")
    for name, found in times.items():
        print(f"{name}: {shown(found)} ms, slowest of {len(found)} {max(found):.1f} ms")
    print(f"all sites: {all_sites:.0f} ms")
    print_ratio(times)
    print_targets(room, times)


def make_history(sites: int, days: int) -> dict[str, tuple[float, int]]:
    """Fill the tables; return the bytes of each with its indexes, and its rows."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(MAKE.format(sites=sites, days=days, periods=PERIODS_A_SITE))
        cursor.execute("VACUUM ANALYZE")
        room = {}
        for table in TABLES:
            cursor.execute(f"SELECT pg_total_relation_size('{table}'), count(*) FROM {table}")
            room[table] = cursor.fetchone()
    return room


def sides(sites: int) -> Sides:
    """Return what is measured in rounds."""
    from wagtail_multihost.control.availability import list_days, list_latencies, list_periods, measure_availability

    uids, now = known_sites(), database_now()
    page = uids[: min(PAGE, sites)]
    berlin = ZoneInfo("Europe/Berlin")
    return {
        "one site": lambda: measure_availability(page[:1], WINDOWS, now),
        f"a page of {PAGE} sites": lambda: measure_availability(page, WINDOWS, now),
        "90 days of a site": lambda: list_days(page[0], 90, berlin, now),
        "latencies of 30 days": lambda: list_latencies(page[0], timedelta(days=30), now),
        "periods of 30 days": lambda: list_periods(page[0], timedelta(days=30), now),
        "a report without a change": report([]),
        "a report that changes 2,000 hostnames": changing_reports(min(2000, sites)),
        "a report with latencies of 5,000 hostnames": report([], counted(min(5000, sites))),
    }


def known_sites() -> list[Any]:
    from wagtail_multihost.control.models import ManagedSite

    return [*ManagedSite.objects.values_list("uid", flat=True)]


def database_now() -> datetime:
    from wagtail_multihost.control.database_time import database_time

    return database_time()


def measure_all() -> None:
    from wagtail_multihost.control.availability import measure_availability

    measure_availability(known_sites(), WINDOWS, database_now())


def report(observations: list[dict[str, Any]], latencies: list[dict[str, Any]] | None = None) -> Callable[[], None]:
    from django.db import connection

    values = [json.dumps(observations), json.dumps(latencies or [])]

    def send() -> None:
        with connection.cursor() as cursor:
            cursor.execute(NOTE, values)

    return send


def changing_reports(count: int) -> Callable[[], None]:
    """Return what reports another state of so many hostnames each time; their allowances are filled up before."""
    from django.db import connection

    words = iter(range(10**9))
    reports = [
        report(
            [
                {"hostname": f"site-{number}.example.org", "state": state, "reason": "", "code": 0, "age": 1}
                for number in range(1, count + 1)
            ]
        )
        for state in ("down", "up")
    ]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE control_probe_latest SET allowance = 1000000")
    return lambda: reports[next(words) % 2]()


def counted(count: int) -> list[dict[str, Any]]:
    return [
        {"hostname": f"site-{number}.example.org", "age": 0, "counts": [0, 1, 2, 1, 1, 0, 0, 0, 0, 0, 0]}
        for number in range(1, count + 1)
    ]


def print_ratio(times: Times) -> None:
    many, one = (statistics.median(times[name]) for name in (f"a page of {PAGE} sites", "one site"))
    print(f"ratio: a page of {PAGE} sites / one site = {many / one:.2f} of time")


def print_targets(room: dict[str, tuple[float, int]], times: Times) -> None:
    hours = room["control_probe_hour"][0]
    print_target("room without latencies", (sum(size for size, _ in room.values()) - hours) / MIB, ROOM, "MiB")
    print_target("room of latencies", hours / MIB / 1024, HOURS_ROOM, "GiB")
    for name, limit in (
        (f"a page of {PAGE} sites", OF_PAGE),
        ("90 days of a site", OF_DAYS),
        ("a report that changes 2,000 hostnames", OF_REPORT),
        ("a report without a change", OF_QUIET),
    ):
        print_target(f"{name}, 99th percentile", percentile(times[name]), limit, "ms")


if __name__ == "__main__":
    main()

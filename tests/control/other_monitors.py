"""
What other monitors report of the same probes, by the rules that they publish. The rules are written anew here from
their sources:

- Uptime Kuma 2.5.3, https://github.com/louislam/uptime-kuma at 6398a958: ``server/uptime-calculator.js`` (``update``,
  ``flatStatus``, ``getData``: beats that were up and down are counted by minutes, hours and days of UTC, without
  maintenance; where there are none, those of the last of these are taken), ``src/components/Uptime.vue`` (rounding).
- Gatus 5.36, https://github.com/TwiN/gatus at 08c46354: ``storage/store/sql/sql.go`` (``updateEndpointUptime``,
  ``getEndpointUptime``, ``mergeHourlyUptimeEntries…``: results are counted by hours, and later by days, and those count
  that begin within the window), ``watchdog/endpoint.go`` (maintenance keeps alerts away and not results),
  ``api/badge.go`` (windows, and rounding).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

MINUTE, HOUR, DAY = 60, 3600, 86_400


class Probe(NamedTuple):
    """A request: when, in seconds of Unix time, whether it succeeded, and whether maintenance was planned then."""

    at: int
    is_good: bool
    is_maintained: bool = False


def kuma_uptime(probes: Iterable[Probe], window: timedelta, now: datetime) -> str:
    """Return what Uptime Kuma shows for its windows of 24 hours, 7 days and 30 days."""
    unit, number = {1: (MINUTE, 1440), 7: (HOUR, 168), 30: (DAY, 30)}[window.days]
    up: Counter[int] = Counter()
    down: Counter[int] = Counter()
    last = 0
    for probe in probes:
        last = probe.at // unit * unit
        if not probe.is_maintained:
            (up if probe.is_good else down)[last] += 1
    newest = int(now.timestamp()) // unit * unit
    keys = range(newest - unit * (number - 1), newest + 1, unit)
    total_up, total_down = (sum(counted[key] for key in keys) for counted in (up, down))
    if total_up + total_down == 0:
        total_up, total_down = up[last], down[last]
    share = total_up / (total_up + total_down) if total_up + total_down else 0.0
    # Math.round rounds halves up.
    return f"{int(share * 10_000 + 0.5) / 100:g} %"


def gatus_uptime(probes: Iterable[Probe], window: timedelta, now: datetime) -> str:
    """Return what the badge of Gatus shows."""
    moment = int(now.timestamp())
    first = moment - int(window.total_seconds())
    to_days = (moment - 2 * DAY) // DAY * DAY
    total: Counter[int] = Counter()
    good: Counter[int] = Counter()
    for probe in probes:
        hour = probe.at // HOUR * HOUR
        entry = hour // DAY * DAY if hour < to_days else hour
        total[entry] += 1
        good[entry] += probe.is_good
    counted = [entry for entry in total if first <= entry <= moment]
    executions = sum(total[entry] for entry in counted)
    share = sum(good[entry] for entry in counted) / executions if executions else 0.0
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + " %"

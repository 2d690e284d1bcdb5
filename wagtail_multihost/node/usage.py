"""
Counting what the sites of this node use, and telling the registry.

Requests are counted where visitors come in: on front servers, and on nodes that no front server asks. CPU time and
memory are counted where processes run.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.emitters.nginx.servers import ACCESS_LOG
from wagtail_multihost.node.access_log import Counted, Hour, read_log
from wagtail_multihost.node.control_groups import GroupUse, read_use
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.node.planning import Planner
from wagtail_multihost.node.usage_file import Total, Totals, UsageState, keep_usage, read_usage
from wagtail_multihost.nodeapi import usage_v1
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.spec.nginx import NginxOptions

logger = logging.getLogger(__name__)

NGINX, SYSTEMD = "nginx", "systemd"
#: Seconds between two looks, and between two reports.
LOOK, REPORT = 30.0, 300.0
#: So many sites are told of in a call, well within what one takes.
MOST_SITES = 800
MOST_CALLS = 20


class Counting(NamedTuple):
    """
    What is counted on this node: the requests in the ``log``, None where visitors do not come in, of the ``sites`` that
    are known, and what the processes of those that are ``run`` here use.
    """

    log: Path | None
    sites: Collection[str]
    run: Collection[str]


class UsageReporter:
    """Counts, keeps what was counted in a ``folder``, and tells what has changed."""

    def __init__(
        self,
        database: NodeDatabase,
        folder: Callable[[], Path],
        clock: Callable[[], float] = time.monotonic,
        read_group: Callable[[str], GroupUse | None] = read_use,
    ) -> None:
        self.database, self.folder, self.clock, self.read_group = database, folder, clock, read_group
        self.state: UsageState | None = None
        self.told: Totals = {}
        self.looked_at = self.told_at = -REPORT

    def report(self, counting: Counting | None) -> None:
        """Count and tell, if it is time. Nothing depends on it."""
        if counting is None or self.clock() - self.looked_at < LOOK:
            return
        try:
            has_more = self.count(counting)
        except OSError as error:
            logger.warning("What the sites use cannot be counted: %s", error)
            has_more = False
        self.looked_at = -REPORT if has_more else self.clock()
        if self.clock() - self.told_at >= REPORT:
            self.told_at = self.clock()
            try:
                self.tell(counting)
            except (UnreachableError, RefusedError) as error:
                logger.warning("What the sites use cannot be told: %s", error)

    def count(self, counting: Counting) -> bool:
        """Count what is new, and keep it; return whether there is more in the log. Raises OSError."""
        before = self.state or read_usage(self.folder())
        now = self.database.now()
        state, has_more = before, False
        if counting.log is not None:
            reading = read_log(counting.log, before.places)
            totals = add_requests(state.totals, reading.counted, counting.sites, now)
            state, has_more = state._replace(totals=totals, places=reading.places), reading.has_more
        used = {site: use for site in counting.run if (use := self.read_group(site))}
        state = add_processes(state, used, month_of(now))
        state = state._replace(totals=without_old(state.totals, now))
        if state != before or self.state is None:
            keep_usage(self.folder(), state)
        self.state = state
        return has_more

    def tell(self, counting: Counting) -> None:
        """Tell the totals that have changed of sites that are here still."""
        state = self.state
        if state is None:
            return
        known = {*counting.sites, *counting.run}
        news = {site: months for site, months in state.totals.items() if site in known}
        changed = [site for site in sorted(news) if self.told.get(site) != news[site]]
        for part in [changed[at : at + MOST_SITES] for at in range(0, len(changed), MOST_SITES)][:MOST_CALLS]:
            documents = {site: {month: stated(total) for month, total in news[site].items()} for site in part}
            self.database.ask(usage_v1.REPORT, (state.series, json.dumps(documents)))
            self.told = {**self.told, **{site: news[site] for site in part}}


def stated(total: Total) -> dict[str, int]:
    return {key: value for key, value in total._asdict().items() if value is not None}


def month_of(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m}"


def months_before(now: datetime) -> tuple[str, str]:
    """Return this month and the one before."""
    first = now.astimezone(UTC).replace(day=1)
    return month_of(first), month_of(first - timedelta(days=1))


def month_of_hour(hour: str, now: datetime) -> str:
    """Return the month that an hour of the log is in; that of now where the node's clock says something else."""
    try:
        # The form is of the log: 2026-12-01T16 and the zone.
        found = month_of(datetime.fromisoformat(f"{hour[:13]}:00:00{hour[13:]}"))
    except (ValueError, OverflowError):
        found = ""
    this, last = months_before(now)
    return found if found in (this, last) else this


def add_requests(totals: Totals, counted: Counted, sites: Collection[str], now: datetime) -> Totals:
    """Return the totals with what was counted of the sites that there are."""
    found = {site: dict(months) for site, months in totals.items()}
    key: Hour
    for key, requests in counted.requests.items():
        if key.site in sites:
            months = found.setdefault(key.site, {})
            month = month_of_hour(key.hour, now)
            total = months.get(month, Total())
            months[month] = total._replace(requests=total.requests + requests, bytes=total.bytes + counted.bytes[key])
    return found


def add_processes(state: UsageState, used: Mapping[str, GroupUse], month: str) -> UsageState:
    """
    Return the state with what processes have used since the last look. Of a group that is seen first by somebody who
    may have lost what was counted, nothing counts yet; a group that followed another one counts from its beginning.
    """
    found = {site: dict(months) for site, months in state.totals.items()}
    groups = dict(state.groups)
    for site, use in used.items():
        before = groups.get(site)
        spent = 0
        if before is not None:
            is_same = before[0] == use.group and use.cpu_microseconds >= before[1]
            spent = use.cpu_microseconds - before[1] if is_same else use.cpu_microseconds
        months = found.setdefault(site, {})
        total = months.get(month, Total())
        memory = max((size for size in (total.memory, use.memory) if size is not None), default=None)
        # Rounded once for each look, so the rest stays for the next one.
        milliseconds = spent // 1000
        groups[site] = (use.group, use.cpu_microseconds - spent % 1000)
        months[month] = total._replace(cpu_milliseconds=(total.cpu_milliseconds or 0) + milliseconds, memory=memory)
    return state._replace(totals=found, groups={site: seen for site, seen in groups.items() if site in used})


def without_old(totals: Totals, now: datetime) -> Totals:
    """Return the totals of this month and of the one before."""
    kept = months_before(now)

    def recent() -> Iterator[tuple[str, Mapping[str, Total]]]:
        for site, months in totals.items():
            if found := {month: total for month, total in months.items() if month in kept}:
                yield site, found

    return dict(recent())


def find_counting(planner: Planner) -> Counting | None:
    """
    Return what is counted on the node, as of what it has applied; None before that. The log of an nginx that this
    package did not configure has another form, and units of that name would be somebody else's.
    """
    specs = planner.front.specs if planner.is_front else planner.specs
    if specs is None or planner.known is None:
        return None
    enabled = [site.id for site in specs.sites.values() if site.enabled]
    targets = planner.options.targets
    nginx = specs.platform.options_of(NginxOptions) or NginxOptions()
    takes_visitors = NGINX in targets and (planner.is_front or not planner.known.node["address"])
    has_units = SYSTEMD in targets and not planner.is_front
    return Counting(nginx.logs / ACCESS_LOG if takes_visitors else None, enabled, enabled if has_units else ())

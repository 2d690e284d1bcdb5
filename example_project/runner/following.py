"""Following the agent: what it has applied of what the control site says, the sites become."""

import contextlib
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from runner.agent import NAME
from runner.children import Child, Failure, finish
from runner.control import Control
from runner.folders import DATA
from runner.preparing import Prepared, digest_code, in_pairs, load, template_of
from runner.progress import Progress
from runner.reading import Report, read_control, read_report
from runner.registry import COPY, Place, Site, names, read, sites_of, write, write_registry
from runner.router import wait_until_served
from runner.served import changes_of, marks_of_wished, use
from wagtail_multihost.nodeapi import node_v1

POLL_SECONDS = 1
CONNECT_SECONDS = 5
RETIRED = DATA / "retired"
UID_OF_A_DATABASE = "SELECT uid FROM wagtail_multihost_identity"


class Follower:
    """
    The sites as they run, and how they become what the agent has applied. ``marks`` are those of the files that they
    were started from.
    """

    def __init__(self, place: Place, emperor: Child, marks: Mapping[str, str], progress: Progress) -> None:
        self.place = place
        self.emperor = emperor
        self.marks = marks
        self.progress = progress
        self.document = read(COPY)
        self.seen: Report | None = None

    def follow(self, control: Control, goes_on: Callable[[], bool]) -> None:
        """Bring the sites to what each new report says, as long as ``goes_on``."""
        while goes_on():
            try:
                with psycopg.connect(control.reports, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
                    connection.execute(f"LISTEN {node_v1.REPORT_CHANNEL}")
                    while goes_on():
                        self.look(connection, control)
                        # A bell only ends the wait: what there is to do is in the tables and on the disk.
                        list(connection.notifies(timeout=POLL_SECONDS, stop_after=1))
            except psycopg.OperationalError:
                time.sleep(POLL_SECONDS)

    def look(self, connection: psycopg.Connection, control: Control) -> None:
        """Become what is applied now. What cannot be served is said once, and tried again with the next report."""
        report, wished = read_report(connection, NAME), marks_of_wished(self.place)
        # A report of a run before this one has no files yet.
        if report is None or report == self.seen or wished is None:
            return
        news = {site: why for site, why in report.refused.items() if not self.seen or site not in self.seen.refused}
        self.seen = report
        try:
            with psycopg.connect(control.registry, autocommit=True, connect_timeout=CONNECT_SECONDS) as reading:
                said = self.without_refused(read_control(reading), report)
            for line in self.become(said, wished):
                self.progress.end()
                print(line, flush=True)
            for site, why in news.items():
                self.tell(f"The newest record of {site} is not served. {why}")
        except Failure as failure:
            self.tell(f"Revision {report.applied} is not served. {failure}")

    def tell(self, sentence: str) -> None:
        self.progress.end()
        print(sentence, file=sys.stderr, flush=True)

    def without_refused(self, said: dict[str, Any], report: Report) -> dict[str, Any]:
        """Return what is said, with the former record of each site whose newest the agent refuses."""
        former = self.document["sites"]
        sites = {site: former.get(site) if site in report.refused else one for site, one in said["sites"].items()}
        return {**said, "sites": {site: one for site, one in sites.items() if one is not None}}

    def become(self, said: Mapping[str, Any], wished: Mapping[str, str]) -> Iterator[str]:
        """Let the sites be what is wished, which is what was said; yield a line for what came of it."""
        before, after = (
            {site.id: site for site in sites_of(document, self.place)} for document in (self.document, said)
        )
        # What was said since the agent has applied it has the next report.
        marks = {site: mark for site, mark in wished.items() if site in after}
        ids, gone = changes_of(self.marks, marks)
        changed, ended = [after[site] for site in ids], [before[site] for site in gone if site in before]
        if changed or gone:
            write_registry(said, self.place, with_control=True)
            self.load(changed)
        self.keep(after[site] for site in marks)
        # From here on the next run starts from it, too.
        write(COPY, said)
        if changed or gone:
            self.restart(changed, gone)
        self.document, self.marks = said, marks
        yield from (f"Stopped: {site.name}" for site in ended)
        yield from (f"Served: {site.name}  http://{site.host}:{self.place.port}/" for site in changed)

    def load(self, changed: Sequence[Site]) -> None:
        """Give new sites a database with content, and tell the others their address."""
        code = digest_code()
        for site in changed:
            set_aside_former(site)
        for pair in in_pairs(changed):
            self.progress.begin(f"Loading {names(pair)}")
            finish([load(site, template_of(code), self.place.snapshots) for site in pair], self.progress)

    def keep(self, sites: Iterable[Site]) -> None:
        """Spare the next run the loading of sites."""
        prepared = Prepared(digest_code())
        for site in sites:
            if not prepared.has(site.id, site.record):
                prepared.keep(site.id, site.record)

    def restart(self, changed: Sequence[Site], gone: Sequence[str]) -> None:
        """Let uWSGI start, stop and restart sites, and wait for those that ``changed``."""
        self.progress.begin(f"Starting {names(changed)}" if changed else "Stopping sites")
        use([site.id for site in changed], gone, self.place)
        wait_until_served([site.host for site in changed], self.place.port, self.emperor, self.progress)


def set_aside_former(site: Site) -> None:
    """Move the data of a former site with the same id away: it is another site's, by its uid."""
    if not site.database.exists():
        return
    with contextlib.closing(sqlite3.connect(site.database)) as connection:
        row = connection.execute(UID_OF_A_DATABASE).fetchone()
    if row and site.uid and UUID(row[0]) != UUID(site.uid):
        RETIRED.mkdir(mode=0o700, exist_ok=True)
        site.database.parent.rename(RETIRED / f"{site.id}-{row[0]}")

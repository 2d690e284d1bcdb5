"""Following the control site: what it says from now on, the sites become."""

import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import psycopg

from runner.children import Child, Failure, finish
from runner.folders import DATA
from runner.preparing import Prepared, digest_code, emit, in_pairs, load, template_of
from runner.progress import Progress
from runner.reading import Said, read_control
from runner.registry import COPY, Place, Site, names, read, sites_of, write, write_registry
from runner.router import wait_until_served
from wagtail_multihost.nodeapi import v1

POLL_SECONDS = 1
CONNECT_SECONDS = 5
RETIRED = DATA / "retired"
UID_OF_A_DATABASE = "SELECT uid FROM wagtail_multihost_identity"


class Follower:
    """The sites as they run, and how they become what the control site says."""

    def __init__(self, place: Place, emperor: Child, progress: Progress) -> None:
        self.place = place
        self.emperor = emperor
        self.progress = progress
        self.document = read(COPY)
        self.seen: Said | None = None

    def follow(self, url: str, goes_on: Callable[[], bool]) -> None:
        """Bring the sites to each new revision, as long as ``goes_on``."""
        while goes_on():
            try:
                with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
                    connection.execute(f"LISTEN {v1.CHANNEL}")
                    while goes_on():
                        self.look(connection)
                        # A bell only ends the wait: what there is to do is in the tables.
                        list(connection.notifies(timeout=POLL_SECONDS, stop_after=1))
            except psycopg.OperationalError:
                time.sleep(POLL_SECONDS)

    def look(self, connection: psycopg.Connection) -> None:
        """Become what is said now. What cannot be served is said once, and tried again with the next revision."""
        if self.seen is not None and self.seen.is_of(connection):
            return
        self.seen = read_control(connection)
        try:
            for line in self.become(self.seen):
                self.progress.end()
                print(line, flush=True)
        except Failure as failure:
            self.progress.end()
            print(f"Revision {self.seen.revision} is not served. {failure}", file=sys.stderr, flush=True)

    def become(self, said: Said) -> Iterator[str]:
        """Let the sites be what is said; yield a line for what came of it."""
        before, after = (
            {site.id: site for site in sites_of(document, self.place)} for document in (self.document, said.document)
        )
        is_other_platform = self.document["platform"] != said.document["platform"]
        changed = [site for site in after.values() if is_other_platform or before.get(site.id) != site]
        ended = [site for site in before.values() if site.id not in after]
        if changed or ended:
            write_registry(said.document, self.place)
            self.load(changed)
        # From here on the next run starts from it, too.
        write(COPY, said.document)
        if changed or ended:
            self.restart(changed)
        self.document = said.document
        yield from (f"Stopped: {site.name}" for site in ended)
        yield from (f"Served: {site.name}  http://{site.host}:{self.place.port}/" for site in changed)

    def load(self, changed: Sequence[Site]) -> None:
        """Give new sites a database with content, and tell the others their address."""
        code = digest_code()
        for site in changed:
            set_aside_former(site)
        for pair in in_pairs(changed):
            self.progress.begin(f"Loading {names(pair)}")
            finish([load(site, template_of(code)) for site in pair], self.progress)
        prepared = Prepared(code)
        for site in changed:
            prepared.keep(site.id, site.record)

    def restart(self, changed: Sequence[Site]) -> None:
        """Let uWSGI start, stop and restart sites, and wait for those that ``changed``."""
        self.progress.begin(f"Starting {names(changed)}" if changed else "Stopping sites")
        vassals = self.place.runtime / "etc" / "uwsgi"
        running = [vassals / f"{site.id}.ini" for site in changed if (vassals / f"{site.id}.ini").exists()]
        finish([emit(self.place)], self.progress)
        for vassal in running:
            os.utime(vassal)  # its emperor restarts it
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
